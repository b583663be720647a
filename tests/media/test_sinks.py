"""Video and image outputs: exact times, sound, failures that leave nothing behind."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import clips
import cv2
import numpy as np
import pytest

from posetrack.errors import SinkError, SourceNotFound
from posetrack.media.source import open_source
from posetrack.media.stills import ImageSink
from posetrack.media.video import VideoSink, fit
from posetrack.media.window import WindowSink
from posetrack.skeletons import load_skeleton
from posetrack.types import Frame, Result, Tracks

COCO = load_skeleton("coco")


def nobody(frame: Frame) -> Result:
    return Result(frame, Tracks.empty(COCO), np.zeros((0, 17, 2), np.float32), detector_ran=True)


def copy(clip: Path, out: Path, *, frames: int | None = None, sink_options=None, **options):
    """Run a clip through a source and a sink; the sink."""
    with open_source(clip, **options) as source:
        sink = VideoSink(out, source, **(sink_options or {}))
        sink.open()
        for count, frame in enumerate(source):
            if count == frames:
                break
            sink.write(nobody(frame), frame.image)
        sink.finish()
    return sink


def seconds(stream) -> float:
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    return float(stream.metadata["DURATION"].rpartition(":")[2])  # Matroska, under a minute


def probe(path: Path):
    """(rate, seconds of picture, times of the frames, seconds of sound or None)."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        sounds = container.streams.audio
        sound_s = seconds(sounds[0]) if sounds else None
        length_s = seconds(video)
        rate = video.average_rate
        assert video.codec_context.name == "h264"
        assert video.codec_context.pix_fmt == "yuv420p"
        return rate, length_s, [f.time for f in container.decode(video)], sound_s


def test_the_copy_has_the_rate_duration_and_pictures_of_the_source(tmp_path):
    rate = Fraction(30000, 1001)
    clip = clips.make_clip(tmp_path / "a.mp4", frames=45, fps=rate)
    copy(clip, tmp_path / "out" / "b.mp4")
    out_rate, length_s, times, sound_s = probe(tmp_path / "out" / "b.mp4")
    assert out_rate == rate
    assert length_s == pytest.approx(45 / float(rate), abs=1e-3)
    np.testing.assert_allclose(times, np.arange(45) / float(rate), atol=1e-6)
    assert sound_s is None
    with open_source(tmp_path / "out" / "b.mp4") as source:
        assert [clips.frame_number(f.image) for f in source] == list(range(45))
    assert not list(tmp_path.glob("**/*.part"))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".ts"])
def test_every_container_plays(tmp_path, suffix):
    clip = clips.make_clip(tmp_path / "a.mp4", frames=20)
    copy(clip, tmp_path / f"b{suffix}")
    _, _, times, _ = probe(tmp_path / f"b{suffix}")
    np.testing.assert_allclose(np.diff(times), 0.04, atol=1.1e-3)


def test_variable_frame_rate_stays_variable(tmp_path):
    times = [0.0, 0.04, 0.2, 0.24, 0.9, 1.0]
    clip = clips.make_clip(tmp_path / "a.mp4", frames=6, times_s=times)
    copy(clip, tmp_path / "b.mp4")
    np.testing.assert_allclose(probe(tmp_path / "b.mp4")[2], times, atol=1e-4)


def test_a_part_of_a_clip_starts_at_zero_and_keeps_its_speed(tmp_path):
    clip = clips.make_clip(tmp_path / "a.mp4", frames=100)
    copy(clip, tmp_path / "b.mp4", start_s=1.0, duration_s=2.0, stride=2)
    rate, length_s, times, _ = probe(tmp_path / "b.mp4")
    np.testing.assert_allclose(times, np.arange(25) * 0.08, atol=1e-4)
    assert length_s == pytest.approx(2.0, abs=1e-3)
    assert rate == Fraction(25, 2)


def test_slow_motion_plays_as_its_file_does(tmp_path):
    clip = clips.make_clip(tmp_path / "a.mp4", frames=30, fps=30)
    copy(clip, tmp_path / "b.mp4", capture_fps=240)
    rate, length_s, times, _ = probe(tmp_path / "b.mp4")
    assert rate == 30
    assert length_s == pytest.approx(1.0, abs=1e-3)
    assert times[-1] == pytest.approx(29 / 30, abs=1e-4)


