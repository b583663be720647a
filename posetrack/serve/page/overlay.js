// People drawn as the daemon draws them: same colours, same layers, over whatever is below.

const IDS = "56B4E9 E69F00 2BB98A F0E442 D55E00 CC79A7 5E8BFF DDCC77 B07CE8 88CCEE".split(" ");
const SIDES = {
  mmpose: { left: "#00ff00", right: "#ff8000", middle: "#3399ff" },
  side: { left: "#4fb3f6", right: "#ff9f1c", middle: "#f2f2f2" },
};
const INK = "rgb(16 18 20 / 70%)";

export const idColour = (id) => `#${IDS[id % IDS.length]}`;

/** The side of a limb: that of its ends, middle across the body. */
function sideOf([a, b], sides) {
  const ends = new Set([sides[a], sides[b]]);
  ends.delete("middle");
  return ends.size === 1 ? [...ends][0] : "middle";
}

/** One colour a limb and one a keypoint, for a person's id. */
export function colours(skeleton, style, id) {
  const { limbs, keypoints, sides } = skeleton;
  const rainbow = (n) => (_, i) => `hsl(${(360 * i) / n} 100% 50%)`;
  if (style === "openpose") {
    return {
      limbs: limbs.map(rainbow(limbs.length)),
      dots: keypoints.map(rainbow(keypoints.length)),
    };
  }
  const of = SIDES[style] ?? SIDES.side;
  return {
    limbs: limbs.map((limb) => (style === "id" ? idColour(id) : of[sideOf(limb, sides)])),
    dots: sides.map((side) => of[side]),
  };
}

/** Where each person's feet were during the last seconds. */
export class Trails {
  #paths = new Map();

  add(message, length_s) {
    const now = message.pts_ns / 1e9;
    for (const { id, bbox } of message.people) {
      const path = this.#paths.get(id) ?? [];
      path.push([now, (bbox[0] + bbox[2]) / 2, bbox[3]]);
      this.#paths.set(id, path);
    }
    for (const [id, path] of this.#paths) {
      while (path.length && !(now - path[0][0] <= length_s && path[0][0] <= now)) path.shift();
      if (!path.length) this.#paths.delete(id);
    }
  }

  draw(context, until, width) {
    context.lineCap = "round";
    for (const [id, path] of this.#paths) {
      const shown = path.filter(([at]) => at <= until);
      context.strokeStyle = idColour(id);
      for (let i = 1; i < shown.length; i += 1) {
        context.globalAlpha = i / shown.length;
        context.lineWidth = width * (0.5 + i / shown.length);
        context.beginPath();
        context.moveTo(shown[i - 1][1], shown[i - 1][2]);
        context.lineTo(shown[i][1], shown[i][2]);
        context.stroke();
      }
    }
    context.globalAlpha = 1;
  }
}

/**
 * Draw the people of a message into a context whose unit is a pixel of the source frame.
 * `look` is {skeleton, threshold, drawing, trails, unit}; `unit` is a screen pixel in frame pixels.
 */
export function drawPeople(context, message, look) {
  const { drawing, trails, unit } = look;
  const layers = new Set(drawing.layers);
  context.lineJoin = "round";
  const line = unit * drawing.thickness;
  if (layers.has("trails")) trails.draw(context, message.pts_ns / 1e9, 2 * line);
  for (const person of message.people) {
    context.globalAlpha = person.state === "lost" ? 0.45 : 1;
    const [x0, y0, x1, y1] = person.bbox;
    const side = Math.max(x1 - x0, y1 - y0) / unit;
    const pen = line * Math.min(4, Math.max(1.6, side / 110)); // the nearer, the thicker
    if (layers.has("boxes")) drawBox(context, person, pen, unit);
    drawBody(context, person, pen, look, layers);
    if (layers.has("ids")) drawTag(context, person, unit);
  }
  context.globalAlpha = 1;
}

function drawBox(context, { id, bbox: [x0, y0, x1, y1] }, pen, unit) {
  context.beginPath();
  context.roundRect(x0, y0, x1 - x0, y1 - y0, 6 * unit);
  stroke(context, idColour(id), pen * 0.8, unit);
}

function drawBody(context, person, pen, { skeleton, threshold, drawing }, layers) {
  const { keypoints } = person;
  if (skeleton === null || keypoints.length !== skeleton.keypoints.length) return;
  const seen = keypoints.map(([, , score]) => score >= threshold);
  const paint = colours(skeleton, drawing.colours, person.id);
  context.lineCap = "round";
  if (layers.has("limbs")) {
    skeleton.limbs.forEach(([a, b], index) => {
      if (!seen[a] || !seen[b]) return;
      context.beginPath();
      context.moveTo(keypoints[a][0], keypoints[a][1]);
      context.lineTo(keypoints[b][0], keypoints[b][1]);
      stroke(context, paint.limbs[index], pen * 1.2, pen * 0.5);
    });
  }
  if (!layers.has("keypoints")) return;
  keypoints.forEach(([x, y], index) => {
    if (!seen[index]) return;
    context.beginPath();
    context.arc(x, y, pen * 1.25, 0, 2 * Math.PI);
    stroke(context, INK, pen * 0.6, 0);
    context.fillStyle = paint.dots[index];
    context.fill();
  });
}

/** The path, dark-edged so that it shows on any ground. */
function stroke(context, colour, width, edge) {
  if (edge) {
    context.strokeStyle = INK;
    context.lineWidth = width + 2 * edge;
    context.stroke();
  }
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke();
}

function drawTag(context, { id, name, bbox: [x0, y0] }, unit) {
  tag(context, name ? `${id} ${name}` : String(id), idColour(id), x0, y0, unit);
}

/** Text on a plate over (x, y): its left end there, or `share` of its width to the left. */
export function tag(context, text, colour, x, y, unit, share = 0) {
  const size = 13 * unit;
  context.font = `600 ${size}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  const width = context.measureText(text).width + size;
  const [left, top] = [x - share * width, Math.max(0, y - 1.6 * size)];
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(left, top, width, 1.4 * size, 5 * unit);
  context.fill();
  context.fillStyle = "#101214";
  context.fillText(text, left + size / 2, top + 0.73 * size);
}
