"""What a GPU makes of the networks, the step of a frame, the whole loop and training, in one go.

    python benchmarks/gpu.py                                    # on cuda, results/gpu.json
    python benchmarks/gpu.py --device cpu --short --json FILE   # the same code without a GPU

* **step**: rtmdet-nano and rtmpose-m with random weights and the embedded pair, one person and
  eight in a 1080p picture, by every backend that is there. ``networks`` is both networks on inputs
  that lie on the host (of PyTorch on the device: lie there), answers fetched; ``step`` is all of
  `Detector` and `Estimator`, from the picture on the host to boxes and keypoints.
* **loop**: the whole command's pipeline on a generated 1080p clip, with and without video written;
  and how fast the clip is decoded, by the CPU and by the GPU.
* **device**: decoding (or an upload of the decoded planes), letterbox, crops, networks, SimCC on
  the device in one thread (`posetrack.ondevice`); the tracker then sees no picture.
* **training**: images a second of RTMPose-m in bfloat16, and what share that is of what a large
  matrix product reaches, by the operations that PyTorch counts. Labels are random, no loader.

Each backend runs in a process of its own: what is missing, fails, hangs or crashes is a row with
its reason. Not yet run on a GPU.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import report

Row = dict[str, Any]

TARGET_MS = 1.0
"""For rtmdet-nano and rtmpose-m and one person, on a card of the H200's class."""
PAIRS = {"nano + m": ("rtmdet-nano", "rtmpose-m"), "embedded": (None, None)}
PEOPLE = (1, 8)
SIZES = (1, 2, 4, 8, 16, 32)
DET_INTERVAL = 5
GRAPHS = {"cuda_graphs": True}
BATCHES = (256, 128, 64, 32, 16)


@dataclass(frozen=True)
class Plan:
    """What is asked for; `short` is for trying the script out."""

    device: str
    folder: Path
    pairs: tuple[str, ...]
    skip: tuple[str, ...]
    short: bool

    @property
    def on_gpu(self) -> bool:
        """Whether the device is one."""
        return self.device.startswith("cuda")

    @property
    def number(self) -> str:
        """Which of the GPUs."""
        return self.device.partition(":")[2] or "0"

    @property
    def half(self) -> str:
        """The 16-bit precision that PyTorch has there."""
        return "fp16" if self.on_gpu else "bf16"

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the pictures."""
        return (320, 180) if self.short else (1920, 1080)

    @property
    def rounds(self) -> tuple[int, int]:
        """Runs to warm up, runs that count."""
        return (1, 2) if self.short else (50, 200)


@dataclass(frozen=True)
class Variant:
    """One way to run a pair.

    Attributes:
        name: for the table.
        kind: the backend.
        graph: which of the prepared models: torch, fp32, fp16 or folded; or shipped.
        precision: asked of the backend.
        device: in place of the plan's.
        options: of the backend.
        prepared: where pictures become input: cpu, device, or there (they are on the device
            already).
    """

    name: str
    kind: str
    graph: str
    precision: str = "fp32"
    device: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    prepared: str = "cpu"


def half_torch(plan: Plan, how: str, **more: Any) -> Variant:
    """PyTorch in 16 bits, run in some way."""
    name = ", ".join(filter(None, (plan.half, how)))
    return Variant(name, "torch", "torch", plan.half, **more)


def variants(family: str, plan: Plan) -> list[Variant]:
    """The rows of one backend."""
    cache = {"trt_engine_cache_enable": True, "trt_engine_cache_path": str(plan.folder)}
    on_torch = partial(half_torch, plan)
    return {
        "onnxruntime": [
            Variant("fp32", "onnxruntime", "fp32", options={"io_binding": False}),
            Variant("fp32, bound buffers", "onnxruntime", "fp32", options={"io_binding": True}),
            Variant("fp16, bound buffers", "onnxruntime", "fp16", options={"io_binding": True}),
            Variant(
                "fp16, all inside, bound", "onnxruntime", "folded", options={"io_binding": True}
            ),
        ],
        "onnxruntime-tensorrt": [
            Variant(
                f"TensorRT provider, {name}",
                "onnxruntime",
                graph,
                device=f"tensorrt:{plan.number}",
                options={"provider_options": cache | more},
            )
            for name, graph, more in (
                ("fp32 graph, fp16 allowed", "fp32", {"trt_fp16_enable": True}),
                ("fp16, all inside", "folded", {}),
            )
        ],
        "tensorrt": [
            Variant("native fp16", "tensorrt", "fp16"),
            Variant("native fp16, all inside", "tensorrt", "folded"),
        ],
        "torch": [
            Variant("fp32", "torch", "torch"),
            on_torch(""),
            on_torch("compile", options={"compile": True}),
            on_torch("CUDA graphs", options=GRAPHS),
            on_torch("on the device", prepared="device"),
            on_torch("on the device, picture there", prepared="there"),
            on_torch("on the device, CUDA graphs", prepared="device", options=GRAPHS),
            on_torch("on the device, CUDA graphs, picture there", prepared="there", options=GRAPHS),
        ],
    }[family]


FAMILIES = ("onnxruntime", "onnxruntime-tensorrt", "tensorrt", "torch")


# -- rows, and processes of their own -------------------------------------------------------------


def attempted(facts: Row, measure: Callable[[], Row]) -> Row:
    """`facts` with what was measured, or with the reason why it was not."""
    try:
        return facts | measure()
    except Exception as error:  # noqa: BLE001 - whatever a runtime raises is its row
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return facts | {"reason": text[:300]}


def apart(work: Callable[..., Iterator[Row]], *given: Any, limit_s: float) -> Iterator[Row]:
    """The rows of `work`, from a process of its own; how it ended where it did not end well."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    child = context.Process(target=_tell, args=(send, work, given))
    child.start()
    send.close()
    what = {"what": " ".join([work.__name__, *(g for g in given if isinstance(g, str))])}
    try:
        while receive.poll(limit_s):
            yield receive.recv()
        yield what | {"reason": f"no answer within {limit_s:g} s"}
    except EOFError:
        child.join()
        if child.exitcode:
            yield what | {"reason": f"its process ended with status {child.exitcode}"}
    finally:
        child.terminate()
        child.join()


