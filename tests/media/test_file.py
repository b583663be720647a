"""Video files: what comes out of good, odd and broken ones."""

from __future__ import annotations

import weakref
from fractions import Fraction
from pathlib import Path

import clips
import numpy as np
import pytest

from posetrack.errors import ConfigError, SourceError, SourceNotFound
from posetrack.media.source import open_source


def read(path: Path, **options):
    with open_source(path, **options) as source:
        return source, list(source)


def test_a_video_gives_its_frames_in_order_with_exact_times(tmp_path):
    rate = Fraction(30000, 1001)
    source, frames = read(clips.make_clip(tmp_path / "a.mp4", frames=40, fps=rate))
    assert source.fps == rate
    assert (source.size, source.frame_count, source.kind) == ((320, 240), 40, "video")
    assert [f.index for f in frames] == list(range(40))
    assert [clips.frame_number(f.image) for f in frames] == list(range(40))
    np.testing.assert_allclose([f.pts_s for f in frames], np.arange(40) / float(rate), atol=1e-6)
    assert source.warning is None
    assert source.duration_s == pytest.approx(40 / float(rate), abs=1e-3)
    assert not source.has_audio
    assert not source.is_live


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi", ".mov"])
def test_every_container_gives_every_frame(tmp_path, suffix):
    _, frames = read(clips.make_clip(tmp_path / f"a{suffix}", frames=30))
    assert [clips.frame_number(f.image) for f in frames] == list(range(30))
    np.testing.assert_allclose([f.pts_s for f in frames], np.arange(30) / 25, atol=2e-3)


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_rotation_metadata_is_applied(tmp_path, rotation, turns):
    _, plain = read(clips.make_clip(tmp_path / "a.mp4", frames=2, size=(320, 192)))
    source, turned = read(
        clips.make_clip(tmp_path / "b.mp4", frames=2, size=(320, 192), rotation=rotation)
    )
    want = np.rot90(plain[1].image, turns)
    assert source.size == (want.shape[1], want.shape[0])
    np.testing.assert_array_equal(turned[1].image, want)
    assert turned[1].image.flags.c_contiguous


def test_variable_frame_rate_keeps_its_times(tmp_path):
    times = [0.0, 0.04, 0.2, 0.24, 0.9, 1.0]
    for suffix in (".mp4", ".mkv"):
        _, frames = read(clips.make_clip(tmp_path / f"v{suffix}", frames=6, times_s=times))
        np.testing.assert_allclose([f.pts_s for f in frames], times, atol=1.1e-3)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (2, 2), (17, 31), (322, 242)])
def test_odd_sizes_are_read_exactly(tmp_path, size):
    flat = np.full((size[1], size[0], 3), (40, 90, 200), np.uint8)
    clip = clips.make_clip(
        tmp_path / "a.mkv",
        frames=3,
        size=size,
        codec="ffv1",
        pix_fmt="yuv444p",
        image=lambda i: flat,
    )
    source, frames = read(clip)
    assert source.size == size
    assert len(frames) == 3
    np.testing.assert_allclose(frames[2].image, flat, atol=3)


COLOURS = [(40, 90, 200), (200, 60, 30), (30, 180, 40), (250, 250, 250), (5, 5, 5)]


@pytest.mark.parametrize(
    ("pix_fmt", "colorspace", "full"),
    [
        ("yuv420p", 5, False),
        ("yuv420p", 1, False),
        ("yuvj420p", 5, True),
        ("yuvj420p", 1, True),
        ("yuv422p", 1, False),
        ("yuv444p", 5, False),
        ("yuv420p10le", 1, False),
        ("yuv420p10le", 5, False),
    ],
)
def test_colours_follow_the_matrix_and_range_of_the_file(tmp_path, pix_fmt, colorspace, full):
    def image(i):
        return np.full((64, 96, 3), COLOURS[i], np.uint8)

    clip = clips.make_clip(
        tmp_path / "a.mp4",
        frames=len(COLOURS),
        size=(96, 64),
        pix_fmt=pix_fmt,
        colorspace=colorspace,
        full_range=full,
        image=image,
        gop=1,
    )
    _, frames = read(clip)
    for index, frame in enumerate(frames):
        np.testing.assert_allclose(frame.image[32, 48], COLOURS[index], atol=6)


