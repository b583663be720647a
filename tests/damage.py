"""Every file that posetrack reads, damaged, and given to what reads it.

A case is drawn from a seed. What it may do is to be taken, or to be refused in one line; anything
else is an exception that nobody expected, and a finding.
"""

from __future__ import annotations

import contextlib
import io
import random
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import malformed
import numpy as np
import yaml
from revision.paths import line, recording, walker
from tiny_models import make_models

from posetrack.cards import load_card
from posetrack.cli.main import main
from posetrack.cli.revised import visible_score
from posetrack.detector import Detector
from posetrack.errors import PosetrackError
from posetrack.estimator import Estimator
from posetrack.opening import open_model
from posetrack.records import Recording
from posetrack.serve.settings import load_serve_config
from posetrack.skeletons import _builtin, load_skeleton
from posetrack.view.app import people_in, told
from posetrack.view.curves import curve, known_curves
from posetrack.view.opening import open_view, source_beside

FORMATS = ("csv", "csv-wide", "coco", "coco-video", "posetrack", "openpose", "trc", "mot")
FORMATS += ("opensim-mot", "bvh", "mmpose", "npz", "cvat", "dlc")
FIGURES = ("paths", "timeline", "heatmap", "skeletons")
LONGEST = 3000
"""Of a refusal: it may name a file or a value, not repeat a document."""


class Readers:
    """Good files in a folder, and every way to read them damaged.

    Args:
        folder: to write into.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        walkers = [walker(i, line(40 * i, 150, 6), np.arange(6)) for i in (1, 2)]
        self._good = folder / "good.jsonl"
        recording(walkers, 6).write(self._good)
        self._lines = self._good.read_text("utf-8").splitlines()
        (folder / "models").mkdir()
        self._models = make_models(folder / "models")
        self._bad = folder / "bad.jsonl"
        self.kinds: dict[str, Callable[[random.Random], None]] = {
            "convert": self._convert,
            "compare": self._compare,
            "plot": self._plot,
            "view": self._view,
            "tracks": self._tracks,
            "card": self._card,
            "model": self._model,
            "skeleton": self._skeleton,
            "settings": self._settings,
        }

    def try_one(self, kind: str, seed: int) -> bool:
        """Whether case `seed` of a kind was taken; raises what nobody expected."""
        rng = random.Random(f"{kind}:{seed}")
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            with contextlib.redirect_stdout(io.StringIO()):
                try:
                    self.kinds[kind](rng)
                except PosetrackError as refusal:
                    said = str(refusal)
                    assert 0 < len(said) < LONGEST, "a refusal is one line"
                    return False
        return True

    def _records(self, rng: random.Random) -> Path:
        self._bad.write_bytes(malformed.bad_lines(rng, self._lines))
        return self._bad

    def _cli(self, *arguments: str | Path) -> None:
        out = self._folder / "out"
        try:
            main([*map(str, arguments), "--debug"])
        finally:
            shutil.rmtree(out, ignore_errors=True)

    def _convert(self, rng: random.Random) -> None:
        out = self._folder / "out"
        self._cli("convert", self._records(rng), "-t", rng.choice(FORMATS), "-o", out)

    def _compare(self, rng: random.Random) -> None:
        self._cli("compare", self._good, self._records(rng))

    def _plot(self, rng: random.Random) -> None:
        only = ("--only", rng.choice(FIGURES), "--format", "svg")
        self._cli("plot", self._records(rng), "-o", self._folder / "out", *only)

    def _tracks(self, rng: random.Random) -> None:
        what = rng.choice((("show",), ("relink",), ("smooth",)))
        self._cli("tracks", *what, self._records(rng))

    def _view(self, rng: random.Random) -> None:
        found = Recording.read(self._records(rng))
        header = found.header
        source_beside(self._bad, header)
        opened = open_view(found, None, self._folder / "edited.jsonl", visible_score(header))
        told(opened.corrections)
        people_in(found, 0, 500)
        ids, names = found.ids(), known_curves(header.skeleton)
        if ids and names:
            every = [name for group in names.values() for name in group]
            curve(found, rng.choice(ids), rng.choice(every), opened.visible).to_json()

    def _card(self, rng: random.Random) -> None:
        good = (rng.choice((self._models.det, self._models.pose)) / "card.yaml").read_text("utf-8")
        card = load_card(self._damaged_yaml(rng, good, "card.yaml"))
        if card.task == "pose":
            assert len(card.keypoints)
            card.decoder()

    def _model(self, rng: random.Random) -> None:
        task = rng.choice(("detection", "pose"))
        good = self._models.det if task == "detection" else self._models.pose
        folder = self._folder / "model"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(good, folder)
        if rng.random() < 0.7:
            data = (good / "model.onnx").read_bytes()
            (folder / "model.onnx").write_bytes(malformed.damaged(rng, data))
        else:  # a card that says something else than the network
            card = yaml.safe_load((good / "card.yaml").read_text("utf-8"))
            card = malformed.odd(rng, card)
            (folder / "card.yaml").write_text(yaml.safe_dump(card))
        model, backend = open_model(folder, task, threads=1)
        image = np.zeros((120, 160, 3), np.uint8)
        try:
            if task == "detection":
                Detector(model, backend)(image)
            else:
                Estimator(model, backend)(image, [[10, 10, 60, 100]])
        finally:
            backend.close()

    def _skeleton(self, rng: random.Random) -> None:
        good = yaml.safe_dump(_builtin()["coco"])
        load_skeleton.cache_clear()
        skeleton = load_skeleton(str(self._damaged_yaml(rng, good, "own.yaml")))
        assert len(skeleton.flip_order) == len(skeleton)
        assert len(skeleton.sides) == len(skeleton)

    def _settings(self, rng: random.Random) -> None:
        stream = {"id": "door", "url": "rtsp://u:p@camera/1", "detector": {"interval": 3}}
        stream |= {"tracker": {"preset": "default", "max_missing_s": 2.0}}
        sinks = [{"kind": "jsonl", "folder": "out"}, {"kind": "webhook", "url": "http://a/b"}]
        good = {"listen": {"port": 0}, "limits": {"clients": 4}, "streams": [stream]}
        good["sinks"] = sinks if rng.random() < 0.5 else []
        load_serve_config(self._damaged_yaml(rng, yaml.safe_dump(good), "serve.yaml"))

    def _damaged_yaml(self, rng: random.Random, good: str, name: str) -> Path:
        file = self._folder / name
        if rng.random() < 0.5:
            file.write_bytes(malformed.damaged(rng, good.encode()))
        else:
            change = malformed.odd if rng.random() < 0.3 else malformed.twisted
            data = change(rng, yaml.safe_load(good))
            file.write_text(yaml.safe_dump(data), "utf-8", "surrogatepass")
        return file
