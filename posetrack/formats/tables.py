"""Tables of keypoints: long (a line a keypoint) and wide (a line a person and frame)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from posetrack.formats.place import part_of, write_text
from posetrack.records import CSV_COLUMNS, Recording
from posetrack.records.writers import csv_lines

Columns = dict[str, Any]
_BOX = ("box_x1", "box_y1", "box_x2", "box_y2")


def write_csv(recording: Recording, path: Path) -> None:
    """The columns `CSV_COLUMNS`, as a run writes them while it goes on."""
    names = recording.header.skeleton.keypoints
    lines = (csv_lines(record, names) for record in recording.records())
    write_text(path, CSV_COLUMNS + "\n" + "".join(lines))


def write_csv_wide(recording: Recording, path: Path) -> None:
    """``frame, pts_s, id, state``, the box, then ``NAME_x, NAME_y, NAME_score`` each."""
    columns = wide(recording)
    rows = zip(*(_cells(values) for values in columns.values()), strict=True)
    text = "".join(",".join(row) + "\n" for row in rows)
    write_text(path, ",".join(columns) + "\n" + text)


def write_parquet(recording: Recording, path: Path) -> None:
    """The long table; the header of the records is in the schema's metadata."""
    _write_parquet(recording, long(recording), path)


def write_parquet_wide(recording: Recording, path: Path) -> None:
    """The wide table; the header of the records is in the schema's metadata."""
    _write_parquet(recording, wide(recording), path)


def long(recording: Recording) -> Columns:
    """Columns (R * K,) of the long table; coordinates of keypoints not found are NaN."""
    rows, names = recording.rows, recording.header.skeleton.keypoints
    k = len(names)
    scores = _rounded(rows.scores, 4).reshape(-1)
    x, y = _rounded(rows.keypoints, 2).reshape(-1, 2).T.copy()
    x[scores <= 0] = y[scores <= 0] = np.nan
    raw = _rounded(rows.raw, 2).reshape(-1, 2).T
    repeated = {name: np.repeat(values, k) for name, values in _people(recording).items()}
    columns = repeated | {
        "keypoint": np.tile(np.array(names), len(rows)),
        "x": x,
        "y": y,
        "score": scores,
        "raw_x": raw[0],
        "raw_y": raw[1],
    }
    if rows.depths is not None:
        columns["depth_m"] = _rounded(rows.depths, 4).reshape(-1)
    return columns


def wide(recording: Recording) -> Columns:
    """Columns (R,) of the wide table; what was not found is NaN."""
    rows = recording.rows
    columns = _people(recording)
    scores, points = _rounded(rows.scores, 4), _rounded(rows.keypoints, 2)
    points[scores <= 0] = np.nan
    depths = None if rows.depths is None else _rounded(rows.depths, 4)
    for index, name in enumerate(recording.header.skeleton.keypoints):
        columns[f"{name}_x"] = points[:, index, 0]
        columns[f"{name}_y"] = points[:, index, 1]
        columns[f"{name}_score"] = np.where(scores[:, index] > 0, scores[:, index], np.nan)
        if depths is not None:
            columns[f"{name}_depth_m"] = depths[:, index]
    return columns


def _people(recording: Recording) -> Columns:
    rows = recording.rows
    boxes = _rounded(rows.boxes, 2)
    return {
        "frame": rows.frame,
        "pts_s": np.round(recording.times_of(rows), 6),
        "id": rows.ids,
        "state": rows.states,
        **{name: boxes[:, index] for index, name in enumerate(_BOX)},
        "box_score": _rounded(rows.box_scores, 4),
    }


def _rounded(values: Any, decimals: int) -> Any:
    return np.round(np.asarray(values, np.float64), decimals)


def _cells(values: Any) -> Iterator[str]:
    return ("" if cell != cell else str(cell) for cell in values.tolist())  # NaN is no cell


def _write_parquet(recording: Recording, columns: Columns, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = {name: pa.array(values, from_pandas=True) for name, values in columns.items()}
    units = {"time": "s", "coordinates": "px, x right, y down, (0, 0) the first pixel's centre"}
    known = {
        "posetrack": recording.header.to_json(),
        "fps": str(recording.header.fps),
        "units": json.dumps(units),
    }
    table = pa.table(arrays).replace_schema_metadata(known)
    with part_of(path) as part:
        pq.write_table(table, part, compression="zstd")
