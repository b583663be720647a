// People in space, drawn by projection: limbs as thick as limbs are, far ones first, their shadows and
// a ring in the colour of the id on the floor, the id above the head, and which way is which.

import { colours, idColour, tag } from "./overlay.js";

const TILE_M = 0.5;
const REACH = 7; // tiles from the middle to the rim of the floor
const LIMB_M = 0.07;
const HEAD_M = 0.2;
const INK = "#0b0f11";

export function drawScene(context, people, { skeleton, drawing }, orbit) {
  const { width, height } = context.canvas;
  const unit = window.devicePixelRatio;
  const project = orbit.projection(width, height);
  context.lineCap = context.lineJoin = "round";
  drawSky(context);
  drawFloor(context, project, middleOf(people), unit);
  const bodies = skeleton === null ? [] : people.filter(({ seen }) => seen.some(Boolean));
  for (const person of bodies) drawShadow(context, project, person, skeleton, unit);
  const strokes = bodies.flatMap((person) => strokesOf(person, skeleton, drawing, project));
  strokes.sort((a, b) => b.depth - a.depth);
  for (const stroke of strokes) drawStroke(context, stroke, unit);
  for (const person of bodies) drawId(context, project, person, unit);
  context.globalAlpha = 1;
  drawCompass(context, orbit, unit);
  if (!orbit.moved) drawHint(context, unit);
}

/** The tile in the middle of all people, so that the floor is under them. */
function middleOf(people) {
  const feet = people.map(({ points, seen }) => footing(points, seen));
  const mean = (axis) => feet.reduce((sum, foot) => sum + foot[axis], 0) / Math.max(feet.length, 1);
  return [0, 1].map((axis) => Math.round(mean(axis) / TILE_M) * TILE_M);
}

/** [x, z] under somebody. */
function footing(points, seen) {
  const shown = points.filter((_, k) => seen[k]);
  const mean = (axis) => shown.reduce((sum, p) => sum + p[axis], 0) / Math.max(shown.length, 1);
  return [mean(0), mean(2)];
}

function drawSky(context) {
  const { width, height } = context.canvas;
  const sky = context.createLinearGradient(0, 0, 0, height);
  sky.addColorStop(0, "#26323a");
  sky.addColorStop(0.6, "#141b1f");
  sky.addColorStop(1, "#0d1214");
  context.fillStyle = sky;
  context.fillRect(0, 0, width, height);
}

/** A round floor of tiles that fades towards its rim. */
function drawFloor(context, project, [mx, mz], unit) {
  context.lineWidth = unit;
  for (let i = -REACH; i <= REACH; i += 1) {
    for (let j = -REACH; j < REACH; j += 1) {
      const fade = 1 - Math.hypot(i, j + 0.5) / REACH;
      if (fade <= 0) continue;
      context.strokeStyle = `rgb(150 172 184 / ${Math.round(55 * fade)}%)`;
      const [at, from, to] = [i * TILE_M, j * TILE_M, (j + 1) * TILE_M];
      line(context, project([mx + at, 0, mz + from]), project([mx + at, 0, mz + to]));
      line(context, project([mx + from, 0, mz + at]), project([mx + to, 0, mz + at]));
    }
  }
}

function drawShadow(context, project, { id, points, seen, state }, skeleton, unit) {
  context.globalAlpha = state === "lost" ? 0.4 : 1;
  const [x, z] = footing(points, seen);
  const ring = Array.from({ length: 40 }, (_, i) => (2 * Math.PI * i) / 40).map((angle) =>
    project([x + 0.32 * Math.cos(angle), 0, z + 0.32 * Math.sin(angle)]),
  );
  if (ring.every((point) => point !== null)) {
    context.beginPath();
    ring.forEach(([px, py]) => context.lineTo(px, py));
    context.closePath();
    context.fillStyle = context.strokeStyle = idColour(id);
    context.lineWidth = 2 * unit;
    context.stroke();
    context.globalAlpha *= 0.14;
    context.fill();
  }
  context.globalAlpha = state === "lost" ? 0.15 : 0.35;
  context.strokeStyle = "#000";
  for (const [a, b] of skeleton.limbs) {
    if (!seen[a] || !seen[b]) continue;
    const ends = [a, b].map((k) => project([points[k][0], 0, points[k][2]]));
    if (ends.includes(null)) continue;
    context.lineWidth = thickness(points[a], points[b]) * ends[0][2];
    line(context, ...ends);
  }
}

