"""Scenes that trackers lose people in, drawn with the exact truth: for tests and benchmarks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from posetrack import motions
from posetrack.errors import ConfigError
from posetrack.figures import Outfit
from posetrack.skeletons import load_skeleton
from posetrack.stage import Figure, Picture, Thing, Truth, finished, populate, room, write_clip

SIZE = (960, 540)
HIDDEN = 0.1
"""Of whom less shows, nobody need be found: such a person is no part of the truth to be judged."""

_SKIN = ((150, 175, 215), (95, 120, 165), (165, 190, 225), (60, 85, 125), (120, 150, 200))
_HAIR = ((35, 45, 60), (20, 22, 28), (58, 92, 145), (90, 150, 205), (110, 115, 120))
_TOPS = (
    *((62, 70, 168), (112, 138, 72), (150, 104, 58), (60, 160, 190), (205, 205, 210)),
    *((50, 50, 55), (120, 60, 130), (90, 170, 110), (170, 140, 60), (80, 110, 200)),
)
_TROUSERS = ((104, 74, 52), (62, 60, 64), (88, 106, 116), (130, 120, 105), (45, 45, 48))
_SHOES = ((40, 40, 45), (196, 198, 200), (32, 36, 60))

Cast = Callable[[float], list[Figure]]


@dataclass(frozen=True)
class Scene:
    """What happens.

    Attributes:
        cast: who is where at a time in seconds, in the world's px.
        seconds: how long it lasts.
        fps: pictures a second.
        size: of the pictures, (width, height).
        floor_y: where the wall ends.
        things: what hides people.
        camera: the world's x at the picture's left border, at a time.
        width: of the world in px.
        kept: the share of the pictures that are not lost on the way.
    """

    cast: Cast
    seconds: float = 8.0
    fps: float = 25.0
    size: tuple[int, int] = SIZE
    floor_y: int = 330
    things: Sequence[Thing] = ()
    camera: Callable[[float], float] = field(default=lambda t: 0.0)  # noqa: ARG005
    width: int = 0
    kept: float = 1.0


def _height(y: float) -> float:
    """How tall somebody is whose feet are at row `y`: who stands lower is nearer."""
    return 120 + 0.75 * (y - 330)


def _walker(
    number: int,
    outfit: Outfit,
    x: float,
    y: float,
    *,
    speed: float,
    t: float,
    pace: float = 1.0,
    run: bool = False,
) -> Figure:
    """Somebody who goes sideways at `speed` px/s; the steps fit the speed."""
    height = _height(y)
    stride = (0.95 if run else 0.72) * height  # two steps take one turn of the phase
    phase = 2 * math.pi * (abs(speed) * t * pace / stride) + number
    joints = motions.running(phase) if run else motions.walking(phase)
    yaw = 1.15 * math.tanh(speed / 25)
    return Figure(number, joints, outfit, x, y, height, yaw)


def _outfits(rng: np.random.Generator, count: int) -> list[Outfit]:
    """Clothes that differ where there are enough colours."""
    tops = [_TOPS[i % len(_TOPS)] for i in rng.permutation(max(count, len(_TOPS)))]

    def any_of(colours: Sequence[tuple[int, int, int]]) -> tuple[int, int, int]:
        return colours[int(rng.integers(len(colours)))]

    return [
        Outfit(
            any_of(_SKIN),
            any_of(_HAIR),
            top,
            any_of(_TROUSERS),
            any_of(_SHOES),
            long_sleeves=bool(rng.random() < 0.6),
            stripes=bool(rng.random() < 0.25),
            long_hair=bool(rng.random() < 0.4),
            build=float(rng.uniform(0.92, 1.08)),
        )
        for top in tops[:count]
    ]


def crossing(rng: np.random.Generator, *, fps: float = 25.0, kept: float = 1.0) -> Scene:
    """Two pairs walk through each other, one near and one far."""
    dress = _outfits(rng, 4)
    rows, speeds = (380.0, 396.0, 470.0, 500.0), (95.0, -80.0, 120.0, -130.0)

    def cast(t: float) -> list[Figure]:
        return [
            _walker(i + 1, dress[i], 480 + v * (t - 4), rows[i], speed=v, t=t)
            for i, v in enumerate(speeds)
        ]

    return Scene(cast, fps=fps, kept=kept)


def hugging(rng: np.random.Generator) -> Scene:
    """Two meet, hold each other for two seconds and part the way they came; a third stands by."""
    dress = _outfits(rng, 3)
    meet, part, apart = 3.0, 5.0, 0.21

    def cast(t: float) -> list[Figure]:
        people = []
        for number, side in ((1, -1.0), (2, 1.0)):
            y = 470.0 + 4 * number
            away = max(meet - t, t - part, 0.0) * 95
            x = 480 + side * (away + apart * _height(y) / 2)
            if away:
                speed = -95 * side if t < meet else 95 * side
                people.append(_walker(number, dress[number - 1], x, y, speed=speed, t=t))
            else:
                joints = motions.hugging(2 * t)
                facing = -1.25 * side
                people.append(Figure(number, joints, dress[number - 1], x, y, _height(y), facing))
        watcher = Figure(3, motions.waving(2 * t), dress[2], 790, 430, _height(430), -0.4)
        return [*people, watcher]

    return Scene(cast)


def occlusion(rng: np.random.Generator) -> Scene:
    """Three people walk behind two pillars, one of them slowly."""
    dress = _outfits(rng, 3)
    rows, speeds = (400.0, 420.0, 440.0), (105.0, -95.0, 60.0)

    def cast(t: float) -> list[Figure]:
        return [
            _walker(i + 1, dress[i], 480 + v * (t - 4), rows[i], speed=v, t=t)
            for i, v in enumerate(speeds)
        ]

    pillars = (Thing(330, 480, 84, 330), Thing(650, 485, 96, 340, (96, 100, 104)))
    return Scene(cast, things=pillars)


def leaving(rng: np.random.Generator) -> Scene:
    """One leaves to the right and is back after two seconds, another to the left; one stays."""
    dress = _outfits(rng, 3)

    def cast(t: float) -> list[Figure]:
        people = []
        for number, start, direction, y in ((1, 620.0, 1.0, 450.0), (2, 300.0, -1.0, 410.0)):
            speed, back = 170.0, 4.5 + 0.4 * number
            ahead = t < back
            way = speed * (t if ahead else 2 * back - t)
            velocity = direction * (speed if ahead else -speed)
            x = start + direction * way
            if -120 < x < SIZE[0] + 120:
                people.append(_walker(number, dress[number - 1], x, y, speed=velocity, t=t))
        stays = Figure(3, motions.exercising(2.2 * t), dress[2], 470, 490, _height(490), 0.2)
        return [*people, stays]

    return Scene(cast, seconds=9.0)


def crowd(rng: np.random.Generator, *, people: int = 30) -> Scene:
    """Thirty people walk to and fro at many depths."""
    dress = _outfits(rng, people)
    rows = np.sort(rng.uniform(400, 700, people))
    starts, speeds = rng.uniform(0, 1280, people), rng.uniform(40, 120, people)
    speeds *= rng.choice([-1.0, 1.0], people)

    def cast(t: float) -> list[Figure]:
        # Who has left on one side comes in on the other, as somebody new.
        folk = []
        for i in range(people):
            turns, x = divmod(starts[i] + speeds[i] * t + 100, 1480)
            number = 1 + i + people * int(abs(turns))
            folk.append(_walker(number, dress[i], x - 100, rows[i], speed=speeds[i], t=t))
        return folk

    return Scene(cast, seconds=6.0, size=(1280, 720))


def sport(rng: np.random.Generator) -> Scene:
    """Four people sprint, stop and turn."""
    dress = _outfits(rng, 4)
    rows = (390.0, 425.0, 460.0, 505.0)
    rates, phases = rng.uniform(0.16, 0.3, 4), rng.uniform(0, 2 * math.pi, 4)

    def cast(t: float) -> list[Figure]:
        people = []
        for i, y in enumerate(rows):
            turn = 2 * math.pi * rates[i] * t + phases[i]
            speed = 330 * 2 * math.pi * rates[i] * math.cos(turn)
            x = 480 + 330 * math.sin(turn)
            travelled = 330 * abs(math.sin(turn))  # steps follow the way, not the clock
            walker = _walker(i + 1, dress[i], x, y, speed=speed, t=0.0, run=True)
            phase = 2 * math.pi * travelled / (0.95 * walker.height) + i
            joints = motions.running(phase)
            people.append(Figure(i + 1, joints, dress[i], x, y, walker.height, walker.yaw))
        return people

    return Scene(cast)


def pan(rng: np.random.Generator) -> Scene:
    """The camera swings to and fro over people who walk."""
    dress = _outfits(rng, 4)
    rows, speeds = (385.0, 420.0, 455.0, 500.0), (60.0, -70.0, 45.0, -55.0)

    def cast(t: float) -> list[Figure]:
        return [
            _walker(i + 1, dress[i], 800 + v * (t - 4) + 40 * i - 60, rows[i], speed=v, t=t)
            for i, v in enumerate(speeds)
        ]

    return Scene(cast, camera=lambda t: 320 - 300 * math.cos(1.6 * t), width=1600)


def low_rate(rng: np.random.Generator) -> Scene:
    """The crossing at five pictures a second."""
    return crossing(rng, fps=5.0)


def drops(rng: np.random.Generator) -> Scene:
    """The crossing with four of ten pictures lost, at random."""
    return crossing(rng, kept=0.6)


SCENES: dict[str, Callable[[np.random.Generator], Scene]] = {
    "crossing": crossing,
    "hugging": hugging,
    "occlusion": occlusion,
    "leaving": leaving,
    "crowd": crowd,
    "sport": sport,
    "pan": pan,
    "low-rate": low_rate,
    "drops": drops,
}


def make_scene(name: str, seed: int = 0) -> Scene:
    """A scene of `SCENES`; another seed has other clothes, builds and, in a crowd, other ways.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in SCENES:
        raise ConfigError(f"no scene {name!r}: there are {', '.join(SCENES)}")
    return SCENES[name](np.random.default_rng((seed, *name.encode())))


