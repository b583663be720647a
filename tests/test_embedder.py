"""The embedder on a real small graph whose embedding is the mean colour of the crop."""

from __future__ import annotations

from pathlib import Path

import graphs
import numpy as np
import pytest

from posetrack.embedder import Embedder
from posetrack.errors import ModelError, ModelNotFound
from posetrack.export.parity import require_parity

CARD = """
name: colours
task: reid
architecture: mean
input: {size: [16, 32], color: bgr, mean: [128, 128, 128], std: [64, 64, 64]}
thresholds: {similarity: 0.8}
files: [{format: onnx, path: model.onnx}]
"""
RED, BLUE = (40, 40, 190), (180, 70, 40)


def folder_of(path: Path, card: str = CARD, **options: object) -> Path:
    graphs.mean_colour(path / "model.onnx", **options)  # type: ignore[arg-type]
    (path / "card.yaml").write_text(card)
    return path


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    return Embedder.load(folder_of(tmp_path_factory.mktemp("reid")))


def direction(*colours: tuple[int, int, int]) -> np.ndarray:
    """(N, 3) what the graph must say of pictures of one colour."""
    values = (np.array(colours, np.float64) - 128) / 64
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (120, 160, 3), np.uint8)


def test_each_box_has_an_embedding_of_length_one(embedder: Embedder) -> None:
    image = np.full((120, 160, 3), 128, np.uint8)
    image[20:100, 10:40], image[20:60, 80:140] = RED, BLUE
    found = embedder(image, [[10, 20, 40, 100], [80, 20, 140, 60]])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, direction(RED, BLUE), atol=0.05)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert embedder.similarity == 0.8


def test_only_what_is_in_the_box_is_seen_whatever_its_shape(embedder: Embedder) -> None:
    """A crop grown to the input's aspect, or padded, would show red."""
    image = np.full((120, 160, 3), RED, np.uint8)
    image[50:60, 10:150] = BLUE
    found = embedder(image, [[10, 50, 150, 60]])
    assert found[0] @ direction(BLUE)[0] > 0.99


def test_what_lies_outside_the_picture_is_not_seen(embedder: Embedder) -> None:
    image = np.full((120, 160, 3), BLUE, np.uint8)
    found = embedder(image, [[-90, -50, 30, 90]])
    assert found[0] @ direction(BLUE)[0] > 0.99


def test_nobody_is_no_embedding(embedder: Embedder) -> None:
    found = embedder(noise(), np.empty((0, 4)))
    assert found.shape == (0, 3)
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    "box",
    [[50, 50, 50, 50], [90, 90, 20, 20], [-80, -80, -10, -10], [500, 0, 600, 50]],
    ids=["a point", "inside out", "left of the picture", "right of it"],
)
def test_a_box_with_nothing_in_it_looks_like_nobody_and_spoils_no_other(
    box: list[float], embedder: Embedder
) -> None:
    found = embedder(noise(), [box, [20, 20, 80, 90]])
    np.testing.assert_array_equal(found[0], 0)
    np.testing.assert_array_equal(found[1:], embedder(noise(), [[20, 20, 80, 90]]))


def test_batches_of_any_size_say_what_single_runs_say(tmp_path: Path, embedder: Embedder) -> None:
    boxes = np.array([[i, i, i + 50, i + 40] for i in range(0, 70, 10)], np.float32)
    together = embedder(noise(), boxes)
    single = np.concatenate([embedder(noise(), [box]) for box in boxes])
    split = Embedder(embedder.card, embedder.backend, max_batch=3)(noise(), boxes)
    fixed = Embedder.load(folder_of(tmp_path, batch=2))
    assert fixed.max_batch == 2
    for other in (single, split, fixed(noise(), boxes)):
        np.testing.assert_allclose(other, together, atol=1e-6)


def test_the_card_says_the_order_of_the_colours(tmp_path: Path, embedder: Embedder) -> None:
    other = Embedder.load(folder_of(tmp_path, CARD.replace("bgr", "rgb")))
    box = [[20, 20, 80, 90]]
    np.testing.assert_allclose(other(noise(), box), embedder(noise(), box)[:, ::-1], atol=1e-6)


def _other_outputs(path: Path, outputs: dict[str, np.ndarray]) -> Path:
    graphs.fixed_outputs(path / "model.onnx", outputs, (32, 16))
    (path / "card.yaml").write_text(CARD)
    return path


@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        ({"a": np.ones((1, 3), np.float32), "b": np.ones((1, 9), np.float32)}, "1x3 and 1x9: a re"),
        ({"map": np.ones((1, 8, 4, 4), np.float32)}, r"1x8x4x4: a re-.* one output \(N, D\)"),
    ],
)
def test_a_graph_of_another_kind_is_one_line(
    outputs: dict[str, np.ndarray], text: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=text) as caught:
        Embedder.load(_other_outputs(tmp_path, outputs))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("[16, 32]", "[32, 64]", "the card says 32x64, the graph takes 16x32"),
        ("thresholds: {similarity: 0.8}\n", "", r"card.yaml.*needs thresholds.similarity"),
        ("similarity: 0.8", "similarity: 1.8", "thresholds.similarity"),
        ("task: reid", "task: pose\nskeleton: coco", "is a pose model, a reid model was asked"),
    ],
)
def test_a_card_that_does_not_fit_is_one_line(
    old: str, new: str, text: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=text) as caught:
        Embedder.load(folder_of(tmp_path, CARD.replace(old, new)))
    assert "\n" not in str(caught.value)


def test_a_converted_model_is_compared_with_the_first(tmp_path: Path, embedder: Embedder) -> None:
    longer = Embedder.load(folder_of(tmp_path / "longer", times=3))
    assert require_parity("longer", embedder, longer, "fp32").mean == pytest.approx(1)
    swapped = Embedder.load(folder_of(tmp_path / "swapped", CARD.replace("bgr", "rgb")))
    with pytest.raises(ModelError, match=r"swapped refused: .* mean cosine 0.999 at least"):
        require_parity("swapped", embedder, swapped, "fp32")


def test_embeddings_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="colours puts out embeddings that are no numbers: run"):
        Embedder.load(folder_of(tmp_path, times=float("inf")))


def test_a_bare_graph_needs_a_card_and_no_model_ships(tmp_path: Path) -> None:
    graph = graphs.mean_colour(tmp_path / "bare.onnx")
    with pytest.raises(ModelError, match=r"write bare\.card\.yaml beside it"):
        Embedder.load(graph)
    (tmp_path / "my.yaml").write_text(CARD)
    assert Embedder.load(f"{tmp_path / 'my.yaml'}@{graph}").length == 3
    with pytest.raises(ModelNotFound, match="no model named 'osnet'"):
        Embedder.load("osnet")
