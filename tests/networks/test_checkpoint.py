"""Loading checkpoints: what fits, what is told about the rest, and that no code runs."""

from __future__ import annotations

import hashlib
import os
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from posetrack.errors import ModelError, ModelNotFound
from posetrack.networks import build
from posetrack.networks.checkpoint import (
    Spec,
    infer_architecture,
    load_into,
    load_model,
    load_state,
)

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def weights() -> State:
    torch.manual_seed(0)
    return build("rtmpose-t", input_size=(64, 96), num_keypoints=3).state_dict()


def saved(content: object, path: Path) -> Path:
    torch.save(content, path)
    return path


def named_by_digest(path: Path, suffix: str = "") -> Path:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    return path.rename(path.with_name(f"net-{digest}{suffix}.pth"))


def same(a: State, b: State) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "ema_state_dict"])
def test_weights_are_found_under_every_usual_key(
    tmp_path: Path, weights: State, wrapper: str
) -> None:
    path = saved({"meta": {"epoch": 3}, wrapper: weights}, tmp_path / "net.pth")
    assert same(load_state(path), weights)


def test_bare_weights_are_loaded(tmp_path: Path, weights: State) -> None:
    assert same(load_state(saved(weights, tmp_path / "net.pth")), weights)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "ema_model.module.", "student."])
def test_prefixes_of_wrappers_are_removed(tmp_path: Path, weights: State, prefix: str) -> None:
    content = {prefix + key: value for key, value in weights.items()}
    assert same(load_state(saved(content, tmp_path / "net.pth")), weights)


def test_of_a_distillation_checkpoint_the_student_is_kept(tmp_path: Path, weights: State) -> None:
    content = {
        **{f"student.{key}": value for key, value in weights.items()},
        **{f"teacher.{key}": value + 1 for key, value in weights.items()},
        "distill_losses.loss_fea.align.weight": torch.ones(1),
        "student.data_preprocessor.mean": torch.ones(3),
    }
    assert same(load_state(saved({"state_dict": content}, tmp_path / "net.pth")), weights)


def test_averaging_counters_are_dropped(tmp_path: Path, weights: State) -> None:
    content = {"steps": torch.tensor(5), **{f"module.{k}": v for k, v in weights.items()}}
    assert same(load_state(saved({"ema_state_dict": content}, tmp_path / "net.pth")), weights)


def test_numpy_arrays_and_scalars_beside_the_weights_are_read(
    tmp_path: Path, weights: State
) -> None:
    meta = {
        "sigmas": np.linspace(0, 1, 17),
        "flip": np.arange(3, dtype=np.int32),
        "names": np.array(["nose", "eye"]),
        "best": np.float64(0.7),
    }
    path = saved({"meta": meta, "state_dict": weights}, tmp_path / "net.pth")
    assert same(load_state(path), weights)


def test_foreign_bookkeeping_is_read_without_importing_it(
    tmp_path: Path, weights: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = types.ModuleType("mmengine.logging.history_buffer")

    class HistoryBuffer:
        def __init__(self) -> None:
            self.history = np.arange(4.0)
            self.methods = {"mean": HistoryBuffer.mean}

        def mean(self) -> float:
            return 0.0

    HistoryBuffer.__module__ = module.__name__
    HistoryBuffer.__qualname__ = "HistoryBuffer"
    HistoryBuffer.mean.__qualname__ = "HistoryBuffer.mean"
    HistoryBuffer.mean.__module__ = module.__name__
    module.HistoryBuffer = HistoryBuffer
    for name in ("mmengine", "mmengine.logging"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    content = {"message_hub": {"loss": HistoryBuffer()}, "state_dict": weights}
    path = saved(content, tmp_path / "epoch_1.pth")
    monkeypatch.setitem(sys.modules, module.__name__, None)
    assert same(load_state(path), weights)


class Malicious:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.target}",)


def test_a_file_that_asks_for_code_is_refused_and_the_code_not_run(
    tmp_path: Path, weights: State
) -> None:
    target = tmp_path / "ran"
    path = saved({"state_dict": weights, "meta": Malicious(target)}, tmp_path / "net.pth")
    with pytest.raises(ModelError, match=r"asks for (posix|nt)\.system; only files of tensors"):
        load_state(path)
    assert not target.exists()


class Evaluated:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return eval, ("1 + 1",)


def test_a_file_that_asks_for_eval_in_the_old_format_is_refused(
    tmp_path: Path, weights: State
) -> None:
    path = tmp_path / "net.pth"
    torch.save({"x": Evaluated(), **weights}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(ModelError, match=r"net\.pth"):
        load_state(path)


@pytest.mark.parametrize("suffix", ["", "_20230126"])
def test_a_digest_in_the_name_is_verified(tmp_path: Path, weights: State, suffix: str) -> None:
    path = named_by_digest(saved(weights, tmp_path / "net.pth"), suffix)
    assert same(load_state(path), weights)
    changed = path.with_name(f"net-0badc0de{suffix}.pth")
    path.rename(changed)
    with pytest.raises(ModelError, match=r"its name says sha256 0badc0de.*download it again"):
        load_state(changed)
    assert same(load_state(changed, verify=False), weights)


def test_a_date_at_the_end_of_the_name_is_no_digest(tmp_path: Path, weights: State) -> None:
    path = saved(weights, tmp_path / "rtmw-x_270e-256x192-20231122.pth")
    assert same(load_state(path), weights)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"nothing\.pth: no such file"):
        load_state(tmp_path / "nothing.pth")


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"PK\x03\x04 cut"])
def test_a_file_which_is_no_checkpoint_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "page.pth"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"page\.pth: .*not a (PyTorch )?checkpoint"):
        load_state(path)


