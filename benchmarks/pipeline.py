"""Speed of the whole command against rtmlib's and MMDeploy's trackers, on the same clips.

    python3 -m venv peers && peers/bin/pip install rtmlib==0.0.16
    python3.11 -m venv cpp
    cpp/bin/pip install mmdeploy-runtime==1.3.1 opencv-python-headless "numpy<2"
    python benchmarks/pipeline.py --data PATH --rtmlib-python peers/bin/python \
        --mmdeploy-python cpp/bin/python --det-onnx DET.onnx --pose-onnx POSE.onnx

``posetrack run`` (decode, detect, poses, identities, smoothing, drawing, H.264 and records) and
the other side (`rtmlib_loop.py`, `mmdeploy_loop.py`: OpenCV's reader and writer around the tracker)
each run as a process of their own, in turn:

* ``rtmlib``: the same two files on both sides, fp32 ONNX Runtime with its default threads, the
  detector on every fifth frame, rtmlib's tracking off (with it on, ids that outgrow the number of
  people freeze its frame counter, so that it detects on every frame or never again).
* ``rtmlib m``: the same with a pose network that computes an RTMPose-m besides the given one, whose
  answers count: 1.2 times an m.
* ``defaults``: ``posetrack run VIDEO --det-interval 5`` as it is installed against rtmlib as it
  comes, with the same two networks: detector on every frame, tracking on.
* ``mmdeploy``: the same two files, the detector on every fifth frame.

The files are plain exports: a detector with NMS inside (``dets``, ``labels``: `posetrack export
... --nms`) and a pose network (``simcc_x``, ``simcc_y``).

Ratios: of the frame rates inside the loop, as each side measures it (first read to closed file,
models loaded before); of the poses a second, which is that times the people shown or estimated; of
the wall times of the whole processes, with imports and model loading; of their CPU seconds. A pair
counts only if `probe.py` found both cores whole before and after each of its runs, otherwise it is
repeated; pairs that never were are marked.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import report
from probe import Gate

from posetrack.evaluation.facts import sha256

Row = dict[str, Any]
ATTEMPTS = 4
RATIOS = ("loop_ratio", "pose_ratio", "process_ratio", "cpu_ratio")


@dataclass(frozen=True)
class Clip:
    """A video of the reference data, and the width it is scaled to (None: as it is)."""

    name: str
    file: str
    width: int | None = None


CLIPS = (
    Clip("juggle 384 px", "juggle/juggle.mp4", 384),
    Clip("juggle 960x540", "juggle/juggle.mp4", 960),
    Clip("TUD-Stadtmitte", "TUD-Stadtmitte/TUD-Stadtmitte.mp4"),
)
SAME_FILES = ("rtmlib", "rtmlib m", "mmdeploy")
PEERS = (*SAME_FILES, "defaults")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    report.add_options(parser, result="pipeline.json")
    parser.add_argument("--rtmlib-python", required=True, help="interpreter that has rtmlib")
    parser.add_argument("--mmdeploy-python", help="interpreter that has mmdeploy-runtime")
    parser.add_argument("--det-onnx", type=Path, required=True)
    parser.add_argument("--pose-onnx", type=Path, required=True)
    parser.add_argument("--threshold", type=float, default=0.3, help="detector score, both sides")
    parser.add_argument("--frames", type=int, default=300, help="each clip is looped to as many")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--clips", nargs="+", default=[c.name for c in CLIPS])
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=PEERS)
    parser.add_argument("--ungated", action="store_true", help="take any timing, for trying out")
    chosen = parser.parse_args()
    report.check_data(parser, chosen.data)
    gate = Gate(least=0.0 if chosen.ungated else 0.85)
    rows = []
    models = {"detector": chosen.det_onnx, "pose": chosen.pose_onnx}
    digests = {key: sha256(path) for key, path in models.items()}
    figures = {"models_sha256": digests, "gated": not chosen.ungated, "comparisons": rows}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models["heavy pose"] = heavier(chosen.pose_onnx, folder / "heavy.onnx")
        for clip in [clip for clip in CLIPS if clip.name in chosen.clips]:
            video = folder / f"{clip.name.replace(' ', '-')}.mp4"
            make_clip(chosen.data / "video" / clip.file, video, clip.width, chosen.frames)
            for peer in chosen.peers:
                if peer == "mmdeploy" and chosen.mmdeploy_python is None:
                    continue
                rows.append(
                    compare(clip, peer, commands(peer, video, models, chosen), chosen, gate)
                )
                print_row(rows[-1])
                report.write(chosen.json, figures)  # a run that is cut off keeps what it has
    print_rows(rows)


def heavier(pose: Path, target: Path) -> Path:
    """A graph that computes an RTMPose-m of random weights besides `pose` and answers as `pose`."""
    import onnx
    import torch
    from onnx import TensorProto, compose, helper

    from posetrack.networks.rtmpose import RTMPose
    from posetrack.training.export import export_onnx

    torch.manual_seed(0)
    size = target.with_name("m.onnx")
    export_onnx(RTMPose("m"), size, input_size=(192, 256))
    both = onnx.load(str(pose))
    other = compose.add_prefix(onnx.load(str(size)), "m/", rename_inputs=False)
    both.graph.node.extend(other.graph.node)
    both.graph.initializer.extend(other.graph.initializer)
    both.graph.initializer.append(helper.make_tensor("nothing", TensorProto.FLOAT, [], [0.0]))
    for output in both.graph.output:
        for node in both.graph.node:
            node.output[:] = ["own/" + n if n == output.name else n for n in node.output]
        zero = f"zero/{output.name}"
        both.graph.node.append(helper.make_node("Mul", [f"m/{output.name}", "nothing"], [zero]))
        both.graph.node.append(helper.make_node("Add", [f"own/{output.name}", zero], [output.name]))
    onnx.save(both, str(target))
    return target


def make_clip(source: Path, target: Path, width: int | None, frames: int) -> None:
    """The first `frames` frames of `source` played in a loop, as H.264 near lossless."""
    written = 0
    with av.open(str(target), "w") as out:
        stream: Any = None
        while written < frames:
            with av.open(str(source)) as container:
                for frame in container.decode(video=0):
                    size = scaled(frame.width, frame.height, width)
                    if stream is None:
                        rate = Fraction(container.streams.video[0].average_rate or 25)
                        options = {"crf": "17", "preset": "veryfast"}
                        stream = out.add_stream("libx264", rate=rate, options=options)
                        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
                    picture = frame.reformat(*size, format="yuv420p")
                    picture.pts, picture.time_base = written, 1 / rate
                    out.mux(stream.encode(picture))
                    written += 1
                    if written == frames:
                        break
        out.mux(stream.encode())


def scaled(width: int, height: int, wanted: int | None) -> tuple[int, int]:
    """(width, height) at the wanted width, both even."""
    ratio = (wanted or width) / width
    return 2 * round(width * ratio / 2), 2 * round(height * ratio / 2)


def commands(
    peer: str, video: Path, models: dict[str, Path], chosen: argparse.Namespace
) -> tuple[list[str], list[str]]:
    """Ours and the other side's."""
    output = str(video.with_name("out.mp4"))
    pose = models["heavy pose" if peer == "rtmlib m" else "pose"]
    networks = ["--det", str(models["detector"]), "--pose", str(pose)]
    ours = [sys.executable, "-m", "posetrack", "run", str(video), "-o", output]
    ours += ["--det-interval", "5"]
    if peer in SAME_FILES:
        ours += [*networks, "--precision", "fp32", "--det-thr", str(chosen.threshold)]
    name = "mmdeploy" if peer == "mmdeploy" else "rtmlib"
    python = chosen.mmdeploy_python if peer == "mmdeploy" else chosen.rtmlib_python
    theirs = [python, str(Path(__file__).with_name(f"{name}_loop.py")), str(video), output]
    theirs += [*networks, "--threshold", str(chosen.threshold)]
    if peer == "defaults":
        theirs += ["--det-interval", "1", "--tracking"]
    return ours, theirs


