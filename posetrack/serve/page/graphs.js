// The last two minutes as lines or as a stack of areas. Colours are the stylesheet's: a series has
// the colour of its mark in the legend.

import { make, say } from "./dom.js";
import { ms } from "./format.js";

const SPAN_S = 120;
const GAP_S = 3; // without a value for so long there is a gap
const HUES = 6;

export class Graph {
  #samples = []; // [seconds, {name: value}]
  #names = [];
  #marks = new Map();

  /** `stacked`: the values add up. */
  constructor(canvas, { stacked = false, name, format = ms }) {
    Object.assign(this, { canvas, stacked, name, format });
    this.legend = make("ul", { class: "legend" });
    canvas.after(this.legend);
  }

  clear() {
    this.#samples = [];
    this.#names = [];
    this.#marks.clear();
    this.legend.replaceChildren();
  }

  /** Add what holds now; null is a gap. */
  push(now, values) {
    this.#samples.push([now, values]);
    while (this.#samples[0][0] < now - SPAN_S) this.#samples.shift();
    for (const name of Object.keys(values ?? {})) if (!this.#marks.has(name)) this.#add(name);
    for (const [name, { value }] of this.#marks) {
      const latest = values?.[name];
      say(value, latest === undefined ? "–" : this.format(latest));
    }
    this.draw(now);
  }

  #add(name) {
    const mark = make("i", { class: `mark hue-${this.#names.length % HUES}` });
    const value = make("b");
    this.#names.push(name);
    this.#marks.set(name, { mark, value });
    this.legend.append(make("li", {}, mark, `${name} `, value));
  }

  draw(now) {
    const { canvas } = this;
    const ratio = window.devicePixelRatio;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width) return;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const top = niceAbove(this.#highest());
    const x = (at) => width - ((now - at) / SPAN_S) * width;
    const y = (value) => height - 1 - (value / top) * (height - 16);
    this.#grid(context, width, top, y);
    if (this.stacked) this.#areas(context, x, y);
    else for (const name of this.#names) this.#line(context, name, x, y);
    const told = this.#names.map((name) => `${name} ${this.#marks.get(name).value.textContent}`);
    canvas.setAttribute("aria-label", `${this.name}, the last two minutes: ${told.join(", ")}`);
  }

  #highest() {
    const total = (values) =>
      values === null
        ? 0
        : this.stacked
          ? Object.values(values).reduce((a, b) => a + b, 0)
          : Math.max(0, ...Object.values(values));
    return Math.max(0, ...this.#samples.map(([, values]) => total(values)));
  }

  #grid(context, width, top, y) {
    const style = getComputedStyle(this.canvas);
    context.strokeStyle = style.borderTopColor;
    context.fillStyle = style.color;
    context.font = "11px system-ui, sans-serif";
    context.lineWidth = 1;
    for (const value of [top, top / 2]) {
      context.beginPath();
      context.moveTo(0, Math.round(y(value)) + 0.5);
      context.lineTo(width, Math.round(y(value)) + 0.5);
      context.stroke();
      context.fillText(String(value), 2, y(value) - 3);
    }
  }

  #colour(name) {
    return getComputedStyle(this.#marks.get(name).mark).backgroundColor;
  }

  #line(context, name, x, y) {
    context.strokeStyle = this.#colour(name);
    context.lineWidth = 1.75;
    context.lineJoin = "round";
    context.beginPath();
    let last = -Infinity;
    for (const [at, values] of this.#samples) {
      const value = values?.[name];
      if (value === undefined) continue;
      if (at - last > GAP_S) context.moveTo(x(at), y(value));
      else context.lineTo(x(at), y(value));
      last = at;
    }
    context.stroke();
  }

  #areas(context, x, y) {
    const runs = [[]];
    for (const sample of this.#samples) {
      const run = runs.at(-1);
      if (sample[1] === null || (run.length && sample[0] - run.at(-1)[0] > GAP_S)) runs.push([]);
      if (sample[1] !== null) runs.at(-1).push(sample);
    }
    for (const run of runs) {
      let floor = run.map(() => 0);
      for (const name of this.#names) {
        const top = run.map(([, values], i) => floor[i] + (values[name] ?? 0));
        context.beginPath();
        run.forEach(([at], i) => context.lineTo(x(at), y(top[i])));
        for (let i = run.length - 1; i >= 0; i -= 1) context.lineTo(x(run[i][0]), y(floor[i]));
        context.fillStyle = this.#colour(name);
        context.fill();
        floor = top;
      }
    }
  }
}

/** The next of 1, 2, 5, 10, 20, ... at or above a value. */
function niceAbove(value) {
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}
