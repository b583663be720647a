"""Pictures prepared by PyTorch, on the CPU device, beside those prepared by OpenCV."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from posetrack import demo, zoo  # noqa: E402
from posetrack.backends import open_backend  # noqa: E402
from posetrack.cards import ModelCard, ModelFile  # noqa: E402
from posetrack.detector import Detector  # noqa: E402
from posetrack.errors import BackendError  # noqa: E402
from posetrack.estimator import Estimator  # noqa: E402
from posetrack.geometry import CropTransform, Letterbox  # noqa: E402
from posetrack.networks import build  # noqa: E402
from posetrack.networks.checkpoint import load_model  # noqa: E402
from posetrack.ondevice import (  # noqa: E402
    DeviceDetector,
    DeviceEstimator,
    Uploads,
    cropped,
    letterboxed,
)
from posetrack.perception import Perception  # noqa: E402
from posetrack.zoo.conventions import card_for_pose  # noqa: E402

BOXES = np.array([[40, 60, 200, 400], [-30, -20, 90, 300], [500, 300, 700, 520]], np.float32)


@pytest.fixture(scope="module")
def picture() -> Any:
    image, _ = next(iter(demo.frames(0.1)))
    return image


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[ModelCard, Path]]:
    """The embedded models as checkpoints, and heatmaps by random weights."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("networks")
    made = {}
    for task in ("detection", "pose"):
        model = zoo.find(task=task)
        network, _ = load_model(model.path)
        made[task] = model.card, _saved(network, folder / f"{task}.pth")
    network = build("cspnext-t", input_size=(192, 256))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    path = _saved(network, folder / "heatmap.pth")
    file = ModelFile(format="pth", path=path.name)
    form = {"size": (192, 256), "keypoints": 17, "architecture": "cspnext-t"}
    made["heatmap"] = card_for_pose("heatmap", file, **form), path
    return made


def _saved(network: Any, path: Path) -> Path:
    torch.save({"state_dict": network.state_dict()}, path)
    return path


@pytest.mark.parametrize("udp", [False, True])
def test_crops_are_those_of_the_cpu_within_a_thirty_second_of_a_pixel(
    picture: Any, udp: bool
) -> None:
    transform = CropTransform.from_boxes(BOXES, (192, 256), udp=udp)
    ours = cropped(torch.from_numpy(picture), transform).permute(0, 2, 3, 1).numpy()
    theirs = np.stack([transform.crop(picture, row) for row in range(3)]).astype(np.float32)
    gap = np.abs(ours - theirs)
    # Half a step of 1/32 px in x and y, times the most that neighbours differ, and the rounding.
    steepest = max(np.abs(np.diff(picture.astype(int), axis=axis)).max() for axis in (0, 1))
    assert gap.max() <= 2 * steepest / 64 + 0.75
    assert gap.mean() < 0.5
    assert (theirs[1] == 0).any()  # outside the picture
    assert theirs.std() > 20


def test_a_crop_shifted_by_half_a_pixel_would_be_noticed(picture: Any) -> None:
    transform = CropTransform.from_boxes(BOXES + 0.5, (192, 256))
    ours = cropped(torch.from_numpy(picture), transform).permute(0, 2, 3, 1).numpy()
    plain = CropTransform.from_boxes(BOXES, (192, 256))
    theirs = np.stack([plain.crop(picture, row) for row in range(3)])
    assert np.abs(ours - theirs).mean() > 1


@pytest.mark.parametrize("size", [(320, 320), (640, 384), (100, 60)])
def test_the_letterbox_is_that_of_the_cpu_within_two_levels(
    picture: Any, size: tuple[int, int]
) -> None:
    box = Letterbox((640, 480), size)
    ours = letterboxed(torch.from_numpy(picture), box, 114)[0].permute(1, 2, 0).numpy()
    gap = np.abs(ours - box.resize(picture))
    assert gap.max() <= 2
    assert gap.mean() < 0.5


def test_a_detector_answers_as_the_one_that_prepares_on_the_cpu(
    picture: Any, cards: dict[str, tuple[ModelCard, Path]]
) -> None:
    card, path = cards["detection"]
    plain = Detector(card, open_backend("torch", path), threshold=card.thresholds.birth)(picture)
    device = DeviceDetector(card, open_backend("torch", path), threshold=card.thresholds.birth)
    found = device(picture)
    assert len(found) == len(plain) >= 2
    np.testing.assert_allclose(found.scores, plain.scores, atol=0.01)
    np.testing.assert_allclose(found.boxes, plain.boxes, atol=1.5)
    there = device(torch.from_numpy(picture))
    np.testing.assert_array_equal(found.boxes, there.boxes)