def compare(
    clip: Clip, peer: str, pair: tuple[list[str], list[str]], chosen: argparse.Namespace, gate: Gate
) -> Row:
    """Pairs of runs, ours and the other's in turn, and the medians of their ratios."""
    ours, theirs = pair
    run_once(ours, read_ours)  # fills the disk cache for both
    sides = [(ours, read_ours), (theirs, read_theirs)]
    pairs = [gated_pair(sides, gate) for _ in range(chosen.pairs)]
    first, second = ([pair[side] for pair in pairs] for side in ("posetrack", "peer"))
    both = list(zip(first, second, strict=True))
    return {
        "clip": clip.name,
        "peer": peer,
        "posetrack_fps": statistics.median(run["fps"] for run in first),
        "peer_fps": statistics.median(run["fps"] for run in second),
        "loop_ratio": statistics.median(a["fps"] / b["fps"] for a, b in both),
        "pose_ratio": statistics.median(poses_per_s(a) / poses_per_s(b) for a, b in both),
        "process_ratio": statistics.median(b["wall_s"] / a["wall_s"] for a, b in both),
        "cpu_ratio": statistics.median(b["cpu_s"] / a["cpu_s"] for a, b in both),
        "pairs_gated": sum(pair["gated"] for pair in pairs),
        "pairs": pairs,
    }