def _tell(send: Any, work: Callable[..., Iterator[Row]], given: tuple[Any, ...]) -> None:
    for row in work(*given):
        send.send(row)


def timed(run: Callable[[], object], plan: Plan) -> Row:
    """Milliseconds of a run."""
    warm, count = plan.rounds
    samples = []
    for _ in range(warm + count):
        begin = perf_counter()
        run()
        samples.append((perf_counter() - begin) * 1e3)
    median, p95 = np.percentile(samples[warm:], (50, 95))
    return {"median_ms": float(median), "p95_ms": float(p95), "runs": count}


def described(plan: Plan) -> Row:
    """The device and the versions that matter for it."""
    import onnxruntime
    import torch

    def card() -> Row:
        if not plan.on_gpu:
            return {}
        found = torch.cuda.get_device_properties(plan.device)
        return {
            "name": found.name,
            "capability": f"{found.major}.{found.minor}",
            "memory_gib": found.total_memory / 2**30,
        }

    versions = {
        "asked": plan.device,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "onnxruntime_providers": onnxruntime.get_available_providers(),
    }
    return attempted(versions, card)


# -- the models ------------------------------------------------------------------------------------


def prepare(plan: Plan) -> Iterator[Row]:
    """Every pair as a checkpoint and as graphs, and the clip; the row is about the device."""
    import torch

    from posetrack import zoo
    from posetrack.cards import ModelFile
    from posetrack.demo import make_clip
    from posetrack.networks import build
    from posetrack.networks.checkpoint import load_model
    from posetrack.training.export import export_onnx
    from posetrack.zoo.conventions import card_for_detector, card_for_pose

    about = described(plan)
    yield about
    if "reason" in about:
        return
    make_clip(plan.folder / "clip.mp4", seconds=0.24 if plan.short else 12, size=plan.size)
    graph = ModelFile(format="onnx", path="model.onnx")
    torch.manual_seed(0)
    for pair in plan.pairs:
        for task, architecture in zip(("detection", "pose"), PAIRS[pair], strict=True):
            if architecture is None:
                model = zoo.find(task=task)
                network, card = load_model(model.path)[0], model.card
            elif task == "detection":
                card = card_for_detector(
                    "random-det", graph, size=(320, 320), architecture=architecture
                )
                network = build(architecture, input_size=card.input.size)
            else:
                card = card_for_pose(
                    "random-pose", graph, size=(192, 256), keypoints=17, architecture=architecture
                )
                network = build(architecture, input_size=card.input.size)
            folder = plan.folder / pair / task
            folder.mkdir(parents=True)
            torch.save({"state_dict": network.state_dict()}, folder / "torch.pth")
            export_onnx(network, folder / "fp32.onnx", input_size=card.input.size)
            write_graphs(folder, card)


