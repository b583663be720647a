"""Every format there is: what it is called, what it needs, what it keeps.

The one place that the command line, its help and the documentation read. Nothing heavy is imported
here: `module` holds the function ``write(recording, path)`` that does the work.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        name: what ``--to`` and ``--save`` take.
        suffix: what the default file name ends with; with a ``/``, it is a folder.
        title: what it is, and for which tools.
        writer: ``module:function`` below `posetrack.formats`.
        missing: how somebody or something that was not found is written.
        lost: what the format has no room for.
        needs: packages to import, none for most.
        extra: of posetrack, that installs them.
        each: one file for each person (``.id3`` before the suffix).
        metric: coordinates can be metres (``--height``, ``--px-per-m``).
    """

    name: str
    suffix: str
    title: str
    writer: str
    missing: str
    lost: str
    needs: tuple[str, ...] = ()
    extra: str | None = None
    each: bool = False
    metric: bool = False

    @property
    def folder(self) -> bool:
        """Whether it is written as a folder of files."""
        return self.suffix.endswith("/")


# fmt: off
_TABLE = (
    Format("csv", ".csv", "table, one line a keypoint", "tables:write_csv",
           "score 0; somebody who is not there has no line", "depths, header"),
    Format("csv-wide", ".wide.csv", "table, one line a person and frame", "tables:write_csv_wide",
           "empty cells", "raw keypoints, header"),
    Format("parquet", ".parquet", "the long table for pandas, polars, DuckDB",
           "tables:write_parquet", "null coordinates, score 0", "nothing",
           ("pyarrow",), "outputs"),
    Format("parquet-wide", ".wide.parquet", "the wide table", "tables:write_parquet_wide",
           "null", "raw keypoints", ("pyarrow",), "outputs"),
    Format("coco", ".coco.json", "COCO keypoint results (pycocotools)", "coco:write_results",
           "0, 0, 0; nobody: no entry", "times, states, raw, header"),
    Format("coco-video", ".coco-video.json", "COCO annotations of a video, with track_id",
           "coco:write_video", "0, 0, 0", "states, raw"),
    Format("posetrack", ".posetrack18.json", "PoseTrack18/21 annotations", "coco:write_posetrack",
           "0, 0, 0", "states, raw; keypoints that PoseTrack has not"),
    Format("openpose", ".openpose/", "OpenPose JSON a frame, BODY_25, faces and hands",
           "openpose:write_body25", "0, 0, 0", "boxes, times, states, raw, header"),
    Format("openpose-135", ".openpose-135/", "the same, BODY_135", "openpose:write_body135",
           "0, 0, 0", "boxes, times, states, raw, header"),
    Format("openpose-own", ".openpose-own/",
           "the same, the model's own keypoints in their order (Pose2Sim: HALPE_26, COCO_17, ...)",
           "openpose:write_own", "0, 0, 0", "boxes, times, states, raw, header"),
    Format("trc", ".trc", "marker trajectories (OpenSim, Pose2Sim)", "trc:write",
           "nan", "scores, boxes, raw; depth without a scale",
           each=True, metric=True),
    Format("mot", ".mot.txt", "MOTChallenge text (TrackEval, motmetrics)", "mot:write",
           "no line", "keypoints, times, header"),
    Format("opensim-mot", ".mot", "joint angles as OpenSim coordinates", "opensim:write",
           "no row; single angles interpolated",
           "keypoints; whether a joint bends forwards or backwards", each=True),
    Format("rerun", ".rrd", "Rerun recording", "rerun:write", "left out of the frame",
           "raw", ("rerun",), "rerun"),
    Format("c3d", ".c3d", "C3D markers (Mokka, Vicon, Visual3D)", "c3d:write",
           "residual -1", "scores, boxes, raw; uneven times; depth without a scale",
           ("ezc3d",), "outputs", metric=True),
    Format("dlc", ".dlc.h5", "DeepLabCut, several individuals", "deeplabcut:write",
           "NaN", "boxes, times, states, raw, header", ("pandas", "tables"), "outputs"),
    Format("sleap", ".sleap.h5", "SLEAP analysis HDF5", "sleap:write",
           "NaN", "boxes, times, states, raw", ("h5py",), "outputs"),
    Format("bvh", ".bvh", "motion of a skeleton (Blender, MotionBuilder)", "bvh:write",
           "the pose before", "scores, boxes, raw; bones have their median length",
           each=True, metric=True),
    Format("mmpose", ".mmpose.json", "predictions as MMPose's demos write them", "mmpose:write",
           "score 0", "states, raw"),
    Format("npz", ".npz", "NumPy arrays, frames x people x keypoints", "npz:write",
           "NaN, score 0", "raw"),
    Format("nwb", ".nwb", "Neurodata Without Borders, ndx-pose", "nwb:write",
           "NaN, confidence 0", "boxes, states, raw", ("pynwb", "ndx_pose"), "nwb"),
    Format("cvat", ".cvat.xml", "CVAT for video 1.1, skeleton tracks", "cvat:write",
           "outside", "scores, times, raw"),
    Format("fiftyone", ".fiftyone.json", "FiftyOne dataset of one video", "fiftyone:write",
           "NaN, confidence 0", "times, raw"),
)
# fmt: on

FORMATS: dict[str, Format] = {each.name: each for each in _TABLE}
"""By name, in the order of need."""


def formats_table() -> str:
    """The table of all formats in Markdown, as docs/outputs.md has it."""
    head = "| `--to` | file | what, for whom | extra | not found | lost |"
    lines = [head, "|---" * 6 + "|"]
    for each in FORMATS.values():
        suffix = f".idN{each.suffix}" if each.each else each.suffix
        extra = f"`{each.extra}`" if each.extra else ""
        cells = (f"`{each.name}`", f"`{suffix}`", each.title, extra, each.missing, each.lost)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