def poses_per_s(run: Row) -> float:
    """How many people a second."""
    return float(run["fps"] * run["people_mean"])


def gated_pair(
    sides: Sequence[tuple[list[str], Callable[[str], Row]]], gate: Gate
) -> dict[str, Any]:
    """One run of each side, repeated until the machine was whole around both."""
    for _ in range(ATTEMPTS):
        health, runs = [gate.wait()], []
        for command, read in sides:
            runs.append(run_once(command, read))
            health.append(gate.health())
        gated = min(health) >= gate.least
        if gated:
            break
    return {"posetrack": runs[0], "peer": runs[1], "health": health, "gated": gated}


def run_once(command: Sequence[str], read: Callable[[str], Row]) -> Row:
    """Wall and CPU seconds of a process, and what it says of itself."""
    begin, before = time.perf_counter(), os.times()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wall_s, after = time.perf_counter() - begin, os.times()
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    cpu_s = after.children_user + after.children_system
    cpu_s -= before.children_user + before.children_system
    return {"wall_s": wall_s, "cpu_s": cpu_s, **read(done.stdout)}


def read_ours(text: str) -> Row:
    """The figures of the summary that `posetrack run` prints."""
    frames = re.search(r"^frames +(\d+)(?:, detector ran on (\d+))?", text, re.MULTILINE)
    fps = re.search(r"^fps +([\d.]+) \(([\d.]+) s\)", text, re.MULTILINE)
    people = re.search(r"^people +([\d.]+) a frame", text, re.MULTILINE)
    if frames is None or fps is None or people is None:
        raise SystemExit(f"cannot read the summary of posetrack run:\n{text}")
    return {
        "frames": int(frames[1]),
        "fps": float(fps[1]),
        "people_mean": float(people[1]),
        "detector_runs": int(frames[2] or 0),
    }


def read_theirs(text: str) -> Row:
    """The figures of `rtmlib_loop.py`."""
    found = json.loads(text.strip().splitlines()[-1])
    return {
        "frames": found["frames"],
        "fps": found["frames"] / found["loop_s"],
        "people_mean": found["people_mean"],
        "detector_runs": found["detector_runs"],
        "versions": found["versions"],
    }


def print_row(row: Row) -> None:
    """One line as soon as it is known."""
    line = f"{row['clip']}, {row['peer']}: {row['loop_ratio']:.2f}x in the loop"
    print(f"{line}, {row['process_ratio']:.2f}x whole", file=sys.stderr)


def print_rows(rows: Sequence[Row]) -> None:
    """A row a comparison."""
    columns: tuple[str, ...] = (
        "clip",
        "against",
        "our fps",
        "its fps",
        "loop x",
        "poses x",
        "process x",
        "CPU x",
    )
    columns += ("people", "its poses", "detections", "its", "gated")
    shown: list[tuple[Any, ...]] = []
    for row in rows:
        ours, theirs = (row["pairs"][0][side] for side in ("posetrack", "peer"))
        shown.append(
            (
                row["clip"],
                row["peer"],
                *(f"{row[key]:.1f}" for key in ("posetrack_fps", "peer_fps")),
                *(f"{row[key]:.2f}" for key in RATIOS),
                *(f"{run['people_mean']:.1f}" for run in (ours, theirs)),
                *(run["detector_runs"] for run in (ours, theirs)),
                f"{row['pairs_gated']}/{len(row['pairs'])}",
            )
        )
    report.print_table("posetrack run against others, medians of pairs", columns, shown)


if __name__ == "__main__":
    main()