def write_graphs(folder: Path, card: Any) -> None:
    """``fp16.onnx``, and ``folded.onnx`` with all inside, beside ``fp32.onnx``; the cards."""
    import onnx

    from posetrack.export.fold import fold_decoding, fold_input
    from posetrack.export.graph import simplified
    from posetrack.export.half import cast_half

    half = simplified(folder / "fp32.onnx")
    folded = onnx.ModelProto()
    folded.CopyFrom(half)
    inside = card.model_copy(update={"input": card.input.model_copy(update={"folded": True})})
    if card.task == "pose":
        fold_decoding(folded, ["simcc_x", "simcc_y"], split=card.codec.split)
        kind = card.codec.model_copy(update={"kind": "decoded"})
        inside = inside.model_copy(update={"codec": kind})
    fold_input(folded, card.input)
    for name, graph in (("fp16", half), ("folded", folded)):
        cast_half(graph)
        onnx.save(graph, folder / f"{name}.onnx")
    for name in ("torch", "fp32", "fp16", "folded"):
        text = (inside if name == "folded" else card).to_yaml()
        (folder / f"{name}.yaml").write_text(text, "utf-8")


def open_pair(pair: str, variant: Variant, plan: Plan, stack: ExitStack) -> tuple[Any, Any]:
    """Detector and estimator, warm; the stack closes them."""
    from posetrack.backends import open_backend
    from posetrack.cards import load_card
    from posetrack.detector import Detector
    from posetrack.estimator import Estimator

    kinds: tuple[Any, Any] = (Detector, Estimator)
    if variant.graph == "shipped":
        det, pose = (kind.load(device=variant.device) for kind in kinds)
        stack.callback(det.close)
        stack.callback(pose.close)
        return det, pose
    settings: tuple[Row, Row] = ({}, {})
    if variant.prepared != "cpu":
        from posetrack.ondevice import DeviceDetector, DeviceEstimator, Uploads

        kinds, uploads = (DeviceDetector, DeviceEstimator), Uploads()
        sizes = SIZES if variant.options.get("cuda_graphs") else None
        settings = {"uploads": uploads}, {"uploads": uploads, "sizes": sizes}
    made = []
    for task, kind, more in zip(("detection", "pose"), kinds, settings, strict=True):
        folder = plan.folder / pair / task
        file = folder / f"{variant.graph}.{'pth' if variant.graph == 'torch' else 'onnx'}"
        backend = open_backend(
            variant.kind,
            file,
            device=variant.device or plan.device,
            precision=variant.precision,
            options=variant.options,
        )
        stack.callback(backend.close)
        made.append(kind(load_card(folder / f"{variant.graph}.yaml"), backend, **more))
        made[-1].warm_up()
    return made[0], made[1]


# -- step ------------------------------------------------------------------------------------------


def step(plan: Plan, family: str) -> Iterator[Row]:
    """A row for each pair and variant of one backend."""
    for pair in plan.pairs:
        for variant in variants(family, plan):
            if any(word in variant.name for word in plan.skip):
                continue
            facts = {"what": f"{variant.kind} {variant.name}", "pair": pair}
            yield attempted(facts, lambda: measure_step(pair, variant, plan))  # noqa: B023