def test_rotated_input_gives_upright_output_without_rotation(tmp_path):
    clip = clips.make_clip(tmp_path / "a.mp4", frames=3, rotation=90)
    copy(clip, tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as container:
        frame = next(container.decode(video=0))
        assert (frame.width, frame.height, frame.rotation) == (240, 320, 0)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (321, 243), (322, 242)])
def test_odd_sizes_are_padded_to_even_ones(tmp_path, size):
    clip = clips.make_clip(tmp_path / "a.mkv", frames=3, size=size, codec="ffv1", pix_fmt="yuv444p")
    copy(clip, tmp_path / "b.mp4")
    with open_source(tmp_path / "b.mp4") as back, open_source(clip) as source:
        assert back.size == (size[0] + size[0] % 2, size[1] + size[1] % 2)
        for before, after in zip(source, back, strict=True):
            inner = after.image[: size[1], : size[0]].astype(int)
            assert np.abs(inner - before.image).mean() < (12 if min(size) > 5 else 40)


def test_colours_survive_decoding_and_encoding(tmp_path):
    colours = [(40, 90, 200), (200, 60, 30), (30, 180, 40), (250, 250, 250), (5, 5, 5)]
    clip = clips.make_clip(
        tmp_path / "a.mp4",
        frames=5,
        size=(96, 64),
        colorspace=1,
        image=lambda i: np.full((64, 96, 3), colours[i], np.uint8),
    )
    copy(clip, tmp_path / "b.mp4")
    with open_source(tmp_path / "b.mp4") as source:
        for frame, colour in zip(source, colours, strict=True):
            np.testing.assert_allclose(frame.image[32, 48], colour, atol=9)


def test_sound_is_kept(tmp_path):
    clip = clips.make_clip(tmp_path / "a.mp4", frames=50, audio_s=2.0)
    sink = copy(clip, tmp_path / "b.mp4")
    _, length_s, _, sound_s = probe(tmp_path / "b.mp4")
    assert sound_s == pytest.approx(length_s, abs=0.06)
    assert sink.warning is None
    with av.open(str(tmp_path / "b.mp4")) as container:
        loud = [float(np.abs(f.to_ndarray()).max()) for f in container.decode(audio=0)]
    assert np.median(loud) > 0.2


def test_sound_is_cut_with_the_picture(tmp_path):
    clip = clips.make_clip(tmp_path / "a.mp4", frames=100, audio_s=4.0)
    copy(clip, tmp_path / "b.mkv", start_s=1.0, duration_s=1.5)
    _, length_s, _, sound_s = probe(tmp_path / "b.mkv")
    assert length_s == pytest.approx(1.5, abs=0.05)
    assert sound_s == pytest.approx(1.5, abs=0.06)


def test_sound_stays_where_it_was(tmp_path):
    """A click at 1.2 s of the source is at 0.2 s of an output that starts at 1.0 s."""
    clip = clips.make_clip(tmp_path / "a.mkv", frames=75, audio_s=3.0)
    copy(clip, tmp_path / "b.mkv", start_s=1.0)
    with av.open(str(clip)) as before, av.open(str(tmp_path / "b.mkv")) as after:
        old = {bytes(p): p.pts * p.time_base for p in before.demux(audio=0) if p.size}
        new = {bytes(p): p.pts * p.time_base for p in after.demux(audio=0) if p.size}
    shifts = [float(old[data] - time) for data, time in new.items() if data in old]
    assert len(shifts) > 80
    np.testing.assert_allclose(shifts, 1.0, atol=0.003)


