"""Compares the networks with MMPose's and MMDetection's own, layer names and outputs.

    python benchmarks/oracle.py --mm-python /path/to/mm/bin/python

The reference runs in a second interpreter, because its packages need old dependencies:

    python3.11 -m venv mm
    mm/bin/pip install torch==2.13.0 "setuptools<81" wheel mmengine==0.10.7
    mm/bin/pip install --no-build-isolation mmcv-lite==2.1.0
    mm/bin/pip install --no-deps mmdet==3.3.0 mmpose==1.3.2
    mm/bin/pip install pycocotools shapely terminaltables tqdm scipy six json_tricks munkres cython
    mm/bin/pip install --no-deps --no-build-isolation --no-binary xtcocotools xtcocotools

That process builds each network from its own config, spreads random weights so that every layer's
signal is of order one (a stock initialisation gives nearly constant outputs, which prove nothing),
runs it, and writes weights, input and outputs. This process loads the weights by name into
posetrack's network and compares, one model at a time, one thread each. The command fails if any
difference exceeds the tolerance.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import types
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

TOLERANCE = 1e-4  # of the spread (max - min) of each output
BATCH = 4  # random pictures on which batch norms are measured
RESULTS = Path(__file__).parent / "results" / "oracle.json"


@dataclass(frozen=True)
class Case:
    """One network: the upstream config it comes from, changes to it, and its input size."""

    name: str
    architecture: str
    config: str
    width: int
    height: int
    classes: int = 1
    keypoints: int = 17
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def is_detector(self) -> bool:
        """Whether the config belongs to MMDetection."""
        return self.architecture.startswith("rtmdet")

    @property
    def has_depth(self) -> bool:
        """Whether the head has a line for z, which MMPose's package leaves to a project of its."""
        return self.architecture.startswith("rtmw3d")


BODY8, HALPE = "body_2d_keypoint/rtmpose/body8", "body8-halpe26"
UBODY, COCKTAIL = (f"wholebody_2d_keypoint/rtmpose/{data}" for data in ("ubody", "cocktail14"))
BATCHES = {"t": "8xb1024", "s": "8xb1024", "m": "8xb512", "l": "8xb512", "x": "8xb256"}
RTMW = {
    ("m", 256): "rtmw-m_8xb1024",
    ("l", 256): "rtmw-l_8xb1024",
    ("x", 256): "rtmw-x_8xb704",
    ("l", 384): "rtmw-l_8xb320",
    ("x", 384): "rtmw-x_8xb320",
}


def _pose(name: str, config: str, keypoints: int, **changes: Any) -> Case:
    """A case named ``rtmpose-<size>-<set>``, or ``-384``; the sides are those of the config."""
    height, width = map(int, config.rpartition("-")[2].removesuffix(".py").split("x"))
    architecture = "-".join(name.split("-")[:2])
    return Case(name, architecture, config, width, height, keypoints=keypoints, changes=changes)


def _body17(size: str, side: str = "256x192") -> Case:
    name = f"rtmpose-{size}-body17" + ("-384" if side == "384x288" else "")
    if size == "x":  # its 17-keypoint config is not in the package; only the output count differs
        config = f"{BODY8}/rtmpose-x_8xb256-700e_{HALPE}-{side}.py"
        return _pose(name, config, 17, **{"model.head.out_channels": 17})
    return _pose(name, f"{BODY8}/rtmpose-{size}_8xb256-420e_body8-{side}.py", 17)


def _halpe26(size: str, side: str = "256x192") -> Case:
    name = f"rtmpose-{size}-halpe26" + ("-384" if side == "384x288" else "")
    return _pose(name, f"{BODY8}/rtmpose-{size}_{BATCHES[size]}-700e_{HALPE}-{side}.py", 26)


def _wholebody(size: str, side: str = "256x192") -> Case:
    large = side == "384x288"
    name = f"rtmpose-{size}-wholebody133" + ("-384" if large else "")
    batch = "8xb32" if large else "8xb64"
    return _pose(name, f"{UBODY}/rtmpose-{size}_{batch}-270e_coco-ubody-wholebody-{side}.py", 133)


def _rtmw(size: str, height: int, *, depth: bool = False) -> Case:
    family = "rtmw3d" if depth else "rtmw"
    name = f"{family}-{size}" + ("-384" if height == 384 and not depth else "")
    side = "384x288" if height == 384 else "256x192"
    return _pose(name, f"{COCKTAIL}/{RTMW[size, height]}-270e_cocktail14-{side}.py", 133)


def _detector(size: str) -> Case:
    config = f"rtmdet/rtmdet_{size}_8xb32-300e_coco.py"
    return Case(f"rtmdet-{size}", f"rtmdet-{size}", config, 640, 640, classes=80)


