"""From what a user says to a model that can be opened."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import graphs
import numpy as np
import pytest
from file_server import Files, serving

from posetrack import zoo
from posetrack.cards import load_card
from posetrack.errors import BackendMissing, DownloadError, ModelError, ModelNotFound
from posetrack.estimator import Estimator
from posetrack.networks import build
from posetrack.resources import configs_dir
from posetrack.skeletons import load_skeleton
from posetrack.zoo import convert, resolve
from posetrack.zoo.download import Address

HEAD = """name: {name}
task: pose
architecture: rtmpose-t
skeleton: coco
input: {{size: [192, 256], color: rgb, mean: [123.7, 116.3, 103.5], std: [58.4, 57.1, 57.4]}}
files:
"""


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    return graphs.brightest_pixel(tmp_path / "given" / "tiny.onnx")


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _zipped(graph: Path) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as opened:
        opened.write(graph, "20230504/rtmpose/end2end.onnx")
    return memory.getvalue()


def _engine(engines: Path, graph: Path, *, sha: str | None = None) -> Path:
    folder = engines / "tiny"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(graph.read_bytes())
    sha = sha or _sha(graph.read_bytes())
    (folder / "card.yaml").write_text(
        HEAD.format(name="tiny") + f"  - {{format: onnx, path: model.onnx, sha256: {sha}}}\n"
    )
    return folder


def _zoo_card(cards: Path, name: str, *files: str) -> None:
    lines = "".join(f"  - {{{file}}}\n" for file in files)
    (cards / f"{name}.yaml").write_text(HEAD.format(name=name) + lines)


def test_an_embedded_model_is_found_by_name_and_by_task(
    shipped: tuple[Path, Path], graph: Path
) -> None:
    folder = _engine(shipped[0], graph)
    for wanted in (None, "tiny"):
        model = zoo.find(wanted, task="pose")
        assert (model.name, model.path, model.origin) == ("tiny", folder / "model.onnx", "embedded")
    with pytest.raises(ModelNotFound, match="this installation ships no detection model"):
        zoo.find(None, task="detection")


def test_an_embedded_model_that_was_changed_is_refused(
    shipped: tuple[Path, Path], graph: Path
) -> None:
    _engine(shipped[0], graph, sha="f" * 64)
    with pytest.raises(ModelError, match=r"sha256 begins with .* the card says ffffffff"):
        zoo.find("tiny")
    (check,) = zoo.verify("tiny")
    assert check.ok is False


def test_an_unknown_name_gets_the_nearest(shipped: tuple[Path, Path], graph: Path) -> None:
    _engine(shipped[0], graph)
    with pytest.raises(ModelNotFound, match=r"no model named 'tinny' .*did you mean tiny\?"):
        zoo.find("tinny")


def test_a_bare_graph_is_understood_by_its_outputs(graph: Path) -> None:
    model = zoo.find(graph, task="pose")
    assert (model.name, model.card.skeleton, model.card.input.size) == ("tiny", "coco", (192, 256))
    assert zoo.find(str(graph)).path == graph


@pytest.mark.parametrize(("count", "name"), [(26, "halpe26"), (133, "coco_wholebody")])
def test_the_number_of_keypoints_tells_the_skeleton(count: int, name: str, tmp_path: Path) -> None:
    path = graphs.brightest_pixel(tmp_path / "m.onnx", keypoints=count)
    assert zoo.find(path).card.skeleton == name


def test_a_keypoint_count_of_no_known_set_asks_for_a_card(tmp_path: Path) -> None:
    path = graphs.brightest_pixel(tmp_path / "m.onnx", keypoints=19)
    with pytest.raises(ModelError, match="19 keypoints, which no known set has: write a card"):
        zoo.find(path)


def test_a_graph_of_another_kind_asks_for_a_card(tmp_path: Path) -> None:
    path = graphs.brightest_pixel(tmp_path / "m.onnx", names=("a", "b"), size=(32, 32))
    assert zoo.find(path).card.task == "pose"
    odd = graphs.fixed_outputs(
        tmp_path / "odd.onnx", {"out": np.zeros((1, 2), np.float32)}, (32, 32)
    )
    with pytest.raises(ModelError, match=r"puts out out, which tells .* write odd\.card\.yaml"):
        zoo.find(odd)


def test_a_card_beside_the_file_is_believed(graph: Path) -> None:
    graph.with_name("tiny.card.yaml").write_text(HEAD.format(name="mine") + "  []\n")
    assert zoo.find(graph).name == "mine"


def test_a_folder_and_a_card_file_mean_the_model_in_it(
    shipped: tuple[Path, Path], graph: Path
) -> None:
    folder = _engine(shipped[0], graph)
    for wanted in (folder, str(folder), folder / "card.yaml", folder / "model.onnx"):
        model = zoo.find(wanted)
        assert (model.name, model.path) == ("tiny", folder / "model.onnx")


def test_a_card_can_be_bound_to_a_file(shipped: tuple[Path, Path], graph: Path) -> None:
    (shipped[1] / "conventions.yaml").write_text(HEAD.format(name="conventions") + "  []\n")
    model = zoo.find(f"conventions@{graph}")
    assert (model.name, model.path) == ("conventions", graph)
    with pytest.raises(ModelError, match="only conventions: give yours as conventions@FILE"):
        zoo.find("conventions")
    with pytest.raises(ModelNotFound, match=r"none\.onnx not found: check the path after @"):
        zoo.find("conventions@none.onnx")


def test_a_zip_and_its_folder_mean_the_graph_inside(graph: Path, tmp_path: Path) -> None:
    archive = tmp_path / "sdk.zip"
    archive.write_bytes(_zipped(graph))
    model = zoo.find(archive, task="pose")
    assert model.path.name == "end2end.onnx"
    assert model.name == "sdk"
    assert zoo.find(archive).path == model.path, "unpacked once"


def test_a_zip_without_a_graph_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as opened:
        opened.writestr("readme.txt", "nothing")
    with pytest.raises(ModelError, match=r"m\.zip has no end2end\.onnx in it"):
        zoo.find(tmp_path / "m.zip")


@pytest.mark.parametrize("name", ["none.onnx", "no/such/folder", "card.yaml"])
def test_a_path_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(ModelNotFound, match=f"model {name} not found"):
        zoo.find(name)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ModelError, match=r"notes\.txt is no model: give \.onnx"):
        zoo.find(tmp_path / "notes.txt")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"has neither card\.yaml nor end2end\.onnx"):
        zoo.find(tmp_path / "empty")


def test_an_address_is_fetched_once_and_runs(graph: Path, cache_dir: Path) -> None:
    body = graph.read_bytes()
    files = Files({"/tiny.onnx": body})
    with serving(files) as base:
        model = zoo.find(f"{base}/tiny.onnx#sha256={_sha(body)}", task="pose")
        again = zoo.find(f"{base}/tiny.onnx#sha256={_sha(body)}", task="pose")
    assert model.path == again.path
    assert cache_dir in model.path.parents
    assert len(files.requests) == 1
    poses = Estimator.load(model.path)(np.zeros((20, 20, 3), np.uint8), [[0, 0, 9, 9]])
    assert len(poses) == 1


def test_an_address_without_digest_needs_permission(graph: Path) -> None:
    files = Files({"/tiny.onnx": graph.read_bytes()})
    with serving(files) as base:
        with pytest.raises(DownloadError, match=r"add #sha256=\.\.\. to the address, or take it"):
            zoo.find(f"{base}/tiny.onnx")
        assert zoo.find(f"{base}/tiny.onnx", allow_unverified=True).card.task == "pose"


def test_a_file_address_is_a_path(graph: Path) -> None:
    assert zoo.find(graph.as_uri()).path == graph


def test_pull_fetches_what_a_card_names_and_verify_checks_it(
    shipped: tuple[Path, Path], graph: Path, cache_dir: Path
) -> None:
    body = graph.read_bytes()
    files = Files({"/m/tiny.onnx": body})
    with serving(files) as base:
        _zoo_card(
            shipped[1], "far", f"format: onnx, url: '{base}/m/tiny.onnx', sha256: {_sha(body)}"
        )
        assert not zoo.entry("far").ready
        with pytest.raises(DownloadError, match="far is not here: fetch it with"):
            zoo.verify("far")
        model = zoo.pull("far")
    assert model.path == cache_dir / "far" / "tiny.onnx"
    assert zoo.entry("far").ready
    assert zoo.find("far", task="pose").path == model.path, "no network is needed any more"
    assert [check.ok for check in zoo.verify("far")] == [True]
    model.path.write_bytes(body[:-1] + b"!")
    assert [check.ok for check in zoo.verify("far")] == [False]
    with pytest.raises(ModelError, match="put the right file there, or fetch it again"):
        zoo.find("far")


def test_a_zip_of_unknown_digest_is_taken_only_with_permission(
    shipped: tuple[Path, Path], graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolve, "can_convert", lambda: False)
    files = Files({"/sdk.zip": _zipped(graph), "/m-00000000.pth": b"never asked for"})
    with serving(files) as base:
        _zoo_card(
            shipped[1],
            "twin",
            f"format: pth, url: '{base}/m-00000000.pth', sha8: '00000000'",
            f"format: sdk-zip, url: '{base}/sdk.zip'",
        )
        with pytest.raises(DownloadError) as caught:
            zoo.find("twin")
        message = str(caught.value)
        assert "m-00000000.pth must be converted, which needs torch and onnx" in message
        assert "sdk.zip has no known SHA-256 (`posetrack models pull twin --allow-unv" in message
        model = zoo.find("twin", allow_unverified=True)
    assert (model.name, model.path.name) == ("twin", "end2end.onnx")
    assert zoo.find("twin").path == model.path, "what was allowed stays allowed"
    (check,) = zoo.verify("twin")
    assert check.ok is True
    assert "as the download says" in check.message


def test_a_checkpoint_without_torch_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convert, "can_convert", lambda: False)
    (tmp_path / "m.pth").write_bytes(b"x")
    with pytest.raises(BackendMissing, match=r"pip install posetrack\[train\]"):
        zoo.find(tmp_path / "m.pth")


def test_an_onnx_model_is_refused_for_a_backend_of_checkpoints(graph: Path) -> None:
    with pytest.raises(ModelError, match="is onnx, this backend runs pth"):
        zoo.find(graph, formats=("pth",))


def test_two_cards_of_one_name_are_refused(shipped: tuple[Path, Path]) -> None:
    _zoo_card(shipped[1], "a", "format: onnx, path: m.onnx")
    (shipped[1] / "b.yaml").write_text((shipped[1] / "a.yaml").read_text())
    with pytest.raises(ModelError, match="two model cards have the name 'a'"):
        zoo.list_models()


def test_every_card_of_the_zoo_is_named_as_its_file_and_says_what_it_needs_to() -> None:
    cards = {path.stem: load_card(path) for path in (configs_dir() / "models").glob("*.yaml")}
    assert len(cards) > 85
    for stem, card in cards.items():
        assert card.name == stem
        assert card.licence
        assert card.training_data
        assert card.source.startswith("https://")
        for file in card.files:
            assert file.url is not None
            found = Address.parse(file.url).digest
            assert file.digest == (found if file.format == "pth" else None), file.url
        if card.task == "pose":
            assert len(card.keypoints) == len(load_skeleton(card.skeleton or ""))
        if card.architecture.startswith("rtmw-"):
            assert card.score_scale == 10, "its raw scores run to 10"


def test_the_parameters_of_a_card_are_those_of_its_network() -> None:
    torch = pytest.importorskip("torch")
    for entry in zoo.list_models():
        card = entry.card
        if entry.origin == "embedded" or card.parameters is None or card.task == "backbone":
            continue
        with torch.device("meta"):
            network = build(
                card.architecture,
                input_size=card.input.size,
                num_keypoints=len(card.keypoints) if card.task == "pose" else 1,
                num_classes=len(card.labels) or 1,
            )
        count = sum(parameter.numel() for parameter in network.parameters())
        assert abs(count - card.parameters) < 6000, card.name


def test_the_official_models_are_listed() -> None:
    names = {entry.name for entry in zoo.list_models()}
    assert {"rtmdet-nano-person", "rtmdet-m-person"} <= names
    assert {f"rtmpose-{size}-{data}" for size in "tsml" for data in ("body", "body8")} <= names