def times(scene: Scene, seed: int = 0) -> list[int]:
    """Which pictures of the scene there are, counted at its rate."""
    everyone = np.arange(round(scene.seconds * scene.fps))
    kept = np.random.default_rng(seed).random(len(everyone)) < scene.kept
    kept[0] = True
    return [int(i) for i in everyone[kept]]


def pictures(scene: Scene, seed: int = 0) -> Iterator[Picture]:
    """The pictures and the truth about each; the same at every call."""
    noise = np.random.default_rng(seed)
    width, height = scene.size
    world = room((max(scene.width, width), height), scene.floor_y, noise)
    grain = noise.normal(0, 3.0, (8, height, width, 1)).astype(np.float32)
    for tick in times(scene, seed):
        t = tick / scene.fps
        left = round(scene.camera(t))
        view = world[:, left : left + width].copy()
        cast = [_seen_from(one, left) for one in scene.cast(t)]
        things = [Thing(o.x - left, o.y, o.width, o.height, o.colour) for o in scene.things]
        truth = populate(view, cast, floor_y=scene.floor_y, things=things)
        yield finished(view, grain[tick % len(grain)]), truth


def write_scene(name: str, folder: Path, *, seed: int = 0) -> tuple[Path, Path, Path]:
    """NAME.mp4 in `folder`, its truth as COCO-style video JSON, and as MOTChallenge text.

    Raises:
        ConfigError: there is no such scene. SinkError: a file cannot be written.
    """
    from posetrack.datasets.coco import write_bytes, write_json

    scene = make_scene(name, seed)
    ticks = times(scene, seed)
    clip, points, boxes = (folder / f"{name}{suffix}" for suffix in (".mp4", ".json", ".txt"))
    truths = write_clip(clip, pictures(scene, seed), size=scene.size, fps=scene.fps, ticks=ticks)
    write_json(points, truth_json(name, scene, truths, ticks), force=True)
    write_bytes(boxes, truth_mot(truths).encode(), force=True)
    return clip, points, boxes