NANO = {
    "model.backbone.deepen_factor": 0.33,
    "model.backbone.widen_factor": 0.25,
    "model.backbone.use_depthwise": True,
    "model.neck.in_channels": [64, 128, 256],
    "model.neck.out_channels": 64,
    "model.neck.num_csp_blocks": 1,
    "model.neck.use_depthwise": True,
    "model.bbox_head.num_classes": 1,
    "model.bbox_head.in_channels": 64,
    "model.bbox_head.feat_channels": 64,
    "model.bbox_head.share_conv": False,
    "model.bbox_head.exp_on_reg": False,
    "model.bbox_head.use_depthwise": True,
}
ONE_CLASS = {"model.bbox_head.num_classes": 1}
LARGE, MEDIUM = (f"rtmdet/rtmdet_{size}_8xb32-300e_coco.py" for size in "lm")
FACE, SINGLE = "face_2d_keypoint/rtmpose", "body_2d_keypoint/rtmpose"
HAND = "hand_2d_keypoint/rtmpose/hand5/rtmpose-m_8xb256-210e_hand5-256x256.py"
ANIMAL = "animal_2d_keypoint/rtmpose/ap10k/rtmpose-m_8xb64-210e_ap10k-256x256.py"
CASES = (
    *(_body17(size) for size in "tsml"),
    *(_body17(size, "384x288") for size in "mlx"),
    *(_halpe26(size) for size in "tsml"),
    *(_halpe26(size, "384x288") for size in "mlx"),
    *(_wholebody(size) for size in "tsmlx"),
    *(_wholebody(size, "384x288") for size in "lx"),
    _pose("rtmpose-m-hand21", HAND, 21),
    *(
        _pose(f"rtmpose-{s}-face106", f"{FACE}/face6/rtmpose-{s}_8xb256-120e_face6-256x256.py", 106)
        for s in "tsm"
    ),
    _pose("rtmpose-m-face98-wflw", f"{FACE}/wflw/rtmpose-m_8xb64-60e_wflw-256x256.py", 98),
    _pose("rtmpose-m-ap10k", ANIMAL, 17),
    _pose(
        "rtmpose-m-crowdpose14",
        f"{SINGLE}/crowdpose/rtmpose-m_8xb64-210e_crowdpose-256x192.py",
        14,
    ),
    _pose("rtmpose-m-mpii16", f"{SINGLE}/mpii/rtmpose-m_8xb64-210e_mpii-256x256.py", 16),
    *(_rtmw(size, height) for size, height in RTMW),
    *(_rtmw(size, 384, depth=True) for size in "lx"),
    *(_detector(size) for size in ("tiny", "s", "m", "l", "x")),
    Case("rtmdet-nano-person", "rtmdet-nano", LARGE, 320, 320, changes=NANO),
    Case("rtmdet-m-person", "rtmdet-m", MEDIUM, 640, 640, changes=ONE_CLASS),
    Case("rtmdet-nano-hand", "rtmdet-nano", LARGE, 320, 320, changes=NANO),
)


# The reference process ---------------------------------------------------------------------------


class _NoExtension(types.ModuleType):
    """In place of mmcv's compiled operators, none of which these networks call."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: None


def write_reference(case: Case, folder: Path) -> None:
    """Builds and runs the upstream network of `case`; writes `<name>.pt` into `folder`."""
    torch.set_num_threads(1)
    sys.modules.setdefault("mmcv._ext", _NoExtension("mmcv._ext"))
    torch.manual_seed(zlib.crc32(case.name.encode()))
    model = _upstream(case)
    images = torch.randn(BATCH, 3, case.height, case.width)
    if case.is_detector:
        images = images[:, :, :320, :320]  # statistics need no full size
    _spread(model, images)
    image = torch.randn(1, 3, case.height, case.width)
    with torch.inference_mode():
        outputs = _flat(model(image, None, mode="tensor"))
    content = {
        "state": model.state_dict(),
        "image": image,
        "outputs": outputs,
        "versions": _versions("mmpose", "mmdet", "mmengine"),
    }
    torch.save(content, folder / f"{case.name}.pt")


def _upstream(case: Case) -> nn.Module:
    import mmdet
    import mmpose
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    package = mmdet if case.is_detector else mmpose
    config = Config.fromfile(Path(package.__file__).parent / ".mim" / "configs" / case.config)
    config.merge_from_dict(case.changes)
    _simplify(config.model)
    init_default_scope("mmdet" if case.is_detector else "mmpose")
    if case.is_detector:
        from mmdet.registry import MODELS
    else:
        from mmpose.registry import MODELS
    model: nn.Module = MODELS.build(config.model)
    if case.has_depth:
        _give_depth(model.head, case.width)
    return model


def _give_depth(head: Any, depth: int) -> None:
    """MMPose's RTMW head with the line for z that the project rtmpose3d adds to it, in place."""
    head.cls_z = nn.Linear(head.cls_x.in_features, 2 * depth, bias=False)
    tokens: list[Tensor] = []
    head.gau.register_forward_hook(lambda _, __, out: tokens.append(out))
    plain = head.forward
    head.forward = lambda maps: (*plain(maps), head.cls_z(tokens.pop()))


