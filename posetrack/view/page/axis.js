// The part of the clip that timeline and plot show, in frames; both have it in common.

export const LEFT = 92; // px for names and numbers
const RIGHT = 10;
const LEAST = 20;

export class Axis {
  constructor(frames, changed) {
    this.frames = frames;
    this.changed = changed;
    this.from = 0;
    this.to = frames;
  }

  get isWhole() {
    return this.from === 0 && this.to === this.frames;
  }

  whole() {
    this.#set(0, this.frames);
  }

  /** The middle of a frame on a canvas of a width, px. */
  x(place, width) {
    return LEFT + ((place + 0.5 - this.from) / (this.to - this.from)) * (width - LEFT - RIGHT);
  }

  place(x, width) {
    const at = this.from + ((x - LEFT) / (width - LEFT - RIGHT)) * (this.to - this.from);
    return Math.min(this.frames - 1, Math.max(0, Math.floor(at)));
  }

  zoom(factor, x, width) {
    const share = Math.min(1, Math.max(0, (x - LEFT) / (width - LEFT - RIGHT)));
    const now = this.to - this.from;
    const wanted = Math.min(this.frames, Math.max(Math.min(LEAST, this.frames), now * factor));
    this.#set(this.from + share * (now - wanted), wanted);
  }

  /** Move by a share of what is seen. */
  pan(share) {
    this.#set(this.from + share * (this.to - this.from), this.to - this.from);
  }

  /** Turn the page where a place is not seen. */
  follow(place) {
    const length = this.to - this.from;
    if (place < this.from || place >= this.to) this.#set(place - 0.1 * length, length);
  }

  #set(from, length) {
    const begin = Math.min(Math.max(0, from), this.frames - length);
    if (begin === this.from && begin + length === this.to) return;
    [this.from, this.to] = [begin, begin + length];
    this.changed();
  }
}

/** A context in CSS pixels for a canvas of a size; cleared. */
export function sheet(canvas, width, height) {
  const ratio = window.devicePixelRatio;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) canvas.height = h;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** Where one is, through all of the height. */
export function cursor(context, x, height, colour) {
  if (x < LEFT) return;
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x, 0);
  context.lineTo(x, height);
  context.stroke();
}