def test_grey_video_comes_out_grey(tmp_path):
    def image(i):
        return np.full((64, 96, 3), 60 + 60 * i, np.uint8)

    clip = clips.make_clip(
        tmp_path / "a.mkv", frames=3, size=(96, 64), codec="ffv1", pix_fmt="gray", image=image
    )
    _, frames = read(clip)
    for index, frame in enumerate(frames):
        np.testing.assert_allclose(frame.image, 60 + 60 * index, atol=12)


def test_alpha_is_dropped(tmp_path):
    clip = clips.make_clip(
        tmp_path / "a.mkv", frames=2, size=(96, 64), codec="ffv1", pix_fmt="yuva420p"
    )
    _, frames = read(clip)
    assert frames[0].image.shape == (64, 96, 3)


def test_frames_own_their_pixels(tmp_path):
    with open_source(clips.make_clip(tmp_path / "a.mp4", frames=10)) as source:
        frames = list(source)
    frames[3].image[:] = 0
    assert clips.frame_number(frames[4].image) == 4
    assert clips.frame_number(frames[9].image) == 9


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi"])
@pytest.mark.parametrize("start", [0.4, 1.0, 1.99])
def test_start_and_duration_choose_frames_with_their_true_index(tmp_path, suffix, start):
    clip = clips.make_clip(tmp_path / f"a{suffix}", frames=100, gop=10)
    source, frames = read(clip, start_s=start, duration_s=0.4)
    first = int(np.ceil(start * 25 - 1e-6))
    assert [f.index for f in frames] == list(range(first, first + 10))
    assert [clips.frame_number(f.image) for f in frames] == list(range(first, first + 10))
    assert frames[0].pts_s == pytest.approx(first / 25, abs=2e-3)
    assert source.frame_count == 10
    assert source.warning is None


def test_start_before_a_late_key_frame_loses_nothing(tmp_path):
    clip = clips.make_clip(tmp_path / "a.ts", frames=90, gop=60)
    _, frames = read(clip, start_s=2.2)
    assert [clips.frame_number(f.image) for f in frames] == list(range(55, 90))


def test_stride_takes_every_nth_frame(tmp_path):
    source, frames = read(clips.make_clip(tmp_path / "a.mp4", frames=31, fps=30), stride=4)
    assert [f.index for f in frames] == list(range(0, 31, 4))
    assert source.fps == Fraction(30, 4)
    assert source.frame_count == 8
    assert frames[1].pts_s == pytest.approx(4 / 30, abs=1e-4)


def test_slow_motion_runs_in_the_time_of_the_camera(tmp_path):
    source, frames = read(clips.make_clip(tmp_path / "a.mp4", frames=31, fps=30), capture_fps=240)
    assert source.fps == 240
    assert source.time_scale == pytest.approx(1 / 8)
    assert frames[30].pts_s == pytest.approx(30 / 240, abs=1e-4)
    assert source.duration_s == pytest.approx(31 / 240, abs=1e-3)


def test_flip_mirrors_after_rotation(tmp_path):
    _, plain = read(clips.make_clip(tmp_path / "a.mp4", frames=1, rotation=90))
    _, flipped = read(tmp_path / "a.mp4", flip=True)
    np.testing.assert_array_equal(flipped[0].image, plain[0].image[:, ::-1])


@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".avi"])
def test_a_cut_file_gives_the_frames_before_the_cut(tmp_path, suffix):
    clip = clips.make_clip(tmp_path / f"a{suffix}", frames=100)
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) * 6 // 10])
    source, frames = read(clip)
    assert 30 < len(frames) < 75
    assert clips.frame_number(frames[20].image) == 20
    if suffix != ".ts":  # a transport stream does not tell how long it was meant to be
        assert source.warning is not None
        assert source.warning.startswith(f"a{suffix} breaks off at ")
        assert "of 4.00 s" in source.warning


