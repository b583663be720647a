"""CSV, Parquet and NumPy, read by pandas, polars, pyarrow and NumPy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from formats.people import AT, FPS, FRAMES, IDS, recording

from posetrack.formats.conversion import convert
from posetrack.records import Recording

ROWS = sum(map(len, AT.values()))


def one(rec: Recording, track_id: int) -> np.ndarray:
    """(F, K, 2) of one person as float64."""
    return np.round(rec.track(track_id).keypoints.astype(np.float64), 2)


def test_long_csv_is_what_a_run_writes(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    rec = recording()
    convert(rec, "csv", tmp_path / "a.csv")
    table = pd.read_csv(tmp_path / "a.csv")
    assert len(table) == ROWS * 17
    knee = table[(table.id == 7) & (table.keypoint == "left_knee")]
    assert knee.frame.tolist() == AT[7].tolist()
    assert np.array_equal(knee[["x", "y"]], one(rec, 7)[:, 13])


def test_wide_csv_leaves_cells_of_what_was_not_found_empty(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    rec = recording()
    convert(rec, "csv-wide", tmp_path / "a.csv")
    table = pd.read_csv(tmp_path / "a.csv")
    assert len(table) == ROWS
    seven = table[table.id == 7]
    assert seven.left_ear_x.isna().all()
    assert seven.left_ear_score.isna().all()
    assert np.array_equal(seven[["nose_x", "nose_y"]], one(rec, 7)[:, 0])
    assert np.allclose(seven.pts_s, AT[7] / FPS, atol=1e-6)
    assert seven.state.tolist()[:2] == ["new", "tracked"]


@pytest.mark.parametrize("depths", [False, True])
def test_parquet_holds_every_value_and_the_header(tmp_path: Path, depths: bool) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    rec = recording("halpe26", depths=depths)
    convert(rec, "parquet", tmp_path / "a.parquet")
    table = pq.read_table(tmp_path / "a.parquet")
    known = table.schema.metadata
    assert known[b"posetrack"].decode() == rec.header.to_json()
    assert float(known[b"fps"]) == FPS
    assert json.loads(known[b"units"])["time"] == "s"
    assert table.num_rows == ROWS * 26
    missing = table.column("score").to_numpy() == 0
    assert table.column("x").null_count == missing.sum() == len(AT[7]) + 1
    assert ("depth_m" in table.column_names) == depths


def test_parquet_is_read_by_polars(tmp_path: Path) -> None:
    pl = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    rec = recording()
    convert(rec, "parquet-wide", tmp_path / "a.parquet")
    table = pl.read_parquet(tmp_path / "a.parquet")
    two = table.filter(pl.col("id") == 2)
    assert np.array_equal(two.select("nose_x", "nose_y").to_numpy(), one(rec, 2)[:, 0])
    assert two["left_wrist_x"].null_count() == 1


def test_npz_needs_no_pickles(tmp_path: Path) -> None:
    rec = recording()
    convert(rec, "npz", tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as data:
        assert data["keypoints"].shape == (FRAMES, 2, 17, 2)
        assert data["ids"].tolist() == list(IDS)
        assert np.array_equal(data["keypoints"][AT[2], 0, 0], one(rec, 2)[:, 0])
        assert np.isnan(data["keypoints"][16, 1]).all()
        assert (data["scores"][16, 1] == 0).all()
        assert float(data["fps"]) == FPS
        assert data["keypoint_names"].tolist() == list(rec.header.skeleton.keypoints)
        assert str(data["header"]) == rec.header.to_json()
