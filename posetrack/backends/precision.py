"""What the processor is good at, and what that makes of ``--precision auto``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

VNNI = frozenset({"avx512_vnni", "avx_vnni"})
"""Without these int8 products of x86 saturate, and are no faster than floats."""
BF16 = frozenset({"avx512_bf16", "amx_bf16"})


@cache
def cpu_instructions() -> frozenset[str]:
    """Names of the processor's instruction sets as Linux gives them; empty elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return frozenset()
    for line in text.splitlines():
        if line.startswith(("flags", "Features")):
            return frozenset(line.partition(":")[2].split())
    return frozenset()


def fastest_precision(backend: str, device: str) -> str:
    """The precision of a model's files to take for speed, at less than one point of AP.

    int8 for ONNX Runtime and bf16 for OpenVINO, where the CPU computes in it; else ``fp32``. A
    model without such a file runs as it is. Measured by `benchmarks/exports.py`.
    """
    if device != "cpu":
        return "fp32"
    if backend == "onnxruntime" and cpu_instructions() & VNNI:
        return "int8"
    if backend == "openvino" and cpu_instructions() & BF16:
        return "bf16"
    return "fp32"