def test_an_mp4_whose_index_is_whole_gives_the_frames_before_the_cut(tmp_path):
    import av

    clip = clips.make_clip(tmp_path / "a.mp4", frames=100)
    with (
        av.open(str(clip)) as whole,
        av.open(str(tmp_path / "b.mp4"), "w", options={"movflags": "faststart"}) as out,
    ):
        stream = out.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    data = (tmp_path / "b.mp4").read_bytes()
    (tmp_path / "b.mp4").write_bytes(data[: len(data) * 6 // 10])
    source, frames = read(tmp_path / "b.mp4")
    assert 30 < len(frames) < 75
    assert source.warning is not None
    assert "b.mp4 breaks off at " in source.warning


def test_damage_in_the_middle_is_survived(tmp_path):
    clip = clips.make_clip(tmp_path / "a.mkv", frames=60, gop=5)
    data = bytearray(clip.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = np.random.default_rng(0).bytes(400)
    clip.write_bytes(bytes(data))
    _, frames = read(clip)
    assert len(frames) > 40
    assert clips.frame_number(frames[-1].image) == 59


def broken(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "x.mp4"
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("this is no film\n" * 50)
    elif kind == "noise":
        path.write_bytes(np.random.default_rng(1).bytes(5000))
    elif kind == "audio":
        clips.make_sound(tmp_path / "x.m4a").rename(path)
    elif kind == "no index":
        clips.make_clip(path, frames=50)
        path.write_bytes(path.read_bytes()[:4000])
    elif kind == "no frames":
        whole = clips.make_clip(tmp_path / "y.avi", frames=20).read_bytes()
        path.write_bytes(whole[: whole.index(b"movi") + 4])
    return path


@pytest.mark.parametrize(
    ("kind", "error", "text"),
    [
        ("missing", SourceNotFound, "no such file or folder"),
        ("empty", SourceError, "is empty (0 bytes)"),
        ("text", SourceError, "is not a video that can be read"),
        ("noise", SourceError, "is not a video that can be read"),
        ("audio", SourceError, "has sound only"),
        ("no index", SourceError, "cut off before its index was written"),
        ("no frames", SourceError, "without frames|is not a video that can be read"),
    ],
)
def test_what_is_no_video_is_refused_in_one_line(tmp_path, kind, error, text):
    path = broken(tmp_path, kind)
    with pytest.raises(error) as caught:
        open_source(path)
    message = str(caught.value)
    assert any(part in message for part in text.split("|")), message
    assert "\n" not in message
    assert str(path) in message


def test_a_start_behind_the_end_is_refused(tmp_path):
    clip = clips.make_clip(tmp_path / "a.mp4", frames=25)
    with pytest.raises(SourceError, match=r"no frame at or after start 5 s of 1\.000 s"):
        open_source(clip, start_s=5)


@pytest.mark.parametrize(
    "options", [{"start_s": -1}, {"duration_s": 0}, {"stride": 0}, {"capture_fps": 0}]
)
def test_numbers_that_make_no_sense_are_refused(tmp_path, options):
    with pytest.raises(ConfigError, match="must be"):
        open_source(tmp_path / "a.mp4", **options)


def test_sound_is_noticed(tmp_path):
    source, frames = read(clips.make_clip(tmp_path / "a.mp4", frames=25, audio_s=1.0))
    assert source.has_audio
    assert len(frames) == 25


@pytest.mark.shared
def test_reference_clips_are_read_whole(shared_dir):
    for path in sorted(shared_dir.glob("data/video/jhmdb/*.avi"))[:3]:
        source, frames = read(path)
        assert 0.8 * source.frame_count < len(frames) <= source.frame_count  # avi counts repeats
        assert source.warning is None


@pytest.mark.usefixtures("no_search_for_cycles")
def test_a_file_closed_early_frees_its_decoder_at_once(tmp_path):
    source = open_source(clips.make_clip(tmp_path / "a.mp4"))
    next(iter(source))
    held = weakref.ref(source)
    source.close()
    del source
    assert held() is None