def _simplify(config: Any) -> None:
    """Plain batch norms and no pretrained weights, everywhere in a model config."""
    if not isinstance(config, dict):
        return
    if config.get("type") == "SyncBN":
        config["type"] = "BN"
    if isinstance(config.get("init_cfg"), dict) and config["init_cfg"].get("type") == "Pretrained":
        config["init_cfg"] = None
    for value in config.values():
        _simplify(value)


def _spread(model: nn.Module, images: Tensor) -> None:
    """Random weights of unit gain; batch norm statistics measured on `images`."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.5)
        elif isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the average of the batches seen
            nn.init.uniform_(module.weight, 0.7, 1.3)
            nn.init.uniform_(module.bias, -0.3, 0.3)
    with torch.no_grad():
        model.train()
        model(images, None, mode="tensor")
    model.eval()


# The comparing process ---------------------------------------------------------------------------


def compare(case: Case, reference: dict[str, Any]) -> dict[str, Any]:
    """Our network with the reference's weights against the reference's outputs."""
    from posetrack.networks.checkpoint import infer_architecture, load_into

    model = _expected(case).build().eval()
    state = {k: v for k, v in reference["state"].items() if not k.startswith("data_preprocessor.")}
    load_into(model, state)
    with torch.inference_mode():
        ours = _flat(model(reference["image"]))
    differences = [
        ((a - b).abs().max() / (b.max() - b.min())).item()
        for a, b in zip(ours, reference["outputs"], strict=True)
    ]
    return {
        "model": case.name,
        "input": f"{case.height}x{case.width}",
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "keys": len(state),
        "recognised": infer_architecture(state) == _expected(case),
        "spreads": [round((b.max() - b.min()).item(), 3) for b in reference["outputs"]],
        "difference": max(differences),
        "passed": max(differences) <= TOLERANCE,
    }


def _expected(case: Case) -> Any:
    """What the weights of `case` must be recognised as."""
    from posetrack.networks.checkpoint import Spec

    size = (case.width, case.height)
    if case.is_detector:
        return Spec(case.architecture, size, num_classes=case.classes)
    return Spec(case.architecture, size, num_keypoints=case.keypoints)


def _flat(outputs: Any) -> list[Tensor]:
    if isinstance(outputs, Tensor):
        return [outputs]
    return [tensor for part in outputs for tensor in _flat(part)]


def _versions(*packages: str) -> dict[str, str]:
    from importlib.metadata import version

    return {"python": platform.python_version()} | {p: version(p) for p in ("torch", *packages)}


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def main() -> int:
    """Runs the comparison and prints one table; 0 if every network agrees."""
    parser = argparse.ArgumentParser(description="Compare the networks with MMPose and MMDetection")
    parser.add_argument("--mm-python", help="interpreter of the environment with mmpose and mmdet")
    parser.add_argument("--only", default="", help="names that contain this")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--reference", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    cases = [case for case in CASES if options.only in case.name]
    if options.reference:
        write_reference(next(c for c in CASES if c.name == options.reference), options.folder)
        return 0
    if not options.mm_python:
        parser.error(f"--mm-python is needed. To make such an environment:\n{__doc__}")
    torch.set_num_threads(1)
    rows, versions = [], {}
    print(f"{'model':30} {'parameters':>12} {'keys':>5} {'max difference / spread':>24}")
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            command = [options.mm_python, __file__, "--reference", case.name, "--folder", folder]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{case.name}: the reference failed\n{done.stderr}", file=sys.stderr)
                return 1
            reference = torch.load(Path(folder, f"{case.name}.pt"), weights_only=True)
        row = compare(case, reference)
        versions = reference["versions"]
        rows.append(row)
        verdict = "ok" if row["passed"] and row["recognised"] else "DIFFERS"
        print(
            f"{case.name:30} {row['parameters']:>12,} {row['keys']:>5} "
            f"{row['difference']:>24.1e} {verdict}",
            flush=True,
        )
    report = {
        "command": "python benchmarks/oracle.py --mm-python PYTHON",
        "commit": _commit(),
        "machine": {"system": platform.system(), "processor": platform.machine()},
        "versions": {"posetrack": _versions("numpy"), "reference": versions},
        "tolerance": TOLERANCE,
        "networks": rows,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if all(row["passed"] and row["recognised"] for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
