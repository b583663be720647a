"""Checkpoints of this project and of the OpenMMLab family: read without running their code."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from posetrack.errors import ModelError, ModelNotFound
from posetrack.networks import build
from posetrack.networks.cspnext import SCALES, STAGE_BLOCKS
from posetrack.networks.pickles import listed, read_plain
from posetrack.networks.rtmdet import SIZES
from posetrack.networks.rtmpose import SPLIT_RATIO, STRIDE
from posetrack.networks.slim import narrow

# A name ends in "-<first hex digits of sha256>" or "-<digits>_<date>"; some end in "-<date>" alone.
_DIGEST = re.compile(r"-([0-9a-f]{7,8})(?:_\d{8})?$")
_DATE = re.compile(r"20[12]\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")

HALF_SUFFIX = "_fp16"
"""Ends the name of a weight that an exported graph stores in 16 bits."""

_WRAPPERS = ("state_dict", "model", "ema_state_dict")
_PARTS = ("backbone.", "neck.", "head.", "bbox_head.")
_DROPPED = ("data_preprocessor.", "teacher.", "distill_losses.")


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What went into a model: counts and names; `mismatched` entries tell both shapes."""

    loaded: int
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether the model got every tensor and the state held no other."""
        return not (self.missing or self.unexpected or self.mismatched)


@dataclass(frozen=True, slots=True)
class Spec:
    """What the shapes of a state_dict tell of its network; `input_size` is (width, height).

    Detectors and heatmap networks run on any size: theirs is that of published models, unless the
    checkpoint tells (`Checkpoint.spec`).
    """

    architecture: str
    input_size: tuple[int, int]
    num_keypoints: int | None = None
    num_classes: int | None = None

    def build(self) -> nn.Module:
        """The network with fresh weights."""
        return build(
            self.architecture,
            input_size=self.input_size,
            num_keypoints=self.num_keypoints or 17,
            num_classes=self.num_classes or 1,
        )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a file of weights holds.

    Attributes:
        state: the weights by name, on the CPU, prefixes of wrappers removed.
        content: what the file has beside them; empty for weights alone.
    """

    state: dict[str, Tensor]
    content: Mapping[str, Any]

    @property
    def slim(self) -> str | None:
        """What a pruned network was before; None for any other."""
        return str(self.content["architecture"]) if self.content.get("slim") else None

    @property
    def recipe(self) -> dict[str, Any]:
        """What it was trained by; empty for weights that come from elsewhere."""
        recipe = self.content.get("recipe")
        return dict(recipe) if isinstance(recipe, Mapping) else {}

    @property
    def spec(self) -> Spec:
        """Its network, from the weights (the name, of a pruned one) and the size trained for."""
        spec = infer_architecture(self.state, self.slim)
        size = self.recipe.get("model", {}).get("input_size", spec.input_size)
        return replace(spec, input_size=tuple(size))

    def model(self) -> nn.Module:
        """The network with these weights in eval mode, as narrow as they are."""
        network = self.spec.build()
        if self.slim:
            narrow(network, self.state)
        load_into(network, self.state)
        return network.eval()


