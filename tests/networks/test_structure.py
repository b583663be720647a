"""Sizes and names of the networks against the published models."""

from __future__ import annotations

import pytest
import torch

from posetrack.errors import ModelError
from posetrack.networks import ARCHITECTURES, build
from posetrack.networks.rtmdet import RTMDet

# (size, keypoints, width, height, parameters, state_dict keys) of MMPose's own networks.
POSE = [
    ("t", 17, 192, 256, 3_337_007, 218),
    ("s", 17, 192, 256, 5_473_251, 254),
    ("m", 17, 192, 256, 13_587_611, 362),
    ("l", 17, 192, 256, 27_660_339, 470),
    ("m", 17, 288, 384, 13_717_659, 362),
    ("l", 17, 288, 384, 27_790_387, 470),
    ("x", 17, 288, 384, 49_434_283, 578),
    ("t", 26, 192, 256, 3_506_360, 218),
    ("s", 26, 192, 256, 5_699_052, 254),
    ("m", 26, 192, 256, 13_926_308, 362),
    ("l", 26, 192, 256, 28_111_932, 470),
    ("m", 26, 288, 384, 14_056_356, 362),
    ("l", 26, 288, 384, 28_241_980, 470),
    ("x", 26, 288, 384, 49_998_772, 578),
    ("t", 133, 192, 256, 5_519_779, 218),
    ("s", 133, 192, 256, 8_383_575, 254),
    ("m", 133, 192, 256, 17_953_039, 362),
    ("l", 133, 192, 256, 33_480_871, 470),
    ("l", 133, 288, 384, 33_610_919, 470),
    ("x", 133, 192, 256, 56_579_871, 578),
    ("x", 133, 288, 384, 56_709_919, 578),
    ("m", 21, 256, 256, 13_775_007, 362),
    ("t", 106, 256, 256, 5_048_584, 218),
    ("s", 106, 256, 256, 7_743_036, 254),
    ("m", 106, 256, 256, 16_973_812, 362),
    ("m", 98, 256, 256, 16_672_748, 362),
    ("m", 17, 256, 256, 13_624_475, 362),
    ("m", 14, 192, 256, 13_474_712, 362),
    ("m", 16, 256, 256, 13_586_842, 362),
]
# (architecture, width, height, parameters, state_dict keys), 133 keypoints.
WHOLEBODY = [
    ("rtmw-m", 192, 256, 32_258_207, 620),
    ("rtmw-l", 192, 256, 57_201_207, 728),
    ("rtmw-x", 192, 256, 92_041_903, 836),
    ("rtmw-l", 288, 384, 57_354_295, 728),
    ("rtmw-x", 288, 384, 92_194_991, 836),
    ("rtmw3d-l", 288, 384, 57_501_751, 729),
    ("rtmw3d-x", 288, 384, 92_342_447, 837),
]
# (size, classes, parameters, state_dict keys) of MMDetection's own networks.
DETECTORS = [
    ("nano", 1, 994_423, 698),
    ("m", 1, 24_663_447, 692),
    ("tiny", 80, 4_896_168, 476),
    ("s", 80, 8_886_924, 512),
    ("m", 80, 24_709_188, 692),
    ("l", 80, 52_315_804, 872),
    ("x", 80, 94_855_572, 1052),
]
# Parts of the same table: backbone, neck, head.
PARTS = [("nano", 545_128, 389_184, 60_111), ("m", 12_279_432, 11_049_408, 1_334_607)]


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("size", "keypoints", "width", "height", "parameters", "keys"), POSE)
def test_a_pose_network_has_exactly_the_published_number_of_parameters(
    size: str, keypoints: int, width: int, height: int, parameters: int, keys: int
) -> None:
    with torch.device("meta"):
        model = build(f"rtmpose-{size}", input_size=(width, height), num_keypoints=keypoints)
    assert count(model) == parameters
    assert len(model.state_dict()) == keys


@pytest.mark.parametrize(("name", "width", "height", "parameters", "keys"), WHOLEBODY)
def test_a_whole_body_network_has_exactly_the_published_number_of_parameters(
    name: str, width: int, height: int, parameters: int, keys: int
) -> None:
    with torch.device("meta"):
        model = build(name, input_size=(width, height), num_keypoints=133)
    assert count(model) == parameters
    assert len(model.state_dict()) == keys