/** As thick as an arm; thinner where it is short, as fingers and faces are. */
const thickness = (a, b) =>
  Math.min(LIMB_M, 0.3 * Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]));

/** A ball in the colour of the id, behind the face. */
function headOf({ keypoints }, at, colour, alpha) {
  const face = ["nose", "left_ear", "right_ear"].map((name) => at[keypoints.indexOf(name)]);
  const seen = face.filter(Boolean);
  if (!seen.length) return [];
  const from = [0, 1, 2, 3].map((i) => seen.reduce((sum, p) => sum + p[i], 0) / seen.length);
  return [{ depth: from[3] + HEAD_M / 2, alpha, colour, pen: HEAD_M * from[2], from, to: null }];
}

/** What is drawn of a person: {depth, alpha, colour, pen, from, to}, and dots without `to`. */
function strokesOf({ id, points, seen, state }, skeleton, drawing, project) {
  const paint = colours(skeleton, drawing.colours, id);
  const alpha = state === "lost" ? 0.4 : 1;
  const at = points.map((point, k) => (seen[k] ? project(point) : null));
  const thick = points.map(() => 0.012);
  const strokes = headOf(skeleton, at, idColour(id), alpha);
  skeleton.limbs.forEach(([a, b], index) => {
    if (!at[a] || !at[b]) return;
    const metres = thickness(points[a], points[b]);
    thick[a] = Math.max(thick[a], metres);
    thick[b] = Math.max(thick[b], metres);
    const pen = metres * drawing.thickness * ((at[a][2] + at[b][2]) / 2);
    const depth = (at[a][3] + at[b][3]) / 2;
    strokes.push({ depth, alpha, colour: paint.limbs[index], pen, from: at[a], to: at[b] });
  });
  at.forEach((from, k) => {
    if (!from) return;
    const pen = 1.15 * thick[k] * drawing.thickness * from[2];
    strokes.push({ depth: from[3] - 0.01, alpha, colour: paint.dots[k], pen, from, to: null });
  });
  return strokes;
}

function drawStroke(context, { alpha, colour, pen, from, to }, unit) {
  context.globalAlpha = alpha;
  const width = Math.max(pen, unit);
  for (const [style, wide] of [
    [INK, width + Math.min(2 * unit, width / 2)],
    [colour, width],
  ]) {
    context.strokeStyle = context.fillStyle = style;
    context.lineWidth = wide;
    if (to) line(context, from, to);
    else dot(context, from, wide / 2);
  }
}

function drawId(context, project, { id, points, seen, state }, unit) {
  const shown = points.filter((_, k) => seen[k]);
  const top = shown.reduce((best, point) => (point[1] > best[1] ? point : best));
  const at = project([top[0], top[1] + 0.22, top[2]]);
  if (at === null) return;
  context.globalAlpha = state === "lost" ? 0.4 : 1;
  tag(context, String(id), idColour(id), at[0], at[1], unit, 0.5);
}

/** Which way right, up and away are, in a corner. */
function drawCompass(context, orbit, unit) {
  const { width, height } = context.canvas;
  const [cy, sy] = [Math.cos(orbit.yaw), Math.sin(orbit.yaw)];
  const [ct, st] = [Math.cos(orbit.tilt), Math.sin(orbit.tilt)];
  const [x, y, long] = [width - 48 * unit, height - 52 * unit, 26 * unit];
  context.font = `600 ${11 * unit}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineWidth = 2 * unit;
  for (const [name, colour, [ax, ay]] of [
    ["x", "#ff7b72", [cy, -sy * st]],
    ["y", "#7ee787", [0, ct]],
    ["z", "#79c0ff", [sy, cy * st]],
  ]) {
    context.strokeStyle = context.fillStyle = colour;
    line(context, [x, y], [x + long * ax, y - long * ay]);
    context.fillText(name, x + 1.4 * long * ax, y - 1.4 * long * ay);
  }
  context.fillStyle = "rgb(200 212 220 / 70%)";
  context.fillText("tiles ½ m", x, y + 40 * unit);
  context.textAlign = "start";
}

function drawHint(context, unit) {
  context.font = `${12 * unit}px system-ui, sans-serif`;
  context.textBaseline = "top";
  context.fillStyle = "rgb(220 230 236 / 75%)";
  context.fillText("drag to turn · scroll or pinch to zoom", 12 * unit, 12 * unit);
}

function dot(context, [x, y], radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

function line(context, from, to) {
  if (from === null || to === null) return;
  context.beginPath();
  context.moveTo(from[0], from[1]);
  context.lineTo(to[0], to[1]);
  context.stroke();
}