def read_checkpoint(path: str | Path, *, verify: bool = True) -> Checkpoint:
    """The checkpoint in a file.

    Nothing in the file is executed: a file that asks for code is refused. With `verify`, a digest
    in the file name (`-<sha8>.pth` or `-<sha8>_<date>.pth`) must be that of the content. Of a
    distillation checkpoint the student is returned. An ``.onnx`` file of `posetrack export` gives
    its weights back too (the large ones as the 16 bits they were stored in).

    Raises:
        ModelNotFound: no such file.
        ModelError: not a checkpoint, another content than its name says, or code inside.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelNotFound(f"checkpoint {path}: no such file")
    if verify:
        verify_digest(path)
    if path.suffix == ".onnx":
        return Checkpoint(_without_prefixes(_graph_weights(path)), {})
    content = weights = read_plain(path)
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            weights = content[wrapper]
            break
    if not isinstance(weights, Mapping):
        raise ModelError(f"checkpoint {path}: holds a {type(weights).__name__}, not weights")
    state = {str(k): v.detach() for k, v in weights.items() if isinstance(v, Tensor)}
    if not state:
        raise ModelError(f"checkpoint {path}: holds no tensors")
    beside = {} if weights is content else content
    return Checkpoint(_without_prefixes(state), beside)


def load_state(path: str | Path, *, verify: bool = True) -> dict[str, Tensor]:
    """The weights of `read_checkpoint`."""
    return read_checkpoint(path, verify=verify).state


def load_model(path: str | Path, *, verify: bool = True) -> tuple[nn.Module, Spec]:
    """The network of `read_checkpoint` in eval mode, and what it is."""
    checkpoint = read_checkpoint(path, verify=verify)
    return checkpoint.model(), checkpoint.spec


def _graph_weights(path: Path) -> dict[str, Tensor]:
    """The named weights of an exported graph."""
    import onnx
    import torch
    from onnx import numpy_helper

    try:
        weights = onnx.load(str(path)).graph.initializer
    except Exception as error:  # protobuf's own error class moves about
        raise ModelError(f"{path} is not an ONNX file: {error}") from error
    state = {}
    for weight in weights:
        name = weight.name.removesuffix(HALF_SUFFIX).removeprefix("network.")
        if name.startswith(_PARTS):
            state[name] = torch.from_numpy(numpy_helper.to_array(weight).copy()).float()
    if not state:
        raise ModelError(f"{path}: its weights have lost their names, it cannot be trained on")
    return state


def load_into(
    model: nn.Module, state: Mapping[str, Tensor], *, strict: bool = True, only: str = ""
) -> LoadReport:
    """Copies `state` into `model` and reports what did not fit.

    `only` restricts both sides to names that begin so (`only="backbone."` for a pretrained
    backbone). With `strict` any difference raises and the model stays as it was; without it, the
    tensors that fit are loaded, and it is an error only if none does.
    """
    own = {k: v for k, v in model.state_dict().items() if k.startswith(only)}
    given = {k: v for k, v in state.items() if k.startswith(only)}
    fitting = {k: v for k, v in given.items() if k in own and v.shape == own[k].shape}
    report = LoadReport(
        loaded=len(fitting),
        # Counters of batches do not matter to the network; converters leave them out.
        missing=tuple(k for k in own if k not in given and not k.endswith("num_batches_tracked")),
        unexpected=tuple(k for k in given if k not in own),
        mismatched=tuple(
            f"{k} {_shape(v)} for {_shape(own[k])}"
            for k, v in given.items()
            if k in own and v.shape != own[k].shape
        ),
    )
    if not fitting or (strict and not report.complete):
        raise ModelError(_misfit(report))
    model.load_state_dict(fitting, strict=False)
    return report


def infer_architecture(state: Mapping[str, Tensor], named: str | None = None) -> Spec:
    """Architecture, input size and outputs of a state_dict, from the shapes of its tensors.

    Of pruned weights the shapes do not tell the size: `named` does.
    """
    if "bbox_head.rtm_cls.0.weight" in state:
        size = _size(named) or next(s for s, scale in SIZES.items() if scale == _scale(state))
        side = 320 if size == "nano" else 640
        classes = state["bbox_head.rtm_cls.0.weight"].shape[0]
        return Spec(f"rtmdet-{size}", (side, side), num_classes=classes)
    if "head.cls_x.weight" in state and "head.mlp.1.weight" in state:
        width = state["head.cls_x.weight"].shape[0] // SPLIT_RATIO
        height = state["head.cls_y.weight"].shape[0] // SPLIT_RATIO
        cells = state["head.mlp.1.weight"].shape[1]
        if (width // STRIDE) * (height // STRIDE) != cells:
            raise ModelError(
                f"the weights are of a pose network with {cells} cells and SimCC bins for "
                f"{width} x {height} px, which do not belong together"
            )
        family, maps = "rtmpose", "head.final_layer.weight"
        if "head.mlp2.1.weight" in state:
            family, maps = _rtmw(state, width), "head.final_layer.conv.weight"
        keypoints = _require(state, maps).shape[0]
        return Spec(
            f"{family}-{_size(named) or _scale(state)}", (width, height), num_keypoints=keypoints
        )
    if "head.deconv_layers.0.weight" in state:
        keypoints = _require(state, "head.final_layer.weight").shape[0]
        return Spec(f"cspnext-{_size(named) or _scale(state)}", (192, 256), num_keypoints=keypoints)
    raise ModelError(
        "the weights are of no network known here; they hold "
        + listed(sorted({".".join(name.split(".")[:2]) for name in state}))
    )


def _rtmw(state: Mapping[str, Tensor], width: int) -> str:
    """``rtmw`` or ``rtmw3d``, whose z axis is as long as the crop is wide."""
    z = state.get("head.cls_z.weight")
    if z is None:
        return "rtmw"
    if z.shape[0] != width * SPLIT_RATIO:
        raise ModelError(
            f"the weights are of RTMW3D with {z.shape[0]} bins for z and {width * SPLIT_RATIO} for "
            "x: only as many for both are supported"
        )
    return "rtmw3d"


def verify_digest(path: Path) -> None:
    """Raises ModelError if the file name carries a digest which is not that of the content."""
    match = _DIGEST.search(path.stem)
    if match is None or _DATE.fullmatch(match[1]):
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(match[1]):
        raise ModelError(
            f"checkpoint {path}: its name says sha256 {match[1]}..., its content has "
            f"{found[:8]}...; download it again, or rename it if you changed it yourself"
        )


def _without_prefixes(state: dict[str, Tensor]) -> dict[str, Tensor]:
    for wanted in ("ema_model.", "student."):
        chosen = {k.removeprefix(wanted): v for k, v in state.items() if k.startswith(wanted)}
        state = chosen or state
    # Names without a dot are counters of averaging wrappers ("steps", "n_averaged").
    state = {k: v for k, v in state.items() if "." in k and not k.startswith(_DROPPED)}
    for prefix in ("module.", "_orig_mod.", "module."):
        if state and all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return {k: v for k, v in state.items() if not k.startswith(_DROPPED)}


def _size(named: str | None) -> str | None:
    return named and named.partition("-")[2]


def _scale(state: Mapping[str, Tensor]) -> str:
    width = _require(state, "backbone.stem.2.conv.weight").shape[0]
    depthwise = "backbone.stage1.0.depthwise_conv.conv.weight" in state
    blocks = sum(
        re.fullmatch(r"backbone\.stage2\.1\.blocks\.\d+\.conv2\.pointwise_conv\.conv\.weight", name)
        is not None
        for name in state
    )
    for name, scale in SCALES.items():
        shape = (scale.channels(64), scale.blocks(STAGE_BLOCKS[1]), scale.depthwise)
        if shape == (width, blocks, depthwise):
            return name
    raise ModelError(
        f"the weights have a backbone {width} channels wide with {blocks} blocks in stage 2, "
        f"which is none of {', '.join(SCALES)}"
    )


def _require(state: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in state:
        raise ModelError(f"the weights have no {name}")
    return state[name]


def _misfit(report: LoadReport) -> str:
    parts = [
        f"{len(names)} {word}: {listed(names)}"
        for word, names in (
            ("missing", report.missing),
            ("unexpected", report.unexpected),
            ("of another shape", report.mismatched),
        )
        if names
    ]
    return "the weights do not fit the network: " + "; ".join(parts or ["there are none"])


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"