@pytest.mark.parametrize(("size", "classes", "parameters", "keys"), DETECTORS)
def test_a_detector_has_exactly_the_published_number_of_parameters(
    size: str, classes: int, parameters: int, keys: int
) -> None:
    with torch.device("meta"):
        model = build(f"rtmdet-{size}", input_size=(640, 640), num_classes=classes)
    assert count(model) == parameters
    assert len(model.state_dict()) == keys


@pytest.mark.parametrize(("size", "backbone", "neck", "head"), PARTS)
def test_each_part_of_a_detector_has_its_published_size(
    size: str, backbone: int, neck: int, head: int
) -> None:
    with torch.device("meta"):
        model = RTMDet(size)
    assert [count(part) for part in (model.backbone, model.neck, model.bbox_head)] == [
        backbone,
        neck,
        head,
    ]


@pytest.mark.parametrize(("width", "height"), [(192, 256), (288, 384), (256, 256), (96, 128)])
def test_a_pose_network_gives_two_bins_per_pixel_and_axis(width: int, height: int) -> None:
    model = build("rtmpose-t", input_size=(width, height), num_keypoints=5).eval()
    with torch.inference_mode():
        x, y = model(torch.zeros(2, 3, height, width))
    assert x.shape == (2, 5, 2 * width)
    assert y.shape == (2, 5, 2 * height)


def test_a_network_with_depth_gives_as_many_bins_for_z_as_for_x() -> None:
    model = build("rtmw3d-t", input_size=(64, 96), num_keypoints=5).eval()
    with torch.inference_mode():
        x, y, z = model(torch.zeros(2, 3, 96, 64))
    assert (x.shape, y.shape, z.shape) == ((2, 5, 128), (2, 5, 192), (2, 5, 128))


def test_priors_are_multiples_of_the_stride_level_by_level_and_row_by_row() -> None:
    priors = RTMDet.priors([(2, 3), (1, 2), (1, 1)])
    assert priors.tolist() == [
        [0, 0, 8], [8, 0, 8], [16, 0, 8],
        [0, 8, 8], [8, 8, 8], [16, 8, 8],
        [0, 0, 16], [16, 0, 16],
        [0, 0, 32],
    ]  # fmt: skip


def test_decoded_boxes_grow_from_the_prior_by_the_distances() -> None:
    model = RTMDet("nano", num_classes=2)
    sizes = [(4, 6), (2, 3), (1, 2)]
    scores = [torch.zeros(1, 2, h, w) for h, w in sizes]
    distances = [
        torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 4, 1, 1).expand(1, 4, h, w) for h, w in sizes
    ]
    boxes, probabilities = model.decode(scores, distances)
    priors = model.priors(sizes)
    assert boxes.shape == (1, 32, 4)
    assert torch.equal(boxes[0, :, :2], priors[:, :2] - torch.tensor([1.0, 2.0]))
    assert torch.equal(boxes[0, :, 2:], priors[:, :2] + torch.tensor([3.0, 4.0]))
    assert torch.equal(probabilities, torch.full((1, 32, 2), 0.5))


def test_the_levels_of_a_detector_share_convolutions_but_not_batch_norms() -> None:
    with torch.device("meta"):
        head = RTMDet("tiny").bbox_head
    first, last = head.cls_convs[0][1], head.cls_convs[2][1]  # type: ignore[index]
    assert first.conv is last.conv
    assert first.bn is not last.bn


@pytest.mark.parametrize(
    ("asked", "told"),
    [("rtmpose-tiny", "did you mean"), ("RTMDET-M", "'rtmdet-m'"), ("yolo", "known are rtmpose-t")],
)
def test_an_unknown_architecture_is_refused_with_a_suggestion(asked: str, told: str) -> None:
    with pytest.raises(ModelError, match=f"architecture '{asked}' is not known.*{told}"):
        build(asked, input_size=(192, 256))


def test_an_input_size_which_is_no_multiple_of_32_is_refused() -> None:
    with pytest.raises(ModelError, match=r"input size \(200, 256\).*multiples of 32"):
        build("rtmpose-t", input_size=(200, 256))


def test_every_architecture_can_be_built() -> None:
    with torch.device("meta"):
        for name in ARCHITECTURES:
            build(name, input_size=(192, 256))