def test_a_truncated_checkpoint_is_told(tmp_path: Path, weights: State) -> None:
    path = saved(weights, tmp_path / "net.pth")
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(ModelError, match=r"net\.pth: damaged"):
        load_state(path)


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": {"epoch": 3}}])
def test_a_file_without_weights_is_told(tmp_path: Path, content: object) -> None:
    with pytest.raises(ModelError, match=r"holds (a list, not weights|no tensors)"):
        load_state(saved(content, tmp_path / "net.pth"))


def test_half_precision_weights_are_loaded_into_a_float32_model(weights: State) -> None:
    halves = {k: v.half() if v.is_floating_point() else v for k, v in weights.items()}
    model = build("rtmpose-t", input_size=(64, 96), num_keypoints=3)
    report = load_into(model, halves)
    assert report.complete
    assert report.loaded == len(weights)
    assert model.state_dict()["head.cls_x.weight"].dtype == torch.float32


def test_strict_loading_names_every_kind_of_misfit_and_changes_nothing(weights: State) -> None:
    model = build("rtmpose-t", input_size=(64, 96), num_keypoints=4)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    state = {**weights, "neck.extra": torch.ones(1)}
    del state["head.cls_x.weight"]
    with pytest.raises(ModelError) as caught:
        load_into(model, state)
    told = str(caught.value)
    assert "1 missing: head.cls_x.weight" in told
    assert "1 unexpected: neck.extra" in told
    assert "head.final_layer.weight 3x384x7x7 for 4x384x7x7" in told
    assert same(before, model.state_dict())


def test_a_pretrained_backbone_is_loaded_into_another_network(weights: State) -> None:
    model = build("rtmdet-tiny", input_size=(640, 640))
    report = load_into(model, weights, only="backbone.")
    assert report.complete
    assert torch.equal(
        model.state_dict()["backbone.stem.0.conv.weight"], weights["backbone.stem.0.conv.weight"]
    )


def test_loading_what_fits_reports_the_rest(weights: State) -> None:
    model = build("rtmpose-t", input_size=(64, 96), num_keypoints=4)
    report = load_into(model, weights, strict=False)
    assert not report.complete
    assert [entry.split()[0] for entry in report.mismatched] == [
        "head.final_layer.weight",
        "head.final_layer.bias",
    ]
    with pytest.raises(ModelError, match="do not fit the network"):
        load_into(model, {"a.b": torch.ones(1)}, strict=False)


@pytest.mark.parametrize(
    "spec",
    [
        *(Spec(f"rtmpose-{s}", (192, 256), num_keypoints=26) for s in ("t", "s", "m", "l", "x")),
        Spec("rtmpose-m", (288, 384), num_keypoints=133),
        Spec("rtmw-m", (192, 256), num_keypoints=133),
        Spec("rtmw3d-l", (288, 384), num_keypoints=133),
        Spec("rtmdet-nano", (320, 320), num_classes=1),
        *(Spec(f"rtmdet-{s}", (640, 640), num_classes=80) for s in ("tiny", "s", "m", "l", "x")),
    ],
    ids=lambda spec: f"{spec.architecture}-{spec.input_size[1]}",
)
def test_the_architecture_is_read_from_the_shapes(spec: Spec) -> None:
    with torch.device("meta"):
        state = spec.build().state_dict()
    assert infer_architecture(state) == spec


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"head.mlp2.1.weight": torch.ones(128, 24), "head.cls_z.weight": torch.ones(100, 256)},
            "RTMW3D with 100 bins for z",
        ),
        ({"head.mlp.1.weight": torch.ones(256, 48)}, "48 cells"),
        ({"backbone.stem.2.conv.weight": torch.ones(20, 12, 3, 3)}, "20 channels wide"),
    ],
)
def test_shapes_of_no_known_network_are_told(weights: State, change: State, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        infer_architecture({**weights, **change})


def test_weights_of_another_kind_are_told() -> None:
    state = {"head.other_layers.0.weight": torch.ones(1), "backbone.stem.0.bias": torch.ones(1)}
    with pytest.raises(ModelError, match=r"they hold backbone\.stem, head\.other_layers"):
        infer_architecture(state)


def test_a_model_is_loaded_from_its_file_alone(tmp_path: Path, weights: State) -> None:
    model, spec = load_model(saved({"state_dict": weights}, tmp_path / "net.pth"))
    assert spec == Spec("rtmpose-t", (64, 96), num_keypoints=3)
    assert not model.training
    assert same(model.state_dict(), weights)