@pytest.mark.parametrize("sizes", [None, (2, 4)])
@pytest.mark.parametrize("flip_test", [False, True])
@pytest.mark.parametrize("name", ["pose", "heatmap"])
def test_an_estimator_answers_as_the_one_that_prepares_on_the_cpu(
    picture: Any,
    cards: dict[str, tuple[ModelCard, Path]],
    name: str,
    flip_test: bool,
    sizes: tuple[int, ...] | None,
) -> None:
    card, path = cards[name]
    plain = Estimator(card, open_backend("torch", path), flip_test=flip_test)(picture, BOXES)
    device = DeviceEstimator(card, open_backend("torch", path), flip_test=flip_test, sizes=sizes)
    found = device(picture, BOXES)
    gap = np.abs(found.keypoints - plain.keypoints).max(-1)  # (N, K) px
    assert (gap < 2).mean() > 0.95  # two peaks of nearly the same height may change places
    assert np.median(gap) < 0.5
    np.testing.assert_allclose(found.scores, plain.scores, atol=0.02)
    assert plain.keypoints.std() > 20
    there = device(torch.from_numpy(picture), BOXES)
    np.testing.assert_array_equal(found.keypoints, there.keypoints)
    assert len(device(picture, BOXES[:0])) == 0


def assert_same_but_for_ties(found: np.ndarray, wanted: np.ndarray) -> None:
    """A batch of another size sums in another order, and so does another processor."""
    gap = np.abs(found - wanted).max(-1)  # (N, K) px
    assert (gap < 0.6).mean() > 0.95  # two peaks of nearly the same height may change places


def test_more_people_than_the_largest_size_are_split_over_several_runs(
    picture: Any, cards: dict[str, tuple[ModelCard, Path]]
) -> None:
    card, path = cards["pose"]
    all_at_once = DeviceEstimator(card, open_backend("torch", path))(picture, BOXES)
    split = DeviceEstimator(card, open_backend("torch", path), sizes=(1, 2))(picture, BOXES)
    assert_same_but_for_ties(split.keypoints, all_at_once.keypoints)


def test_a_heat_map_can_be_kept(picture: Any, cards: dict[str, tuple[ModelCard, Path]]) -> None:
    card, path = cards["pose"]
    maps = []
    for kind in (Estimator, DeviceEstimator):
        estimator = kind(card, open_backend("torch", path), keep_heat=True)
        estimator.warm_up()
        estimator(picture, BOXES)
        heat = estimator.take_heat()
        assert heat is not None
        maps.append(heat.maps)
    assert maps[0].shape == maps[1].shape
    assert len(maps[0]) == len(BOXES)
    np.testing.assert_allclose(maps[1], maps[0], atol=0.05)


def test_pictures_of_several_streams_are_one_batch(
    picture: Any, cards: dict[str, tuple[ModelCard, Path]]
) -> None:
    card, path = cards["pose"]
    other, trusted = np.ascontiguousarray(picture[::-1]), np.ones(len(BOXES), np.float32)
    estimator = DeviceEstimator(card, open_backend("torch", path), sizes=(4, 8))
    found = estimator.many([(picture, BOXES, trusted), (other, BOXES, trusted)])
    for image, poses in zip((picture, other), found, strict=True):
        assert_same_but_for_ties(poses.keypoints, estimator(image, BOXES).keypoints)


def test_a_picture_is_uploaded_once_and_forgotten_with_it(picture: Any) -> None:
    uploads, image = Uploads(), picture.copy()
    assert uploads(image, "cpu") is uploads(image, "cpu")
    assert uploads(picture, "cpu") is not uploads(image, "cpu")
    assert len(uploads) == 2
    del image
    gc.collect()
    assert len(uploads) == 1
    mirrored = picture[:, ::-1]
    mirrored.setflags(write=False)
    np.testing.assert_array_equal(uploads(mirrored, "cpu").numpy(), mirrored)


def test_both_do_the_work_of_a_perception(
    picture: Any, cards: dict[str, tuple[ModelCard, Path]]
) -> None:
    how: dict[str, Any] = {"backend": "torch", "uploads": (uploads := Uploads())}
    det = DeviceDetector.load(cards["detection"][1], **how)
    pose = DeviceEstimator.load(cards["pose"][1], sizes=(1, 2, 4), **how)
    with Perception(det=det, pose=pose) as perception:
        result = perception(picture)
    assert result.detector_ran
    assert len(result.tracks) >= 2
    assert len(uploads) == 1


def test_another_backend_is_refused(cards: dict[str, tuple[ModelCard, Path]]) -> None:
    class Other:
        kind = "onnxruntime"

    card, path = cards["pose"]
    opened = open_backend("torch", path)
    other = Other()
    other.inputs, other.outputs = opened.inputs, opened.outputs  # type: ignore[attr-defined]
    with pytest.raises(BackendError, match="asked of onnxruntime: only torch can"):
        DeviceEstimator(card, other)  # type: ignore[arg-type]