def measure_step(pair: str, variant: Variant, plan: Plan) -> Row:
    """Networks alone and the whole step, for each number of people."""
    from posetrack.demo import frames

    image, _ = next(frames(0.1, size=plan.size))
    width, height = plan.size
    lefts = np.linspace(0, width * 0.85, max(PEOPLE))
    all_boxes = np.stack(
        [lefts, lefts * 0 + height * 0.2, lefts + width * 0.12, lefts * 0 + height * 0.9], axis=1
    ).astype(np.float32)
    row: Row = {}
    with ExitStack() as stack:
        det, pose = open_pair(pair, variant, plan, stack)
        row |= {"device": det.backend.device, "precision": det.backend.precision}
        for people in PEOPLE:
            boxes = all_boxes[:people]
            given = pictures_for(variant, image, det.backend.device)
            found = {
                "networks": timed(networks(det, pose, people, variant), plan),
                "step": timed(lambda: (det(picture := given()), pose(picture, boxes)), plan),  # noqa: B023
            }
            if pair == "nano + m" and people == 1:
                found["target_ms"] = TARGET_MS
                found |= {
                    f"{k}_within": found[k]["median_ms"] <= TARGET_MS for k in ("networks", "step")
                }
            row[f"{people} people"] = found
    return row


def pictures_for(variant: Variant, image: Any, device: str) -> Callable[[], Any]:
    """What gives the picture of a step: each call another, as uploads know the last ones."""
    if variant.prepared == "there":
        import torch

        there = torch.tensor(image, device=device)
        return lambda: there
    if variant.prepared == "device":
        return lambda: image[:]  # another array over the same memory
    return lambda: image


def networks(det: Any, pose: Any, people: int, variant: Variant) -> Callable[[], object]:
    """A run of both networks."""
    noise = np.random.default_rng(0)
    inputs = []
    for part, count in ((det, 1), (pose, people)):
        width, height = part.card.input.size
        if part.card.input.folded:
            values = noise.integers(0, 256, (count, height, width, 3), np.uint8)
        else:
            values = noise.normal(size=(count, 3, height, width)).astype(np.float32)
        inputs.append(values)
    if variant.prepared == "cpu":
        names = [part.backend.inputs[0].name for part in (det, pose)]
        return lambda: [
            part.backend.run({name: values})
            for part, name, values in zip((det, pose), names, inputs, strict=True)
        ]
    import torch

    batches = [torch.tensor(values, device=det.backend.device) for values in inputs]

    def run() -> None:
        answers = [part.backend.infer(b) for part, b in zip((det, pose), batches, strict=True)]
        answers[-1][0][0, 0, 0].item()  # waits for all before it

    return run


# -- loop ------------------------------------------------------------------------------------------


def loop(plan: Plan, where: str) -> Iterator[Row]:
    """The pipeline of `posetrack run` with the embedded pair, on the CPU and on the device."""
    chosen = {
        "cpu": Variant("on the CPU, as shipped", "onnxruntime", "shipped", "auto", "cpu"),
        "onnxruntime": Variant("fp16, all inside", "onnxruntime", "folded"),
        "torch": half_torch(plan, "on the device", prepared="device"),
        "graphs": half_torch(plan, "on the device, CUDA graphs", prepared="device", options=GRAPHS),
    }[where]
    for writes in (True,) if plan.short else (False, True):
        name = f"{chosen.kind} {chosen.name}, {'H.264 written' if writes else 'nothing written'}"
        yield attempted({"what": name}, lambda: measure_loop(chosen, plan, writes=writes))  # noqa: B023


def measure_loop(variant: Variant, plan: Plan, *, writes: bool) -> Row:
    """Frames a second and what the stages did."""
    from posetrack.media.painter import Painter
    from posetrack.media.source import open_source
    from posetrack.media.video import VideoSink
    from posetrack.perception import Perception
    from posetrack.runner import run

    with ExitStack() as stack:
        det, pose = open_pair("embedded", variant, plan, stack)
        source = stack.enter_context(open_source(plan.folder / "clip.mp4"))
        perception = Perception(det=det, pose=pose, det_interval=DET_INTERVAL)
        sinks = [VideoSink(plan.folder / "out.mp4", source)] if writes else []
        summary = run(source, perception, sinks, draw=Painter() if writes else None)
    stages = {s.stage: s.busy.total_s / summary.frames * 1e3 for s in summary.stages}
    return {
        "device": det.backend.device,
        "fps": summary.fps,
        "frames": summary.frames,
        "people_mean": summary.people_mean,
        "latency": asdict(summary.latency),
        "busy_ms_a_frame": stages,
    }


