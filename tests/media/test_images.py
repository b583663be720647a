"""Images, folders and patterns as sources, and what `open_source` makes of names."""

from __future__ import annotations

import clips
import cv2
import numpy as np
import pytest

from posetrack.errors import SourceError, SourceNotFound
from posetrack.media.orientation import Orientation
from posetrack.media.source import is_address, open_source, redact


def test_an_image_is_one_frame(tmp_path):
    clips.make_images(tmp_path, frames=1)
    with open_source(tmp_path / "frame_0.png") as source:
        frames = list(source)
    assert (source.kind, source.frame_count, source.size) == ("image", 1, (320, 240))
    np.testing.assert_array_equal(frames[0].image, clips.picture(0))
    assert frames[0].source == "frame_0.png"


@pytest.mark.parametrize("pattern", ["", "/*.png", "/frame_*"])
def test_a_folder_and_a_pattern_are_read_in_natural_order(tmp_path, pattern):
    clips.make_images(tmp_path, frames=12)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".hidden.png").write_text("no image")
    with open_source(f"{tmp_path}{pattern}") as source:
        frames = list(source)
    assert source.kind == "images"
    assert [clips.frame_number(f.image) for f in frames] == list(range(12))
    assert [f.source for f in frames][-2:] == ["frame_10.png", "frame_11.png"]
    np.testing.assert_allclose([f.pts_s for f in frames], np.arange(12) / 25)


def test_the_rate_of_images_can_be_given_and_a_part_chosen(tmp_path):
    clips.make_images(tmp_path, frames=12)
    with open_source(tmp_path, capture_fps=10, start_s=0.3, duration_s=0.6, stride=2) as source:
        frames = list(source)
    assert [f.index for f in frames] == [3, 5, 7]
    assert [f.pts_s for f in frames] == pytest.approx([0.3, 0.5, 0.7])
    assert source.fps == 5
    assert source.frame_count == 3


def test_sizes_may_differ_and_depth_and_colours_are_brought_to_bgr(tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), np.full((5, 3), 77, np.uint8))
    cv2.imwrite(str(tmp_path / "2.png"), np.full((4, 6, 3), 65535 // 2, np.uint16))
    cv2.imwrite(str(tmp_path / "3.png"), np.full((1, 1, 4), 9, np.uint8))
    with open_source(tmp_path) as source:
        shapes = [f.image.shape for f in source]
    assert shapes == [(5, 3, 3), (4, 6, 3), (1, 1, 3)]
    assert source.size == (3, 5)


def with_exif(jpeg: bytes, orientation: int) -> bytes:
    """`jpeg` with an EXIF block that holds nothing but an orientation."""
    tiff = b"MM\0*\0\0\0\x08" + b"\0\x01" + b"\x01\x12\0\x03\0\0\0\x01"
    tiff += bytes([0, orientation, 0, 0]) + b"\0\0\0\0"
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_exif_orientation_is_applied(tmp_path, orientation, turns):
    ok, data = cv2.imencode(".jpg", clips.picture(5))
    assert ok
    (tmp_path / "a.jpg").write_bytes(with_exif(data.tobytes(), orientation))
    plain = cv2.imdecode(data, cv2.IMREAD_COLOR)
    with open_source(tmp_path / "a.jpg") as source:
        np.testing.assert_array_equal(next(iter(source)).image, np.rot90(plain, turns))


def test_an_unreadable_image_among_others_is_skipped_and_counted(tmp_path):
    clips.make_images(tmp_path, frames=4)
    (tmp_path / "frame_0.png").write_bytes(b"\x89PNG nonsense")
    (tmp_path / "frame_2.png").write_bytes(b"")
    with open_source(tmp_path) as source:
        frames = list(source)
    assert [f.index for f in frames] == [1, 3]
    assert source.warning == (
        "2 of 4 images could not be read and were skipped: frame_0.png, frame_2.png"
    )


def test_an_unreadable_image_alone_is_an_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG nonsense")
    with pytest.raises(SourceError, match=r"a\.png is not an image that can be read"):
        open_source(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"")
    with pytest.raises(SourceError, match="none of the 2 images"):
        open_source(tmp_path)


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("", SourceNotFound, "no input named"),
        ("missing.mp4", SourceNotFound, "no such file or folder: "),
        ("empty", SourceNotFound, "has no images: expected files such as .jpg or .png"),
        ("*.png", SourceNotFound, "matches nothing"),
        ("*.txt", SourceError, "matches 1 files but no image"),
    ],
)
def test_nothing_there_is_one_line(tmp_path, monkeypatch, name, error, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(error) as caught:
        open_source(name)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_with_brackets_are_files_first(tmp_path):
    clip = clips.make_clip(tmp_path / "take[1].mp4", frames=3)
    with open_source(clip) as source:
        assert len(list(source)) == 3


def test_passwords_in_addresses_are_hidden():
    assert redact("rtsp://bob:s3cr3t@cam:554/x") == "rtsp://bob:***@cam:554/x"
    assert redact("rtsp://cam/x") == "rtsp://cam/x"
    assert is_address("rtsp://cam/x")
    assert not is_address("file:///a.mp4")
    assert not is_address("C:/a.mp4")


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("flip_x", [False, True])
@pytest.mark.parametrize("flip_y", [False, True])
def test_all_eight_orientations(transpose, flip_x, flip_y):
    image = np.random.default_rng(0).integers(0, 255, (4, 6, 3), dtype=np.uint8)
    want = image.transpose(1, 0, 2) if transpose else image
    want = want[:, ::-1] if flip_x else want
    want = want[::-1] if flip_y else want
    orientation = Orientation(transpose, flip_x, flip_y)
    turned = orientation.apply(image)
    np.testing.assert_array_equal(turned, want)
    assert orientation.size((6, 4)) == (turned.shape[1], turned.shape[0])
