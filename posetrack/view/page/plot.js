// One quantity of the selected tracks along the same time as the timeline's.

import { idColour } from "../overlay.js";
import { say } from "../dom.js";
import { LEFT, cursor, sheet } from "./axis.js";
import { getCurve } from "./server.js";
import { letZoom } from "./timeline.js";

const MOST = 4; // curves at once
const EDGE = 12;
const EDGED = "rgb(16 18 20 / 35%)";

export class Plot {
  #curves = []; // {id, places, values, unit}
  #place = 0;
  #asked = 0;

  constructor(canvas, value, axis, pick) {
    Object.assign(this, { canvas, value, axis });
    let dragging = false;
    const go = (event) => pick(axis.place(event.offsetX, canvas.clientWidth));
    canvas.addEventListener("pointerdown", (event) => {
      dragging = true;
      canvas.setPointerCapture(event.pointerId);
      go(event);
    });
    canvas.addEventListener("pointermove", (event) => dragging && go(event));
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, () => {
        dragging = false;
      });
    }
    letZoom(canvas, axis);
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** The curve of a name, of the first few of these tracks. */
  async show(ids, name) {
    this.#asked += 1;
    const asked = this.#asked;
    const found = await Promise.all(
      ids.slice(0, MOST).map(async (id) => ({ id, ...(await getCurve(id, name)) })),
    );
    if (asked !== this.#asked) return;
    this.name = name;
    this.#curves = found;
    this.draw();
  }

  go(place) {
    this.#place = place;
    this.draw();
  }

  draw() {
    const { canvas, axis } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width) return;
    const context = sheet(canvas, width, height);
    const style = getComputedStyle(canvas);
    this.#tell();
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    const range = this.#range();
    if (range === null) {
      context.fillStyle = style.color;
      context.globalAlpha = 0.6;
      context.textAlign = "center";
      const text = this.#curves.length ? "never seen well enough" : "Select a track to see its curve";
      context.fillText(text, width / 2, height / 2);
      context.globalAlpha = 1;
      context.textAlign = "start";
      return;
    }
    const [low, high] = range;
    const y = (value) => EDGE + (1 - (value - low) / (high - low)) * (height - 2 * EDGE);
    this.#scale(context, low, high, y, width, style);
    context.save();
    context.beginPath();
    context.rect(LEFT, 0, width - LEFT, height);
    context.clip();
    for (const curve of this.#curves) this.#line(context, curve, y, width);
    context.restore();
    cursor(context, axis.x(this.#place, width), height, style.outlineColor);
  }

  /** What holds at the place, beside the choice and for who cannot see the curve. */
  #tell() {
    const told = this.#curves.map(({ id, places, values, unit }) => {
      const value = values[places.indexOf(this.#place)] ?? null;
      return `${id}: ${value === null ? "–" : `${value} ${unit}`.trim()}`;
    });
    say(this.value, told.join(" · "));
    const name = this.name?.replace(":", " ").replaceAll("_", " ");
    const label = told.length ? `${name} of ${told.join(", ")}` : "No track is selected";
    if (this.canvas.getAttribute("aria-label") !== label) {
      this.canvas.setAttribute("aria-label", label);
    }
  }

  #range() {
    let [low, high] = [Infinity, -Infinity];
    for (const { values } of this.#curves) {
      for (const value of values) {
        if (value === null) continue;
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
    if (low > high) return null;
    return high - low < 1e-6 ? [low - 1, high + 1] : [low, high];
  }

  #scale(context, low, high, y, width, style) {
    const digits = high - low < 5 ? 2 : 0;
    context.lineWidth = 1;
    for (const value of [low, (low + high) / 2, high]) {
      context.globalAlpha = 0.16;
      context.strokeStyle = style.color;
      context.beginPath();
      context.moveTo(LEFT, Math.round(y(value)) + 0.5);
      context.lineTo(width, Math.round(y(value)) + 0.5);
      context.stroke();
      context.globalAlpha = 0.7;
      context.fillStyle = style.color;
      context.textAlign = "end";
      context.fillText(`${value.toFixed(digits)} ${this.#curves[0].unit}`, LEFT - 6, y(value));
      context.textAlign = "start";
    }
    context.globalAlpha = 1;
  }

  #line(context, { id, places, values }, y, width) {
    const { axis } = this;
    context.lineJoin = "round";
    context.beginPath();
    let last = null;
    places.forEach((place, index) => {
      const value = values[index];
      if (value !== null && place >= axis.from - 2 && place <= axis.to + 2) {
        const x = axis.x(place, width);
        if (last === null || last !== index - 1) {
          context.moveTo(x - 0.5, y(value)); // a dot, where it stands alone
        }
        context.lineTo(x, y(value));
        last = index;
      }
    });
    context.strokeStyle = EDGED; // light colours show on light ground too
    context.lineWidth = 3;
    context.stroke();
    context.strokeStyle = idColour(id);
    context.lineWidth = 1.8;
    context.stroke();
  }
}