def decode(plan: Plan) -> Iterator[Row]:
    """How fast the clip alone is decoded: to a picture on the host, or to planes on the GPU."""
    for name in ("software", "hardware, fetched", "hardware, left there"):
        yield attempted({"what": f"decode, {name}"}, lambda: measure_decode(name, plan))  # noqa: B023


def measure_decode(how: str, plan: Plan) -> Row:
    """Frames a second."""
    from posetrack.media.colour import ToBgr

    to_bgr, frames, begin = ToBgr(), 0, perf_counter()
    for frame in decoded_frames(plan, how):
        if how != "hardware, left there":
            to_bgr(frame)
        frames += 1
    return {"fps": frames / (perf_counter() - begin), "frames": frames}


def decoded_frames(plan: Plan, how: str) -> Iterator[Any]:
    """Frames of the clip as PyAV gives them."""
    import av
    from av.codec.hwaccel import HWAccel

    hardware = None
    if how != "software":
        hardware = HWAccel(
            "cuda", plan.number, allow_software_fallback=False, is_hw_owned="left there" in how
        )
    with av.open(str(plan.folder / "clip.mp4"), hwaccel=hardware) as container:
        yield from container.decode(video=0)


# -- device ----------------------------------------------------------------------------------------


def device(plan: Plan) -> Iterator[Row]:
    """The loop whose pictures never leave the device."""
    for name, options in (("", {}), (", CUDA graphs", GRAPHS)):
        variant = half_torch(plan, name, prepared="there", options=options)
        for how in ("software", "hardware, left there"):
            facts = {"what": f"decoded by {how}{name}"}
            yield attempted(facts, lambda: measure_device(variant, how, plan))  # noqa: B023


def measure_device(variant: Variant, how: str, plan: Plan) -> Row:
    """Frames a second of one thread, and where its time went.

    What is queued on the device is waited for where its answer is fetched: uploads and conversion
    show under ``detect`` and ``pose``.
    """
    from posetrack.perception import Perception

    spent = dict.fromkeys(("picture", "detect", "pose", "track"), 0.0)
    people, index = 0, -1
    with ExitStack() as stack:
        det, pose = open_pair("embedded", variant, plan, stack)
        tracker = Perception(det=det, pose=pose).tracker
        begin = mark = perf_counter()

        def lap(name: str) -> None:
            nonlocal mark
            now = perf_counter()
            spent[name] += now - mark
            mark = now

        for index, frame in enumerate(decoded_frames(plan, how)):
            picture, time = on_device(frame, det.backend.device), {"t_s": index / 25}
            lap("picture")
            found = det(picture) if index % DET_INTERVAL == 0 else None
            lap("detect")
            proposals = tracker.propose(found, size=plan.size, **time)
            lap("track")
            poses = pose(picture, proposals.boxes, box_scores=proposals.scores)
            lap("pose")
            tracks, _ = tracker.update(poses, proposals, size=plan.size, **time)
            lap("track")
            people += len(tracks)
        wall_s, frames = perf_counter() - begin, index + 1
    return {
        "device": det.backend.device,
        "fps": frames / wall_s,
        "frames": frames,
        "people_mean": people / frames,
        "busy_ms_a_frame": {name: s / frames * 1e3 for name, s in spent.items()},
    }


def on_device(frame: Any, device: str) -> Any:
    """A decoded frame as a tensor (H, W, 3) uint8 BGR; from the host its planes are uploaded."""
    import torch

    if frame.format.name not in ("cuda", "nv12"):
        frame = frame.reformat(format="nv12")
    # PyAV takes no stream, which `from_dlpack` of the plane itself would give it.
    luma, chroma = (torch.from_dlpack(p.__dlpack__()).to(device) for p in frame.planes)
    picture = bgr_of_nv12(luma, chroma)
    if frame.format.name == "cuda":
        torch.cuda.synchronize(device)  # the decoder may take the planes back after this
    return picture


