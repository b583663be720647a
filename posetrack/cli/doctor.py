"""`posetrack doctor`: what works on this machine, tried for real, and what to do about the rest."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Literal

import typer

from posetrack import __version__
from posetrack.backends.cores import usable_cores
from posetrack.backends.precision import cpu_instructions, fastest_precision
from posetrack.errors import PosetrackError

app = typer.Typer(add_completion=False)

Verdict = Literal["ok", "note", "BROKEN"]

CORE = ("numpy", "scipy", "cv2", "av", "onnxruntime", "filterpy", "pydantic", "yaml", "rich")
CLASHES = {
    ("onnxruntime", "onnxruntime-gpu"): (
        "they overwrite each other: pip uninstall onnxruntime onnxruntime-gpu, then install one"
    ),
    ("opencv-python", "opencv-python-headless"): (
        "they overwrite each other: pip uninstall both, then install one (headless has no window)"
    ),
}
# What a missing system library means, by a part of the loader's message.
LIBRARIES = {
    "libGL": "apt install libgl1, or use opencv-python-headless",
    "libglib": "apt install libglib2.0-0, or use opencv-python-headless",
    "libgthread": "apt install libglib2.0-0, or use opencv-python-headless",
    "libgomp": "apt install libgomp1",
}
INSTRUCTIONS = (
    *("sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx_vnni"),
    *("avx512_bf16", "amx_bf16", "amx_int8", "asimd", "asimddp", "bf16", "i8mm"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    verdict: Verdict
    what: str
    found: str


@app.command()
def doctor() -> None:
    """Say what works on this machine; exit status 1 if something needed does not."""
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    broken = 0
    for finding in findings():
        colour = {"ok": "green", "note": "yellow", "BROKEN": "bold red"}[finding.verdict]
        console.print(f"[{colour}]{finding.verdict:7}[/]{finding.what:22}", end="")
        console.print(finding.found, markup=False)
        broken += finding.verdict == "BROKEN"
    if broken:
        raise PosetrackError(f"{broken} thing(s) that posetrack needs are broken: see above")


def findings() -> Iterator[Finding]:
    """Every check, in the order of the report."""
    system = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    yield Finding("ok", "posetrack", f"{__version__}, {system}")
    yield Finding("ok", "processor", _processor())
    imported = True
    for name in CORE:
        finding = _import(name)
        imported &= finding.verdict == "ok"
        yield finding
    yield from _clashes()
    if not imported:
        return  # everything below would only fail for the same reason
    yield _tried("H.264 encoder", _encoder)
    yield from _backends()
    yield _tried("embedded models", _embedded)
    yield _display()
    yield _fetched()


def _processor() -> str:
    cores, flags = usable_cores(), cpu_instructions()
    if not flags:
        return f"{cores} cores"  # not Linux
    known = " ".join(name for name in INSTRUCTIONS if name in flags)
    auto = fastest_precision("onnxruntime", "cpu")
    return f"{cores} cores, instructions: {known or 'none of note'}; --precision auto is {auto}"


def _import(name: str) -> Finding:
    try:
        module = import_module(name)
    except (ImportError, OSError) as error:
        text = " ".join(str(error).split())
        advice = next((fix for part, fix in LIBRARIES.items() if part in text), "install it again")
        return Finding("BROKEN", name, f"{text}: {advice}")
    return Finding("ok", name, str(getattr(module, "__version__", "found")))


def _clashes() -> Iterator[Finding]:
    for names, advice in CLASHES.items():
        here = [name for name in names if _installed(name)]
        if len(here) > 1:
            yield Finding("BROKEN", " + ".join(names), f"both are installed, {advice}")


def _installed(package: str) -> bool:
    try:
        metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _tried(what: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding("ok", what, check())
    except (PosetrackError, OSError, ValueError) as error:
        return Finding("BROKEN", what, " ".join(str(error).split()))


def _encoder() -> str:
    import av

    codec = av.codec.Codec("libx264", "w")  # raises ValueError where FFmpeg was built without it
    return f"{codec.name} (FFmpeg in PyAV {av.__version__})"


def _backends() -> Iterator[Finding]:
    from posetrack.backends import installed

    for row in installed():
        what = f"backend {row.name}"
        if not row.runs:
            yield Finding("note", what, f"{row.version or 'not installed'}: {row.hint}")
            continue
        finding = _tried(what, _torch if row.name == "torch" else _session_of(row.name))
        # Only the default backend has to work; another one that is broken is worth knowing.
        if finding.verdict == "BROKEN" and row.name != "onnxruntime":
            finding = Finding("note", what, f"does not work: {finding.found}")
        if row.hint:
            finding = Finding("note", what, f"{finding.found} ({row.hint})")
        yield finding


def _session_of(name: str) -> Callable[[], str]:
    def check() -> str:
        import numpy as np

        from posetrack.backends import open_backend
        from posetrack.errors import BackendError

        device = "cuda" if name == "tensorrt" else "cpu"
        with tempfile.TemporaryDirectory() as folder:
            backend = open_backend(name, _relu(Path(folder), name), device=device, threads=1)
            values = np.array([-1, 0, 1, 2], np.float32)
            wanted = backend.inputs[0]
            shape = tuple(side or 1 for side in wanted.shape)
            result = backend.run({wanted.name: values.reshape(shape)})
            backend.close()
        answer = result["y"].ravel().tolist()
        if answer != [0, 0, 1, 2]:
            raise BackendError(f"gave {answer} for relu([-1, 0, 1, 2])")
        more = f", providers: {_providers()}" if name == "onnxruntime" else ""
        return f"a session ran on {backend.device}{more}"

    return check


def _relu(folder: Path, name: str) -> Path:
    """A file that the backend reads: y = relu(x) of four numbers."""
    if name == "ncnn":
        graph = folder / "relu.param"
        layers = ("Input x 0 1 x 0=4 1=1 2=1", "ReLU relu 1 1 x y")
        graph.write_text("\n".join(("7767517", "2 2", *layers, "")), "utf-8")
        graph.with_suffix(".bin").write_bytes(bytes(4))  # no weights
        return graph
    graph = folder / "relu.onnx"
    graph.write_bytes(tiny_graph())
    return graph


def _providers() -> str:
    import onnxruntime

    return ", ".join(onnxruntime.get_available_providers())


def _torch() -> str:
    import torch

    total = float((torch.ones(8, 8) @ torch.ones(8, 8)).sum())
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return f"tensors work (sum {total:g}), {gpus} CUDA devices"


def _embedded() -> str:
    import numpy as np

    from posetrack.perception import Perception

    with Perception() as perception:
        result = perception(np.zeros((240, 320, 3), np.uint8), 0.0)
    return f"detector and pose model ran; {len(result.tracks)} people in a black picture"


def _display() -> Finding:
    from posetrack.media.window import no_window

    reason = no_window()
    return Finding("note" if reason else "ok", "window", reason or "one can be shown")


def _fetched() -> Finding:
    from posetrack import zoo

    here = [entry.name for entry in zoo.list_models() if entry.ready]
    return Finding(
        "ok", "models", f"{', '.join(here) or 'none here'}; fetched to {zoo.models_dir()}"
    )


def tiny_graph() -> bytes:
    """An ONNX file, y = relu(x) for float x of length 4, written without the onnx package."""

    def part(number: int, value: bytes | int) -> bytes:
        if isinstance(value, int):
            return bytes([number << 3, value])
        return bytes([number << 3 | 2, len(value)]) + value

    tensor = part(1, 1) + part(2, part(1, part(1, 4)))  # float, one dimension of 4
    x = part(1, b"x") + part(2, part(1, tensor))
    y = part(1, b"y") + part(2, part(1, tensor))
    node = part(1, b"x") + part(2, b"y") + part(4, b"Relu")
    graph = part(1, node) + part(2, b"relu") + part(11, x) + part(12, y)
    return part(1, 8) + part(7, graph) + part(8, part(2, 13))
