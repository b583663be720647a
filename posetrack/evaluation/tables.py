"""Figures as tables on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from posetrack.evaluation.pose import Figures

POSE = (
    ("people", "people", "count"),
    ("ap", "AP", "percent"),
    ("ap50", "AP50", "percent"),
    ("ap75", "AP75", "percent"),
    ("ap_medium", "APm", "percent"),
    ("ap_large", "APl", "percent"),
    ("ar", "AR", "percent"),
    ("ap_categories", "AP of categories", "percent"),
    ("ap_crowd_easy", "AP easy", "percent"),
    ("ap_crowd_medium", "AP medium", "percent"),
    ("ap_crowd_hard", "AP hard", "percent"),
    ("oks", "OKS", "percent"),
    ("pck@0.1", "PCK@.1", "percent"),
    ("pck@0.2", "PCK@.2", "percent"),
    ("pckh@0.5", "PCKh", "percent"),
    ("auc", "AUC", "percent"),
    ("auc@30px", "AUC 30 px", "percent"),
    ("epe_px", "EPE px", "number"),
    ("nme", "NME", "percent"),
    ("mpjpe_mm", "MPJPE mm", "number"),
    ("pa_mpjpe_mm", "PA-MPJPE mm", "number"),
)
PIPELINE = (
    *POSE,
    ("found", "found", "percent"),
    ("pck@0.1 of found", "their PCK@.1", "percent"),
)
DETECTION = (
    ("images", "images", "count"),
    ("boxes", "boxes", "count"),
    ("ap", "AP", "percent"),
    ("ap50", "AP50", "percent"),
    ("ap75", "AP75", "percent"),
    ("ap_small", "APs", "percent"),
    ("ap_medium", "APm", "percent"),
    ("ap_large", "APl", "percent"),
    ("ar", "AR", "percent"),
    ("recall", "recall at 1 false an image", "percent"),
    ("recall_threshold", "score there", "share"),
    ("card_recall", "recall at its threshold", "percent"),
    ("card_false_per_image", "false an image", "number"),
)
TRACKING = (
    ("hota", "HOTA", "percent"),
    ("deta", "DetA", "percent"),
    ("assa", "AssA", "percent"),
    ("loca", "LocA", "percent"),
    ("idf1", "IDF1", "percent"),
    ("mota", "MOTA", "percent"),
    ("recall", "recall", "percent"),
    ("precision", "precision", "percent"),
    ("id_switches", "switches", "count"),
    ("fragments", "fragments", "count"),
    ("coverage", "coverage", "percent"),
    ("people", "people", "count"),
    ("ids", "ids", "count"),
    ("frames", "frames", "count"),
)
MOTION = (
    ("jerk", "jerk, sizes/s3", "number"),
    ("raw_jerk", "of raw", "number"),
    ("lag_ms", "lag ms", "number"),
    ("acceleration_error", "acceleration error, sizes/s2", "number"),
    ("raw_acceleration_error", "of raw", "number"),
)
PARTS = (("ap", "AP", "percent"), ("ap50", "AP50", "percent"), ("ar", "AR", "percent"))

Columns = Sequence[tuple[str, str, str]]


def figure_table(title: str, figures: Mapping[str, Figures], columns: Columns) -> Table:
    """A row a group; shares in percent, a dash where there is nothing to measure.

    Columns of which no group knows anything are left out.
    """
    known = [c for c in columns if any(row.get(c[0]) is not None for row in figures.values())]
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    for _, heading, _ in known:
        table.add_column(heading, justify="right")
    for name, row in figures.items():
        table.add_row(name, *(_shown(row.get(key), kind) for key, _, kind in known))
    return table


def _shown(value: float | None, kind: str) -> str:
    if value is None:
        return "-"
    if kind == "count":
        return f"{value:.0f}"
    if kind == "percent":
        return f"{100 * value:.1f}"
    return f"{value:.3f}" if kind == "share" else f"{value:.2f}"
