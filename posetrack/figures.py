"""Animated human figures drawn from a 3D skeleton, with exact keypoints: for demo clips and tests.

A body is a list of tapered tubes around bones, drawn orthographically into a depth buffer, so that
limbs hide each other as real ones do. Where the body's joints are says `posetrack.motions`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from posetrack.motions import Joints
from posetrack.types import Bools, Floats

Colour: TypeAlias = tuple[int, int, int]

_LIMB = 0.09
"""In body heights; joints lie inside of shoulders and hips."""
_LIGHT = np.array([-0.42, 0.58, 0.70], np.float32)
_COCO = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
)


@dataclass(frozen=True, slots=True)
class Outfit:
    """Colours (BGR) of one figure and how wide it is built."""

    skin: Colour
    hair: Colour
    top: Colour
    trousers: Colour
    shoes: Colour
    long_sleeves: bool = True
    stripes: bool = False
    long_hair: bool = False
    build: float = 1.0


@dataclass(frozen=True, slots=True)
class Sprite:
    """A drawn figure in its own pixels.

    Attributes:
        image: (h, w, 3) BGR float, already multiplied by `alpha`.
        alpha: (h, w) in [0, 1].
        keypoints: (17, 2) COCO keypoints, hidden ones too.
        box: (4,) xyxy around what is drawn.
        front: (17,) keypoints that the figure does not hide itself.
    """

    image: Floats
    alpha: Floats
    keypoints: Floats
    box: Floats
    front: Bools


class _Canvas:
    """Depth-buffered drawing of tubes, in pixels of a sprite with y down and z to the viewer."""

    def __init__(self, joints: Joints, yaw: float, scale: float, size: tuple[int, int]) -> None:
        self.width, self.height = size
        self.scale = scale
        self.image = np.zeros((self.height, self.width, 3), np.float32)
        self.depth = np.full((self.height, self.width), -np.inf, np.float32)
        self.rotation = np.array(
            [[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]]
        )
        self.points = {name: self.project(point) for name, point in joints.items()}

    def project(self, point: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """(x, y, z) sprite pixels of a body point."""
        x, y, z = self.rotation @ np.asarray(point, np.float64)
        return np.array(
            [self.width / 2 + x * self.scale, 0.97 * self.height - y * self.scale, z * self.scale]
        )

    def tube(
        self,
        start: str,
        end: str,
        profile: list[tuple[float, float, float]],
        colour: Colour,
        *,
        cap: tuple[float, float] = (1.0, 1.0),
        pattern: Literal["cloth", "stripes", "skin"] = "cloth",
        head: Outfit | None = None,
        toward: float = 0.0,
    ) -> None:
        """Draw a bone: `profile` is (t, half width, half depth) along it, `cap` scales the ends.

        A bone from a joint to itself is an upright ellipsoid. `head` paints a face and hair on
        it; `toward` brings the surface nearer to the viewer than its place says.
        """
        a, b = self.points[start], self.points[end]
        t_at, wide, deep = np.array(profile).T * np.array([[1.0], [self.scale], [self.scale]])
        axis = b[:2] - a[:2] if start != end else np.array([0.0, -1e-3])
        length = np.float32(max(float(np.hypot(*axis)), 1e-3))
        ux, uy = (axis / length).astype(np.float32)
        window = self._window(a, b, float(wide.max()) * max(1.0, *cap) + 2)
        gy, gx = np.mgrid[window].astype(np.float32)
        dx, dy = gx - np.float32(a[0]), gy - np.float32(a[1])
        along, across = dx * ux + dy * uy, dy * ux - dx * uy
        t = np.clip(along / length, 0, 1)
        # A table instead of interpolation at every pixel.
        steps, index = np.linspace(0, 1, 64), (t * 63).astype(np.intp)
        half_width = np.interp(steps, t_at, wide).astype(np.float32)[index]
        half_depth = np.interp(steps, t_at, deep).astype(np.float32)[index]
        beyond = np.where(along < 0, along, np.maximum(along - length, 0))
        beyond /= np.where(along < 0, np.float32(cap[0]), np.float32(cap[1])) * half_width
        nu = across / half_width
        facing = 1 - nu * nu - beyond * beyond
        nz = np.sqrt(np.maximum(facing, 0))
        depth = np.float32(a[2] + toward * self.scale) + t * np.float32(b[2] - a[2])
        depth += nz * half_depth
        seen = (facing > 0) & (depth > self.depth[window])
        self.depth[window][seen] = depth[seen]
        t, nu, beyond, nz = t[seen], nu[seen], beyond[seen], nz[seen]
        normal = np.stack([beyond * ux - nu * uy, -(nu * ux + beyond * uy), nz], axis=-1)
        if head is not None:
            surface = self._face(normal, head) * _shade(normal)
        else:
            surface = _fabric(t, nu, colour, pattern, seed=a[0]) * _shade(normal)
        self.image[window][seen] = surface

    def _window(
        self, a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], reach: float
    ) -> tuple[slice, slice]:
        """The pixels (rows, columns) within `reach` of the bone."""
        x0, y0 = np.floor(np.minimum(a[:2], b[:2]) - reach).astype(int)
        x1, y1 = np.ceil(np.maximum(a[:2], b[:2]) + reach).astype(int)
        return slice(max(y0, 0), min(y1, self.height)), slice(max(x0, 0), min(x1, self.width))

    def _face(self, normal: Floats, outfit: Outfit) -> Floats:
        """Colours of the head by where its surface points in the head's own axes."""
        x, y, z = np.moveaxis(normal @ self.rotation.astype(np.float32), -1, 0)
        colours = np.empty((*x.shape, 3), np.float32)
        skin, hair, long_hair = outfit.skin, outfit.hair, outfit.long_hair
        colours[:] = skin

        def paint(mask: npt.NDArray[np.bool_], colour: Colour) -> None:
            colours[mask] = colour

        def spot(cx: float, cy: float, rx: float, ry: float) -> npt.NDArray[np.bool_]:
            disc = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1
            return np.asarray(disc & (z > 0), np.bool_)

        shadow = tuple(int(c * 0.72) for c in skin)
        blush = (int(skin[0] * 0.93), int(skin[1] * 0.90), skin[2])
        for side in (-1, 1):
            paint(spot(0.45 * side, -0.25, 0.2, 0.14), blush)
            paint(spot(0.33 * side, 0.13, 0.20, 0.13), shadow)  # type: ignore[arg-type]
            paint(spot(0.33 * side, 0.10, 0.145, 0.065), (228, 232, 235))
            paint(spot(0.33 * side, 0.10, 0.07, 0.075), (38, 42, 52))
            paint(spot(0.34 * side, 0.24, 0.19, 0.04), hair)
        paint(spot(0.05, -0.12, 0.11, 0.20), tuple(min(255, int(c * 1.06)) for c in skin))  # type: ignore[arg-type]
        paint(spot(0.0, -0.28, 0.15, 0.05), shadow)  # type: ignore[arg-type]
        paint(spot(0.0, -0.50, 0.23, 0.055), (82, 78, 150))
        line = 0.42 + 0.16 * np.abs(x)
        back = z < (0.12 if long_hair else -0.05)
        paint((y > line) | (back & (y > (-0.95 if long_hair else -0.35))), hair)
        return colours