def truth_json(
    name: str, scene: Scene, truths: Sequence[Truth], ticks: Sequence[int]
) -> dict[str, Any]:
    """COCO with ``track_id``; people of whom hardly anything shows are marked ``ignore``."""
    skeleton = load_skeleton("coco")
    width, height = scene.size
    images = [
        {"id": i + 1, "frame_id": i, "video_id": 1, "width": width, "height": height}
        | {"file_name": f"{name}/{i:06d}.jpg", "pts_s": round(tick / scene.fps, 6)}
        for i, tick in enumerate(ticks)
    ]
    rows: list[dict[str, Any]] = []
    for image, truth in zip(images, truths, strict=True):
        for row in _rows(truth):
            rows.append({"id": len(rows) + 1, "image_id": image["id"], "category_id": 1} | row)
    category = {"id": 1, "name": "person", "keypoints": list(skeleton.keypoints)}
    category |= {"skeleton": [[a + 1, b + 1] for a, b in skeleton.limbs]}
    video = {"id": 1, "name": name, "width": width, "height": height, "fps": scene.fps}
    return {"videos": [video], "images": images, "annotations": rows, "categories": [category]}


def truth_mot(truths: Sequence[Truth]) -> str:
    """``frame,id,x,y,w,h,flag,1,visibility``, the flag 0 where hardly anything shows."""
    lines = []
    for frame, truth in enumerate(truths, 1):
        for row in _rows(truth):
            flag = int(not row.get("ignore", 0))
            box = ",".join(f"{v:.2f}" for v in row["bbox"])
            lines.append(f"{frame},{row['track_id']},{box},{flag},1,{row['visibility']:.3f}\n")
    return "".join(lines)


def _rows(truth: Truth) -> Iterator[dict[str, Any]]:
    for i, number in enumerate(truth.ids.tolist()):
        x0, y0, x1, y1 = truth.boxes[i].tolist()
        if min(x1 - x0, y1 - y0) < 2:
            continue  # outside
        points = np.concatenate([truth.keypoints[i], truth.visible[i][:, None]], axis=1)
        points[truth.visible[i] == 0] = 0
        shown = float(truth.shown[i])
        yield {
            "track_id": number,
            "bbox": [round(v, 2) for v in (x0, y0, x1 - x0, y1 - y0)],
            "area": round(0.53 * (x1 - x0) * (y1 - y0), 1),
            "keypoints": np.round(points, 2).ravel().tolist(),
            "num_keypoints": int((truth.visible[i] > 0).sum()),
            "iscrowd": 0,
            "visibility": round(shown, 3),
        } | ({"ignore": 1} if shown < HIDDEN else {})


def _seen_from(one: Figure, left: float) -> Figure:
    return Figure(one.track_id, one.joints, one.outfit, one.x - left, one.y, one.height, one.yaw)