def test_sound_that_does_not_fit_is_left_out_with_a_word(tmp_path):
    with av.open(str(tmp_path / "a.avi"), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        sound = container.add_stream("pcm_u8", rate=44100)
        sound.layout = "mono"
        for i in range(10):
            frame = av.VideoFrame.from_ndarray(clips.picture(i, (64, 64)), format="bgr24")
            container.mux(video.encode(frame.reformat(format="yuv420p")))
        container.mux(video.encode(None))
        quiet = av.AudioFrame.from_ndarray(np.full((1, 2048), 128, np.uint8), "u8", "mono")
        quiet.sample_rate, quiet.pts = 44100, 0
        container.mux(sound.encode(quiet))
        container.mux(sound.encode(None))
    sink = copy(tmp_path / "a.avi", tmp_path / "b.mp4")
    assert sink.warning is not None
    assert "pcm_u8" in sink.warning
    assert probe(tmp_path / "b.mp4")[3] is None


def test_an_interrupted_run_leaves_a_playable_file(tmp_path):
    clip = clips.make_clip(tmp_path / "a.mp4", frames=100, audio_s=4.0)
    copy(clip, tmp_path / "b.mp4", frames=30)
    _, length_s, times, sound_s = probe(tmp_path / "b.mp4")
    assert len(times) == 30
    assert length_s == pytest.approx(1.2, abs=1e-3)
    assert sound_s == pytest.approx(1.2, abs=0.06)


KILLED = """
import os, sys
from pathlib import Path
import numpy as np
from posetrack.media.source import open_source
from posetrack.media.video import VideoSink
from posetrack.skeletons import load_skeleton
from posetrack.types import Result, Tracks
folder = Path(sys.argv[1])
source = open_source(folder / "a.mp4")
sink = VideoSink(folder / "b.mp4", source)
people = Tracks.empty(load_skeleton("coco"))
sink.open()
for frame in source:
    sink.write(Result(frame, people, np.zeros((0, 17, 2), np.float32), True), frame.image)
os._exit(9)
"""


def test_a_killed_process_leaves_a_playable_part(tmp_path):
    clips.make_clip(tmp_path / "a.mp4", frames=600, size=(64, 48))
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == 9
    _, _, times, _ = probe(tmp_path / "b.mp4.part")
    assert len(times) == 500  # a key frame every 250
    assert times[-1] == pytest.approx(499 / 25, abs=1e-3)


def test_a_failed_run_leaves_nothing(tmp_path):
    clip = clips.make_clip(tmp_path / "a.mp4", frames=20)
    with open_source(clip) as source:
        sink = VideoSink(tmp_path / "b.mp4", source)
        sink.open()
        for frame in source:
            sink.write(nobody(frame), frame.image)
        assert (tmp_path / "b.mp4.part").exists()
        sink.abort()
        sink.abort()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4"]


def test_a_run_without_frames_leaves_nothing(tmp_path):
    with open_source(clips.make_clip(tmp_path / "a.mp4", frames=2)) as source:
        sink = VideoSink(tmp_path / "b.mp4", source)
        sink.open()
        sink.finish()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4"]


def test_an_older_output_stays_until_the_new_one_is_whole(tmp_path):
    clip = clips.make_clip(tmp_path / "a.mp4", frames=5)
    (tmp_path / "b.mp4").write_text("old")
    with open_source(clip) as source:
        sink = VideoSink(tmp_path / "b.mp4", source)
        sink.open()
        sink.write(nobody(next(iter(source))), clips.picture(0))
        assert (tmp_path / "b.mp4").read_text() == "old"
        sink.finish()
    assert probe(tmp_path / "b.mp4")[0] == 25


def test_the_input_is_never_overwritten(tmp_path):
    clip = clips.make_clip(tmp_path / "a.mp4", frames=5)
    (tmp_path / "link.mp4").symlink_to(clip)
    before = clip.read_bytes()
    for name in (clip, tmp_path / "link.mp4", tmp_path / "x" / ".." / "a.mp4"):
        (tmp_path / "x").mkdir(exist_ok=True)
        with (
            open_source(clip) as source,
            pytest.raises(SinkError, match="is the input itself"),
        ):
            VideoSink(name, source).open()
    assert clip.read_bytes() == before
    assert not (tmp_path / "a.mp4.part").exists()


def test_places_that_cannot_be_written_are_refused_in_one_line(tmp_path):
    clip = clips.make_clip(tmp_path / "a.mp4", frames=2)
    (tmp_path / "file").write_text("")
    (tmp_path / "dir.mp4").mkdir()
    with open_source(clip) as source:
        with pytest.raises(
            SinkError, match=r"cannot write .*b\.mp4: .* is a file, not a folder; choose another"
        ):
            VideoSink(tmp_path / "file" / "b.mp4", source).open()
        with pytest.raises(SinkError, match="is a folder: name a file"):
            VideoSink(tmp_path / "dir.mp4", source).open()
        with pytest.raises(SinkError, match=r"no known video suffix: use one of \.mp4"):
            VideoSink(tmp_path / "b.gif", source)


FULL_DISK = """
import resource, sys
sys.path.insert(0, sys.argv[2])
import clips, numpy as np
from pathlib import Path
from posetrack.errors import SinkError
from posetrack.media.source import open_source
from posetrack.media.video import VideoSink
from posetrack.skeletons import load_skeleton
from posetrack.types import Result, Tracks
folder = Path(sys.argv[1])
rng = np.random.default_rng(0)
source = open_source(folder / "a.mp4")
limit = int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sink = VideoSink(folder / "b.mp4", source)
people = Tracks.empty(load_skeleton("coco"))
try:
    sink.open()
    for frame in source:
        image = rng.integers(0, 255, frame.image.shape, dtype=np.uint8)
        sink.write(Result(frame, people, np.zeros((0, 17, 2), np.float32), True), image)
    sink.finish()
except SinkError as error:
    sink.abort()
    print("SinkError", error)
    sys.exit(3)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
@pytest.mark.parametrize("limit", [1, 3000, 100_000, 600_000])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, limit):
    clips.make_clip(tmp_path / "a.mp4", frames=25)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            FULL_DISK,
            str(tmp_path),
            str(Path(__file__).parents[1]),
            str(limit),
        ],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "b.mp4: File too large; free space there" in done.stdout
    assert done.stdout.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4"]


def test_another_size_is_fitted_on_black():
    image = np.full((100, 200, 3), 255, np.uint8)
    fitted = fit(image, (100, 100))
    assert fitted.shape == (100, 100, 3)
    assert (fitted[:24] == 0).all()
    assert (fitted[26:74] == 255).all()
    assert fit(image, (200, 100)) is image


def test_an_image_gives_an_image(tmp_path):
    clips.make_images(tmp_path, frames=1)
    with open_source(tmp_path / "frame_0.png") as source:
        sink = ImageSink(tmp_path / "out.png", source)
        sink.open()
        for frame in source:
            sink.write(nobody(frame), frame.image)
        sink.finish()
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "out.png")), clips.picture(0))
    assert not list(tmp_path.glob("*.part"))


def test_a_folder_of_images_gives_a_folder_with_their_names(tmp_path):
    clips.make_images(tmp_path / "in", frames=3)
    with open_source(tmp_path / "in") as source:
        sink = ImageSink(tmp_path / "out", source)
        sink.open()
        for frame in source:
            sink.write(nobody(frame), frame.image)
        sink.finish()
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == [f"frame_{i}.posetrack.png" for i in range(3)]


def test_an_image_is_never_overwritten(tmp_path):
    clips.make_images(tmp_path, frames=1)
    with (
        open_source(tmp_path / "frame_0.png") as source,
        pytest.raises(SinkError, match="is the input itself"),
    ):
        ImageSink(tmp_path / "frame_0.png", source).open()


def test_frames_of_a_video_can_be_images(tmp_path):
    with open_source(clips.make_clip(tmp_path / "a.mp4", frames=3), stride=2) as source:
        sink = ImageSink(tmp_path / "out", source)
        sink.open()
        for frame in source:
            sink.write(nobody(frame), frame.image)
        sink.finish()
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["000000.jpg", "000002.jpg"]


def test_no_display_is_one_line(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    if sys.platform != "linux":
        pytest.skip("other systems always have a display")
    with pytest.raises(SinkError, match=r"cannot show a window: .*--show"):
        WindowSink().open()


@pytest.mark.skipif(not Path("/dev").is_dir(), reason="needs /dev")
def test_no_camera_is_one_line():
    with pytest.raises(SourceNotFound, match=r"no camera at /dev/video97: "):
        open_source("97")