def _fabric(t: Floats, nu: Floats, colour: Colour, pattern: str, *, seed: float) -> Floats:
    """(n, 3) colours at places `t` along and `nu` across a tube."""
    albedo = np.broadcast_to(np.array(colour, np.float32), (len(t), 3))
    if pattern == "skin":
        return albedo
    if pattern == "stripes":
        light = np.array([225, 228, 232], np.float32)
        albedo = np.where(np.sin(t * 42)[:, None] > 0.35, light, albedo)
    folds = 1 + 0.05 * np.sin(t * 17 + nu * 5 + np.float32(seed))
    return np.asarray(albedo * folds[:, None], np.float32)


def _shade(normal: Floats) -> Floats:
    """(n, 1) diffuse key light, sky light from above and darkening at grazing angles."""
    lit = np.clip(normal @ (_LIGHT / np.linalg.norm(_LIGHT)), 0, 1)
    edge = 0.55 + 0.45 * np.sqrt(np.clip(normal[:, 2], 0, 1))
    return np.asarray(((0.44 + 0.66 * lit + 0.12 * normal[:, 1]) * edge)[:, None], np.float32)


def draw(
    joints: Joints, outfit: Outfit, *, yaw: float, height_px: float, supersample: float = 1.5
) -> Sprite:
    """The figure as seen from the front with the body turned by `yaw` (0 faces the viewer).

    The sprite is 1.1 body heights wide and 1.35 tall; the feet stand 3 % above its lower edge.
    """
    scale = height_px * supersample
    canvas = _Canvas(joints, yaw, scale, (int(1.1 * scale), int(1.35 * scale)))
    _dress(canvas, outfit, abs(math.cos(yaw)), abs(math.sin(yaw)))
    alpha = np.isfinite(canvas.depth).astype(np.float32)
    width, height = round(1.1 * height_px), round(1.35 * height_px)
    image = cv2.resize(canvas.image, (width, height), interpolation=cv2.INTER_AREA)
    alpha = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA)
    ys, xs = np.nonzero(alpha > 0.5)
    box = np.array([xs.min(), ys.min(), xs.max(), ys.max()], np.float32)
    places = _keypoints(canvas, joints)
    keypoints = (places[:, :2] / supersample).astype(np.float32)
    return Sprite(image, alpha, keypoints, box, _in_front(canvas, places))


