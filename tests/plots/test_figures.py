"""What figures are drawn of is right, and every figure has content."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from formats.people import FPS, FRAMES, recording
from matplotlib.image import imread

from posetrack.plots import canvas, joints, places, report
from posetrack.plots.places import dwell
from posetrack.plots.subject import Subject
from posetrack.plots.timeline import spans
from posetrack.records import Recording


def test_spans_tell_seen_from_predicted_and_leave_gaps() -> None:
    seen, lost = spans(Subject(recording()), 7)
    frames = np.round(np.array(seen) * FPS).astype(int).tolist()
    assert frames == [[5, 13], [14, 15], [20, 33]]
    assert np.round(np.array(lost) * FPS).astype(int).tolist() == [[13, 14]]


def test_dwell_adds_up_to_the_time_people_were_there() -> None:
    subject = Subject(recording())
    seconds = dwell(subject)
    assert seconds.sum() == pytest.approx((FRAMES + 23) / FPS, rel=1e-6)
    row, column = np.unravel_index(seconds.argmax(), seconds.shape)
    _, feet = subject.places(2)
    cell = 1280 / seconds.shape[1]
    assert abs(column * cell - feet[:, 0].mean()) < 80
    assert abs(row * cell - feet[:, 1].mean()) < 30


def test_ranges_are_of_both_sides() -> None:
    rows = joints.ranges(Subject(recording("halpe26")).person(2))
    assert [name for name, _, _ in rows] == [
        "knee", "hip", "ankle", "elbow", "shoulder", "thigh", "shank",
    ]  # fmt: skip
    assert all(left > 0 and right > 0 for _, left, right in rows)


def test_a_range_of_motion_takes_more_than_a_few_frames() -> None:
    whole = recording("halpe26")
    few = replace(whole, rows=whole.rows[whole.rows.frame < 4])
    assert joints.ranges(Subject(few).person(2)) == []


def test_the_heat_map_says_how_large_the_cell_is_that_its_seconds_are_of() -> None:
    made = places.heat_map(Subject(recording(), 100.0))
    assert "a cell of 0.13 m" in " ".join(text.get_text() for text in made.texts)
    assert made.axes[-1].get_ylabel() == "s a cell"


@pytest.mark.parametrize("width", [4.0, 9.0])
def test_a_subtitle_stays_in_the_figure_however_long_the_name_of_the_file(width: float) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    name = "2026-05-11_subject_07_trial_03_countermovement_jump_camera_2_corrected.posetrack.mp4"
    made, axes = canvas.figure("Title", f"{name}: range of motion, {name}", (width, 3.0))
    FigureCanvasAgg(made).draw()
    edges = [text.get_window_extent() for text in made.texts]
    assert len(edges) > 1
    assert max(edge.x1 for edge in edges) <= made.bbox.x1
    assert min(edge.y0 for edge in edges) >= axes.get_window_extent().y1


def test_a_curve_does_not_cross_a_gap() -> None:
    times_s, values = canvas.with_breaks(np.array([0.0, 0.1, 0.9, 1.0]), np.arange(4.0), 0.5)
    assert times_s.tolist() == [0.0, 0.1, 0.5, 0.9, 1.0]
    assert np.isnan(values[2])


@pytest.mark.parametrize("skeleton", ["halpe26", "coco_wholebody", "onehand10k"])
def test_every_figure_is_drawn_and_is_not_blank(skeleton: str) -> None:
    subject = Subject(recording(skeleton), 150.0)
    drawn = dict(report.figures(subject, report.KINDS, [7]))
    wanted = {"paths", "timeline", "heatmap", "skeletons"}
    if skeleton != "onehand10k":
        wanted |= {"angles.id7", "speeds.id7", "symmetry.id7"}
    assert set(drawn) == wanted
    for made in drawn.values():
        picture = imread(BytesIO(canvas.encoded(made, "png")))
        assert 0.003 < (picture[..., :3].min(axis=-1) < 0.85).mean() < 0.6


def test_the_same_figure_gives_the_same_svg() -> None:
    one, two = (
        canvas.encoded(report.OF_ALL["timeline"](Subject(recording())), "svg") for _ in "ab"
    )
    assert one == two
    assert b"predicted" in one


def test_a_recording_of_nobody_is_drawn_too() -> None:
    rec = recording()
    nobody = Recording(rec.header, rec.frames, rec.times_s, rec.detector_ran, rec.rows[:0])
    drawn = dict(report.figures(Subject(nobody), report.KINDS, []))
    assert set(drawn) == {"paths", "timeline", "heatmap", "skeletons"}
    for made in drawn.values():
        assert canvas.encoded(made, "png")


def test_colours_on_paper_are_dark_enough() -> None:
    for track_id in range(10):
        ink = canvas.id_ink(track_id)
        red, green, blue = (int(ink[i : i + 2], 16) for i in (1, 3, 5))
        assert 0.299 * red + 0.587 * green + 0.114 * blue < 130