def bgr_of_nv12(luma: Any, chroma: Any) -> Any:
    """(H, W, 3) uint8 of planes (H, W) and (H/2, W/2, 2): BT.601, limited range, as the clip is."""
    import torch

    y = (luma.float() - 16) * (255 / 219)
    wide = (chroma.float() - 128).repeat_interleave(2, 0).repeat_interleave(2, 1) * (255 / 224)
    u, v = wide[: y.shape[0], : y.shape[1]].unbind(2)
    red, blue = 0.299, 0.114
    green = 1 - red - blue
    b, r = y + 2 * (1 - blue) * u, y + 2 * (1 - red) * v
    g = y - 2 * blue * (1 - blue) / green * u - 2 * red * (1 - red) / green * v
    return torch.stack((b, g, r), 2).round_().clamp_(0, 255).to(torch.uint8)


# -- training --------------------------------------------------------------------------------------


def training(plan: Plan) -> Iterator[Row]:
    """Images a second of RTMPose-m, plain and compiled, with the largest batch that fits."""
    for compiled in (False, True):
        name = f"rtmpose-m bf16{', compile' if compiled else ''}"
        if any(word in name for word in plan.skip):
            continue
        for batch in (2,) if plan.short else BATCHES:
            row = attempted(
                {"what": name, "batch": batch},
                lambda: measure_training(plan, batch, compiled=compiled),  # noqa: B023
            )
            if "OutOfMemory" not in row.get("reason", ""):
                break
        yield row


