"""The code blocks of the pages, and the folder of media that their commands name."""

from __future__ import annotations

import json
import os
import re
import shutil
import tarfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import cv2
from tiny_models import make_models

from posetrack import demo
from posetrack.cli.main import main
from posetrack.synth import truth_json

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:\A|(?<=\n\n))((?:    .*\S.*\n)+)")
SECONDS, SIZE = 0.48, (480, 270)
VIDEOS = (
    *("video", "walk", "sprint", "before", "after", "a", "b"),
    *("cam1", "cam2", "dancer", "dogs"),
)


@dataclass(frozen=True)
class Block:
    """A block of a page; an indented one is of the shell."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def lines(self) -> list[str]:
        """A shell's commands, without its comments, joined and cut where a reader would."""
        # A comment begins after a blank; `model#sha256=...` is none.
        whole = re.sub(r"(^|\s)#\s.*$", "", self.text.replace("\\\n", " "), flags=re.MULTILINE)
        return [part.strip() for part in re.split(r"&&|\n", whole) if part.strip()]


def blocks(path: Path) -> list[Block]:
    """The fenced and indented blocks of a page, from its top to its bottom."""
    text = path.read_text("utf-8")
    name = path.relative_to(ROOT).as_posix()
    found = [(fence.start(), fence[1], fence[2]) for fence in FENCE.finditer(text)]
    # Fences become blanks of the same length, so that places stay.
    outside = FENCE.sub(lambda fence: re.sub(r"[^\n]", " ", fence[0]), text)
    dedented = re.compile("^    ", re.MULTILINE)
    found += [(b.start(), "sh", dedented.sub("", b[1])) for b in INDENTED.finditer(outside)]
    found.sort()
    return [Block(name, text.count("\n", 0, at) + 1, kind, body) for at, kind, body in found]


def furnish(folder: Path) -> None:
    """Everything that the pages take for granted: clips, records, pictures, truths, models."""
    (folder / "configs").symlink_to(ROOT / "configs")
    recipe = ROOT / "configs" / "train" / "rtmpose-t-body17.yaml"
    for name in ("R.yaml", "my-recipe.yaml"):
        shutil.copy(recipe, folder / name)
    demo.make_clip(folder / "video.mp4", seconds=SECONDS, size=SIZE)
    for name in VIDEOS[1:]:
        os.link(folder / "video.mp4", folder / f"{name}.mp4")
    demo.make_clip(folder / "clip.mp4", seconds=12, size=SIZE, fps=1)  # for --start 10
    for name in ("videos", "photos", "scenes"):
        (folder / name).mkdir()
    os.link(folder / "video.mp4", folder / "scenes" / "crossing.mp4")
    for name in ("one", "two"):
        os.link(folder / "video.mp4", folder / "videos" / f"{name}.mp4")
    (folder / "videos.txt").write_text("videos/one.mp4\nvideos/two.mp4\n")
    _annotate(folder)
    _track(folder)
    (folder / "made").mkdir()
    models = make_models(folder / "made")
    models.reid.rename(folder / "my-osnet")
    for made, names in (
        (models.det, ("my-detector", "det")),
        (models.pose, ("my-pose", "my-model")),
    ):
        for name in names:
            shutil.copytree(made, folder / name)


def _annotate(folder: Path) -> None:
    """Pictures of the clip and their truth, as a data set and as the tracks of a video."""
    drawn = list(demo.frames(SECONDS, size=SIZE))
    scene = SimpleNamespace(size=SIZE, fps=25)
    truths = [truth for _, truth in drawn]
    known = truth_json("images", cast(Any, scene), truths, range(len(drawn)))
    (folder / "images").mkdir()
    for index, ((picture, _), image) in enumerate(zip(drawn, known["images"], strict=True)):
        cv2.imwrite(str(folder / image["file_name"]), picture)
        if index < 3:
            cv2.imwrite(str(folder / "photos" / f"{index}.jpg"), picture)
        image["video"] = f"take{index // 4}"
    for name in ("val", "people", "my", "truth", "scenes/crossing"):
        (folder / f"{name}.json").write_text(json.dumps(known))
    with tarfile.open(folder / "people.tar", "w") as tar:
        tar.add(folder / "images", "images")


def _track(folder: Path) -> None:
    """The records of a run, under the names of all clips.

    Persons 1, 2 and 3 are those who are there longest; halfway person 3 becomes 7.
    """
    made = folder / "video.posetrack.jsonl"
    flags = ["--no-video", "--json", str(made), "--threads", "1"]
    assert main(["run", str(folder / "video.mp4"), *flags]) == 0
    lines = [json.loads(line) for line in made.read_text("utf-8").splitlines()]
    people = [each for line in lines[1:] for each in line["people"]]
    often = Counter(person["id"] for person in people).most_common()
    names = {number: place for place, (number, _) in enumerate(often, 1)}
    for person in people:
        person["id"] = names[person["id"]]
    for person in [each for line in lines[7:] for each in line["people"]]:
        person["id"] = {3: 7, 7: 3}.get(person["id"], person["id"])
    made.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    for name in (*VIDEOS[1:], "clip"):
        shutil.copy(made, folder / f"{name}.posetrack.jsonl")
