// People of a model with depths, seen from any side: a turntable over a floor, drawn by projection.
//
// A message has pixels and, for each keypoint, metres before or behind the person's middle. How far
// away a person stands is told by size: everybody is taken to be 1.7 m tall, the lens to see 53°.

import { colours } from "./overlay.js";

const TALL_M = 1.7;
const REACH_M = 6; // half the side of the floor

/** What may be turned, by pointer and by arrow keys. */
export class Camera {
  yaw = 0.6;
  tilt = 0.25;
  away_m = 6;

  /** Listen to an element; `isOn` says whether it shows the space now. */
  constructor(place, isOn, onChange) {
    let at = null;
    place.addEventListener("pointerdown", (event) => {
      if (!isOn()) return;
      at = [event.clientX, event.clientY];
      place.setPointerCapture(event.pointerId);
    });
    place.addEventListener("pointermove", (event) => {
      if (at === null || !isOn()) return;
      this.turn((event.clientX - at[0]) / 150, (event.clientY - at[1]) / 150);
      at = [event.clientX, event.clientY];
      onChange();
    });
    for (const end of ["pointerup", "pointercancel"]) {
      place.addEventListener(end, () => (at = null));
    }
    const keys = {
      ArrowLeft: [-0.1, 0],
      ArrowRight: [0.1, 0],
      ArrowUp: [0, -0.1],
      ArrowDown: [0, 0.1],
    };
    place.addEventListener("keydown", (event) => {
      if (!isOn() || !(event.key in keys)) return;
      event.preventDefault();
      this.turn(...keys[event.key]);
      onChange();
    });
  }

  turn(yaw, tilt) {
    this.yaw += yaw;
    this.tilt = Math.min(1.4, Math.max(0, this.tilt + tilt));
  }

  /** From metres (x right, y up, z away) to canvas pixels; null behind the camera. */
  projection(width, height) {
    const [cy, sy] = [Math.cos(this.yaw), Math.sin(this.yaw)];
    const [ct, st] = [Math.cos(this.tilt), Math.sin(this.tilt)];
    const focal = 0.9 * Math.min(width, 1.4 * height);
    return ([x, y, z]) => {
      const [across, into] = [x * cy + z * sy, z * cy - x * sy];
      const up = y - TALL_M / 2;
      const depth = into * ct - up * st + this.away_m;
      if (depth < 0.2) return null;
      return [
        width / 2 + (focal * across) / depth,
        height / 2 - (focal * (up * ct + into * st)) / depth,
      ];
    };
  }
}

/** Whether a message can be shown in space. */
export const hasDepths = (message) => message?.people.some((person) => person.depths) ?? false;

/** Metres of each person's keypoints, around the middle of all of them; feet on the floor. */
export function inSpace(message) {
  const [width] = message.size;
  const people = message.people.filter((person) => person.depths);
  const placed = people.map(({ id, bbox, keypoints, depths }) => {
    const metre = Math.max(bbox[3] - bbox[1], 1) / TALL_M; // in px, where this person stands
    const points = keypoints.map(([x, y], k) => [
      (x - width / 2) / metre,
      (bbox[3] - y) / metre,
      width / metre + depths[k],
    ]);
    return { id, points, scores: keypoints.map(([, , score]) => score), away: width / metre };
  });
  const middle = placed.reduce((sum, { away }) => sum + away, 0) / Math.max(placed.length, 1);
  for (const { points } of placed) for (const point of points) point[2] -= middle;
  return placed;
}

export function drawSpace(context, message, { skeleton, threshold, drawing }, camera) {
  const { width, height } = context.canvas;
  const project = camera.projection(width, height);
  context.clearRect(0, 0, width, height);
  context.lineCap = "round";
  const line = (from, to, colour, pen) => {
    const [a, b] = [project(from), project(to)];
    if (a === null || b === null) return;
    context.strokeStyle = colour;
    context.lineWidth = pen;
    context.beginPath();
    context.moveTo(...a);
    context.lineTo(...b);
    context.stroke();
  };
  for (let at = -REACH_M / 2; at <= REACH_M / 2; at += 0.5) {
    line([at, 0, -REACH_M / 2], [at, 0, REACH_M / 2], "rgb(128 140 150 / 35%)", 1);
    line([-REACH_M / 2, 0, at], [REACH_M / 2, 0, at], "rgb(128 140 150 / 35%)", 1);
  }
  if (skeleton === null) return;
  const pen = Math.max(2, height / 160) * drawing.thickness;
  for (const { id, points, scores } of inSpace(message)) {
    const paint = colours(skeleton, drawing.colours, id);
    skeleton.limbs.forEach(([a, b], index) => {
      if (scores[a] >= threshold && scores[b] >= threshold) {
        line(points[a], points[b], paint.limbs[index], pen);
      }
    });
  }
}