def measure_training(plan: Plan, batch: int, *, compiled: bool) -> Row:
    """Images a second, operations an image, and their share of the peak."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from posetrack.networks import build
    from posetrack.training.losses import simcc_kl
    from posetrack.training.task import normalise
    from posetrack.zoo.conventions import rtmpose_input

    torch.manual_seed(0)
    form, kind = rtmpose_input((192, 256)), plan.device.partition(":")[0]
    plain = build("rtmpose-m", input_size=form.size).to(
        plan.device, memory_format=torch.channels_last
    )
    plain.train()
    network = torch.compile(plain) if compiled else plain
    optimizer = torch.optim.AdamW(plain.parameters(), lr=1e-4, fused=plan.on_gpu)
    images = torch.randint(0, 256, (batch, 3, 256, 192), dtype=torch.uint8, device=plan.device)
    labels = tuple(torch.rand(batch, 17, bins, device=plan.device) for bins in (384, 512))
    weights = torch.ones(batch, 17, device=plan.device)

    def learn(network: Any) -> None:
        with torch.autocast(kind, torch.bfloat16):
            logits = network(normalise(images, form.mean, form.std))
        loss = simcc_kl(logits, labels, weights)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    def wait() -> None:
        if plan.on_gpu:
            torch.cuda.synchronize()

    # Backward is twice forward; PyTorch's own count of it takes grouped convolutions for full ones.
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        plain(normalise(images[:1], form.mean, form.std))
    flops = 3 * counter.get_total_flops()
    warm, steps = (1, 1) if plan.short else (10, 40)
    for _ in range(warm):
        learn(network)
    wait()
    begin = perf_counter()
    for _ in range(steps):
        learn(network)
    wait()
    rate = batch * steps / (perf_counter() - begin)
    peak = matmul_peak(plan)
    return {
        "images_per_s": rate,
        "gflop_an_image": flops / 1e9,
        "tflop_per_s": rate * flops / 1e12,
        "peak_tflop_per_s": peak / 1e12,
        "share_of_peak": rate * flops / peak,
        "memory_gib": torch.cuda.max_memory_allocated() / 2**30 if plan.on_gpu else None,
    }


def matmul_peak(plan: Plan) -> float:
    """Operations a second of a large bfloat16 matrix product, the best of some."""
    import torch

    side = 256 if plan.short else 8192 if plan.on_gpu else 1024
    a, b = (torch.randn(side, side, device=plan.device, dtype=torch.bfloat16) for _ in range(2))
    best = float("inf")
    for _ in range(20):
        begin = perf_counter()
        for _ in range(5):
            a @ b
        if plan.on_gpu:
            torch.cuda.synchronize()
        best = min(best, perf_counter() - begin)
    return 5 * 2 * side**3 / best


# -- all of it -------------------------------------------------------------------------------------


JOBS: dict[str, list[tuple[Any, ...]]] = {
    "step": [(step, family) for family in FAMILIES],
    "loop": [(loop, where) for where in ("cpu", "onnxruntime", "torch", "graphs")] + [(decode,)],
    "device": [(device,)],
    "training": [(training,)],
}


def main() -> int:
    """Measure part by part, print, write after each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, ...; cpu to try it out")
    parser.add_argument("--parts", nargs="+", choices=list(JOBS), default=list(JOBS))
    parser.add_argument("--pairs", nargs="+", choices=list(PAIRS), default=list(PAIRS))
    parser.add_argument("--skip", nargs="+", default=[], metavar="WORD", help="such as compile")
    parser.add_argument("--short", action="store_true", help="a few runs on small pictures")
    parser.add_argument("--limit", type=float, default=900, help="seconds to wait for a row")
    parser.add_argument("--json", type=Path, help="result file; default on a GPU results/gpu.json")
    chosen = parser.parse_args()
    if chosen.json is None and not chosen.device.startswith("cuda"):
        parser.error(f"--device {chosen.device}: give --json, results/gpu.json is of GPUs")
    needs_embedded = {"loop", "device"} & set(chosen.parts)
    pairs = dict.fromkeys([*chosen.pairs, *(["embedded"] if needs_embedded else [])])
    with tempfile.TemporaryDirectory() as name:
        plan = Plan(chosen.device, Path(name), tuple(pairs), tuple(chosen.skip), chosen.short)
        about, *troubles = apart(prepare, plan, limit_s=chosen.limit)
        if "reason" in about:
            parser.error(f"--device {chosen.device}: PyTorch does not find it: {about['reason']}")
        if troubles:
            print(f"models could not be prepared: {troubles[0]['reason']}", file=sys.stderr)
            return 1
        found: Row = {"accelerator": about}
        for part in chosen.parts:
            found[part] = [
                row
                for work, *more in JOBS[part]
                for row in apart(work, plan, *more, limit_s=chosen.limit)
            ]
            show(part, found[part])
            report.write(chosen.json or report.RESULTS / "gpu.json", found)
    return 0


def show(part: str, rows: list[Row]) -> None:
    """A table of what was measured, and below it what was not and why."""
    title, heads, cells = part, ["fps", "busy ms a frame"], _cells
    if part == "step":
        title = f"step, ms (target {TARGET_MS:g} for nano + m, one person)"
        heads = [f"{n}: {key}" for n in PEOPLE for key in ("networks", "p95", "step", "p95")]
        cells = _step_cells
    elif part == "training":
        heads = ["images/s", "% of peak"]
    names = [", ".join(filter(None, (row.get("pair"), row["what"]))) for row in rows]
    named = list(zip(names, rows, strict=True))
    table = [[name, *cells(row)] for name, row in named if "reason" not in row]
    report.print_table(title, [part, *heads], table)
    for name, row in named:
        if "reason" in row:
            print(f"{name}: not measured, {row['reason']}")


def _step_cells(row: Row) -> list[str]:
    found = [row[f"{people} people"][key] for people in PEOPLE for key in ("networks", "step")]
    return [f"{figures[key]:.2f}" for figures in found for key in ("median_ms", "p95_ms")]


def _cells(row: Row) -> list[str]:
    if "images_per_s" in row:
        return [f"{row['images_per_s']:.0f}", report.percent(row["share_of_peak"])]
    busy = row.get("busy_ms_a_frame", {})
    return [f"{row['fps']:.1f}", ", ".join(f"{name} {ms:.2f}" for name, ms in busy.items())]


if __name__ == "__main__":
    sys.exit(main())
