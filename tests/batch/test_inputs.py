"""Which videos a batch has, and what their outputs are named."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from posetrack.batch.inputs import Video, find_videos, share
from posetrack.errors import ConfigError, SourceError, SourceNotFound

Tree = Callable[..., None]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Makes files in an empty working directory."""
    monkeypatch.chdir(tmp_path)

    def make(*names: str) -> None:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")

    return make


def named(videos: list[Video]) -> dict[str, str]:
    here = Path.cwd()
    return {str(v.path.relative_to(here)): v.name.as_posix() for v in videos}


def test_a_folder_gives_its_videos_in_natural_order_without_earlier_outputs(tree: Tree) -> None:
    tree("in/10.mp4", "in/2.MOV", "in/sub/1.mkv", "in/notes.txt", "in/.hidden.mp4")
    tree("in/2.posetrack.mp4", "in/out/2.mp4")
    found = named(find_videos(["in"], out=Path("in/out")))
    assert found == {"in/2.MOV": "2", "in/10.mp4": "10", "in/sub/1.mkv": "sub/1"}
    assert list(found) == ["in/2.MOV", "in/10.mp4", "in/sub/1.mkv"]


def test_a_pattern_names_outputs_from_its_first_wildcard_on(tree: Tree) -> None:
    tree("in/a/x.mp4", "in/b/x.mp4", "in/b/deep/y.mp4")
    assert named(find_videos(["in/*/x.mp4"])) == {"in/a/x.mp4": "a/x", "in/b/x.mp4": "b/x"}
    assert list(named(find_videos(["in/**/*.mp4"])).values()) == ["a/x", "b/deep/y", "b/x"]


def test_a_list_keeps_its_order_and_holds_what_is_missing_too(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree("in/b/x.mp4", "in/a/x.mp4")
    text = "# first\nin/b/x.mp4\n\n  in/a/x.mp4  \nin/b/x.mp4\nin/a/gone.mp4\n"
    Path("videos.txt").write_text(text, "utf-8-sig")
    wanted = {"in/b/x.mp4": "b/x", "in/a/x.mp4": "a/x", "in/a/gone.mp4": "a/gone"}
    assert named(find_videos(["videos.txt"])) == wanted
    assert list(named(find_videos(["videos.txt"]))) == list(wanted)
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert named(find_videos(["-"])) == wanted


def test_two_folders_are_told_apart_by_their_names(tree: Tree) -> None:
    tree("a/x.mp4", "b/x.mp4")
    assert named(find_videos(["a", "b"])) == {"a/x.mp4": "a/x", "b/x.mp4": "b/x"}


def test_the_same_stem_in_one_folder_keeps_its_suffix(tree: Tree) -> None:
    tree("x.mp4", "x.mov", "x.mp4.avi", "y.mp4")
    names = named(find_videos(["*.*"]))
    assert names == {
        "x.mov": "x.mov",
        "x.mp4": "x.mp4",
        "x.mp4.avi": "x.mp4.avi",
        "y.mp4": "y",
    }


def test_a_root_names_outputs_and_must_hold_every_video(tree: Tree) -> None:
    tree("in/a/x.mp4")
    assert named(find_videos(["in/a/x.mp4"], root=Path())) == {"in/a/x.mp4": "in/a/x"}
    with pytest.raises(ConfigError, match="does not lie below --root"):
        find_videos(["in/a/x.mp4"], root=Path("elsewhere"))


@pytest.mark.parametrize(
    ("words", "error", "text"),
    [
        ([], SourceNotFound, "no video named"),
        (["nothing/*.mp4"], SourceNotFound, "matches nothing"),
        (["gone.txt"], SourceNotFound, "no such list"),
        (["folder"], SourceError, "has no video"),
        (["outer.txt"], ConfigError, "a list within a list"),
        (["rtsp://user:secret@camera/1"], ConfigError, r"user:\*\*\*@camera/1 is live"),
        (["0"], ConfigError, "0 is live"),
    ],
)
def test_what_is_no_batch_is_one_line(
    tree: Tree, words: list[str], error: type[Exception], text: str
) -> None:
    tree("folder/notes.md")
    Path("outer.txt").write_text("inner.txt\n")
    with pytest.raises(error, match=text):
        find_videos(words)


def test_shards_are_even_and_together_everything_once() -> None:
    videos = [Video(Path(f"/{n}.mp4"), Path(str(n))) for n in range(10)]
    shards = [share(videos, f"{i}/4") for i in range(1, 5)]
    assert sorted(map(len, shards)) == [2, 2, 3, 3]
    assert sorted(v.path for shard in shards for v in shard) == sorted(v.path for v in videos)
    assert shards[1] == [videos[1], videos[5], videos[9]]


@pytest.mark.parametrize("shard", ["0/4", "5/4", "1", "a/b", "1/0", "-1/2"])
def test_a_shard_that_is_none_is_refused(shard: str) -> None:
    with pytest.raises(ConfigError, match="give i/n with i from 1 to n"):
        share([], shard)