def _dress(canvas: _Canvas, outfit: Outfit, front: float, side: float) -> None:
    """Draw every body part; `front` and `side` say how much of its width and depth shows."""
    build = outfit.build

    def torso(t: float, wide: float, deep: float) -> tuple[float, float, float]:
        seen = math.hypot(wide * front, deep * side)
        return t, seen * build, math.hypot(deep * front, wide * side) * build

    pattern: Literal["cloth", "stripes"] = "stripes" if outfit.stripes else "cloth"
    canvas.tube(
        "hem",
        "neck",
        [
            torso(0, 0.104, 0.082),
            torso(0.35, 0.094, 0.070),
            torso(0.72, 0.118, 0.078),
            torso(0.9, 0.106, 0.062),
            torso(1, 0.062, 0.045),
        ],
        outfit.top,
        cap=(0.08, 0.25),
        pattern=pattern,
        toward=0.018,
    )
    canvas.tube("neck", "head", [(0, 0.034, 0.034), (1, 0.032, 0.034)], outfit.skin, pattern="skin")
    # Head and jaw are ellipsoids: tubes of no length with long caps.
    wide = math.hypot(0.050 * front, 0.062 * side)
    ball = [(0.0, wide, 0.06), (1.0, wide, 0.06)]
    canvas.tube("face", "face", ball, outfit.skin, cap=(0.070 / wide,) * 2, head=outfit)
    wide = math.hypot(0.037 * front, 0.046 * side)
    ball = [(0.0, wide, 0.040), (1.0, wide, 0.040)]
    canvas.tube("jaw", "jaw", ball, outfit.skin, cap=(0.042 / wide,) * 2, pattern="skin")
    seat = [(0.0, 0.066, 0.062), (1.0, 0.066, 0.062)]
    canvas.tube("left_hip", "right_hip", seat, outfit.trousers, cap=(0.6, 0.6))
    sleeve = outfit.top if outfit.long_sleeves else outfit.skin
    for name in ("left", "right"):
        thigh = [(0, 0.068, 0.066), (0.5, 0.062, 0.062), (1, 0.046, 0.046)]
        calf = [(0, 0.045, 0.045), (0.3, 0.046, 0.048), (1, 0.033, 0.033)]
        arm = [(0, 0.044, 0.044), (0.4, 0.037, 0.037), (1, 0.030, 0.030)]
        fore = [(0, 0.030, 0.030), (0.3, 0.030, 0.030), (1, 0.021, 0.021)]
        canvas.tube(f"{name}_hip", f"{name}_knee", thigh, outfit.trousers, cap=(0.3, 1))
        canvas.tube(f"{name}_knee", f"{name}_ankle", calf, outfit.trousers, cap=(1, 0.3))
        shoe = [(0, 0.026, 0.026), (0.6, 0.026, 0.02), (1, 0.022, 0.016)]
        canvas.tube(f"{name}_heel", f"{name}_toe", shoe, outfit.shoes, pattern="skin")
        canvas.tube(f"{name}_shoulder", f"{name}_elbow", arm, outfit.top, pattern=pattern)
        canvas.tube(f"{name}_elbow", f"{name}_wrist", fore, sleeve, cap=(1, 0.5))
        palm = [(0, 0.019, 0.014), (0.5, 0.024, 0.014), (1, 0.013, 0.010)]
        canvas.tube(f"{name}_wrist", f"{name}_hand", palm, outfit.skin, pattern="skin")


def _keypoints(canvas: _Canvas, joints: Joints) -> npt.NDArray[np.float64]:
    """(17, 3) COCO keypoints in supersampled sprite pixels, z to the viewer."""
    centre = joints["face"]
    points = dict(joints)
    points["nose"] = centre + np.array([0, -0.012, 0.068])
    for side, sign in (("left", 1.0), ("right", -1.0)):
        points[f"{side}_eye"] = centre + np.array([0.018 * sign, 0.010, 0.056])
        points[f"{side}_ear"] = centre + np.array([0.050 * sign, 0.0, -0.006])
    return np.array([canvas.project(points[name]) for name in _COCO])


def _in_front(canvas: _Canvas, places: npt.NDArray[np.float64]) -> Bools:
    """(17,) keypoints with no more of the body before them than a limb is thick."""
    columns = np.clip(np.round(places[:, 0]).astype(int), 0, canvas.width - 1)
    rows = np.clip(np.round(places[:, 1]).astype(int), 0, canvas.height - 1)
    return np.asarray(canvas.depth[rows, columns] - places[:, 2] < _LIMB * canvas.scale, np.bool_)
