// A row a track: dark where somebody was seen, light where predicted, a line over gaps.

import { idColour } from "../overlay.js";
import { LEFT, cursor, sheet } from "./axis.js";

const ROW = 22;
const TOP = 20; // for the seconds

export class Timeline {
  #tracks = [];
  #selected = new Set();
  #place = 0;

  /** `pick(place, id or null, more)` is called for a click. */
  constructor(rows, canvas, axis, times_s, pick) {
    Object.assign(this, { rows, canvas, axis, times_s });
    this.spacer = rows.firstElementChild;
    rows.addEventListener("scroll", () => this.draw());
    let dragging = false;
    const at = (event) => {
      const box = rows.getBoundingClientRect();
      const [x, y] = [event.clientX - box.left, event.clientY - box.top];
      const row = Math.floor((y - TOP + rows.scrollTop) / ROW);
      const id = y < TOP ? null : (this.#tracks[row]?.id ?? null);
      return { x, place: x < LEFT ? null : axis.place(x, rows.clientWidth), id };
    };
    rows.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.offsetX > rows.clientWidth) return;
      const { place, id } = at(event);
      dragging = place !== null;
      if (dragging) canvas.setPointerCapture(event.pointerId);
      pick(place, id, event.ctrlKey || event.metaKey || event.shiftKey);
    });
    rows.addEventListener("pointermove", (event) => {
      if (dragging) pick(at(event).place ?? Math.ceil(axis.from), null, true);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      rows.addEventListener(end, () => {
        dragging = false;
      });
    }
    letZoom(rows, axis);
    new ResizeObserver(() => this.draw()).observe(rows);
  }

  show(tracks, selected) {
    this.#tracks = tracks;
    this.#selected = new Set(selected);
    this.spacer.style.height = `${TOP + Math.max(1, tracks.length) * ROW + 4}px`;
    this.draw();
  }

  go(place) {
    this.#place = place;
    this.draw();
  }

  /** Scroll so far that a track's row is seen. */
  reveal(id) {
    const row = this.#tracks.findIndex((track) => track.id === id);
    if (row < 0) return;
    const { rows } = this;
    const top = row * ROW;
    const room = rows.clientHeight - TOP - ROW;
    if (top < rows.scrollTop) rows.scrollTop = top;
    else if (top > rows.scrollTop + room) rows.scrollTop = top - room;
  }

  draw() {
    const { rows, canvas, axis } = this;
    const [width, height, scroll] = [rows.clientWidth, rows.clientHeight, rows.scrollTop];
    if (!width || !height) return;
    canvas.style.top = `${scroll}px`;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const context = sheet(canvas, width, height);
    const style = getComputedStyle(canvas);
    const ink = { text: style.color, line: style.borderTopColor, now: style.outlineColor };
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "middle";
    context.save();
    context.beginPath();
    context.rect(0, TOP, width, height - TOP);
    context.clip();
    const first = Math.max(0, Math.floor(scroll / ROW));
    const last = Math.min(this.#tracks.length, Math.ceil((scroll + height) / ROW));
    for (let row = first; row < last; row += 1) {
      this.#row(context, this.#tracks[row], TOP + row * ROW - scroll, width, ink);
    }
    context.restore();
    this.#seconds(context, width, ink);
    cursor(context, axis.x(this.#place, width), height, ink.now);
    const told = `${this.#tracks.length} tracks; selected: ${[...this.#selected].join(", ")}`;
    canvas.setAttribute("aria-label", told);
  }

  #row(context, track, top, width, ink) {
    const { axis } = this;
    const chosen = this.#selected.has(track.id);
    if (chosen) {
      context.fillStyle = ink.line;
      context.globalAlpha = 0.55;
      context.fillRect(0, top, width, ROW);
      context.globalAlpha = 1;
    }
    context.fillStyle = idColour(track.id);
    context.beginPath();
    context.roundRect(8, top + 6, 10, 10, 3);
    context.fill();
    context.fillStyle = ink.text;
    context.font = `${chosen ? 600 : 400} 12px system-ui, sans-serif`;
    const name = track.name ? `${track.id} ${track.name}` : String(track.id);
    context.fillText(shortened(context, name, LEFT - 32), 24, top + ROW / 2 + 1);

    context.save();
    context.beginPath();
    context.rect(LEFT, top, width - LEFT, ROW);
    context.clip();
    const half = (axis.x(1, width) - axis.x(0, width)) / 2;
    const begin = axis.x(track.runs[0][0], width) - half;
    const end = axis.x(track.runs.at(-1)[1], width) + half;
    context.fillStyle = idColour(track.id);
    context.fillRect(begin, top + ROW / 2 - 0.5, end - begin, 1);
    for (const [from, to, lost] of track.runs) {
      const [x0, x1] = [axis.x(from, width) - half, axis.x(to, width) + half];
      if (x1 < LEFT || x0 > width) continue;
      context.globalAlpha = lost ? 0.4 : 1;
      context.beginPath();
      context.roundRect(x0, top + 4, Math.max(1.5, x1 - x0), ROW - 8, Math.min(3, (x1 - x0) / 2));
      context.fill();
    }
    context.restore();
    context.globalAlpha = 1;
  }

  #seconds(context, width, ink) {
    const { axis, times_s } = this;
    const begin = times_s[Math.floor(axis.from)];
    const end = times_s[Math.min(axis.frames, Math.ceil(axis.to)) - 1];
    const step = niceStep((end - begin) / Math.max(1, (width - LEFT) / 90));
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = ink.text;
    context.globalAlpha = 0.7;
    for (let at = Math.ceil(begin / step) * step; at <= end; at += step) {
      const x = axis.x(placeOf(times_s, at), width);
      if (x < LEFT || x > width - 24) continue;
      context.fillRect(x, TOP - 5, 1, 4);
      const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
      context.fillText(`${at.toFixed(digits)} s`, x + 4, TOP / 2);
    }
    context.globalAlpha = 1;
  }
}

/** Ctrl and the wheel zoom; sideways, it moves along. */
export function letZoom(place, axis) {
  place.addEventListener(
    "wheel",
    (event) => {
      const box = place.getBoundingClientRect();
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) axis.pan(event.deltaX / box.width);
      else if (!event.ctrlKey) return; // scrolls the rows
      else axis.zoom(Math.exp(event.deltaY / 400), event.clientX - box.left, place.clientWidth);
      event.preventDefault();
    },
    { passive: false },
  );
}

/** The last place whose time is not after `at`. */
export function placeOf(times_s, at) {
  let [low, high] = [0, times_s.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (times_s[middle] <= at + 1e-4) low = middle;
    else high = middle;
  }
  return low;
}

function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 0.01)));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= least) ?? 10 * power;
}

function shortened(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let end = text.length;
  while (end > 1 && context.measureText(`${text.slice(0, end)}…`).width > room) end -= 1;
  return `${text.slice(0, end)}…`;
}
