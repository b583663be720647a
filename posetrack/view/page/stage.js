// The picture with its people: always both of the same frame, whatever arrives when.

import { drawPeople } from "../overlay.js";
import { sheet } from "./axis.js";

const KEPT = 240; // pictures
const AHEAD = 3;

export class Stage {
  people = []; // of the frame that is shown
  shown = null; // its place
  #wanted = null;
  #busy = false;
  #pictures = new Map(); // place -> promise of a blob
  #selected = new Set();
  #names = new Map();
  #look;

  constructor(view, clip, people) {
    Object.assign(this, { view, clip, source: people });
    [this.picture, this.overlay] = view.querySelectorAll("canvas");
    this.veil = view.querySelector(".veil");
    const [width, height] = clip.size;
    view.style.setProperty("--width", width);
    view.style.setProperty("--height", height);
    [this.picture.width, this.picture.height] = [width, height];
    new ResizeObserver(() => this.draw()).observe(view);
  }

  /** How people are drawn. */
  look(drawing) {
    this.#look = drawing;
    this.draw();
  }

  mark(selected, names) {
    this.#selected = new Set(selected);
    this.#names = names;
    this.draw();
  }

  /** Show a frame; of many that are asked for at once, the last. `over` is drawn on the video. */
  async show(place, over = false) {
    this.#wanted = { place, over };
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#wanted) {
        const now = this.#wanted;
        this.#wanted = null;
        await this.#load(now);
      }
    } finally {
      this.#busy = false;
    }
  }

  async #load({ place, over }) {
    const still = over || !this.clip.pictures ? null : this.#bitmap(place);
    const [people, bitmap] = await Promise.all([this.source.at(place), still]);
    this.people = people;
    this.shown = place;
    this.view.dataset.place = place;
    const context = this.picture.getContext("2d");
    if (over || bitmap === null) context.clearRect(0, 0, ...this.clip.size);
    if (bitmap) {
      context.drawImage(bitmap, 0, 0);
      bitmap.close();
    }
    this.draw();
  }

  /** The picture of a place, and soon those after it; null where the video has none. */
  async #bitmap(place) {
    const found = this.#fetch(place);
    for (let next = place + 1; next <= place + AHEAD; next += 1) this.#fetch(next);
    const blob = await found;
    this.veil.hidden = blob instanceof Blob;
    if (blob instanceof Blob) return createImageBitmap(blob);
    this.veil.textContent = blob;
    return null;
  }

  #fetch(place) {
    if (place >= this.clip.frames.length) return null;
    let found = this.#pictures.get(place);
    if (!found) {
      found = picture(this.clip.frames[place]);
      found.catch(() => this.#pictures.delete(place));
      this.#pictures.set(place, found);
      if (this.#pictures.size > KEPT) this.#pictures.delete(this.#pictures.keys().next().value);
    }
    return found;
  }

  draw() {
    const { view, clip, overlay } = this;
    const [width, height] = [view.clientWidth, view.clientHeight];
    if (!width || this.shown === null) return;
    const context = sheet(overlay, width, height);
    const scale = width / clip.size[0];
    context.scale(scale, scale);
    context.translate(0.5, 0.5); // whole numbers are the middles of pixels
    const people = this.people.map((person) => ({ ...person, name: this.#names.get(person.id) }));
    drawPeople(context, { people, pts_ns: 0 }, { ...this.#look, unit: 1 / scale });
    for (const { id, bbox } of people) {
      if (!this.#selected.has(id)) continue;
      const [x0, y0, x1, y1] = bbox;
      context.strokeStyle = "#ffffff";
      context.lineWidth = 2 / scale;
      context.setLineDash([6 / scale, 4 / scale]);
      context.strokeRect(x0, y0, x1 - x0, y1 - y0);
      context.setLineDash([]);
    }
  }

  /** Who is at a point of the view, px; the smallest of those whose boxes hold it, or null. */
  personAt(x, y) {
    const scale = this.view.clientWidth / this.clip.size[0];
    const [px, py] = [x / scale, y / scale];
    const area = ([x0, y0, x1, y1]) => (x1 - x0) * (y1 - y0);
    const here = this.people.filter(
      ({ bbox: [x0, y0, x1, y1] }) => x0 <= px && px <= x1 && y0 <= py && py <= y1,
    );
    here.sort((a, b) => area(a.bbox) - area(b.bbox));
    return here[0]?.id ?? null;
  }
}

/** The JPEG of a frame of the source, or why there is none. */
async function picture(index) {
  const answer = await fetch(`/v1/frames/${index}`);
  if (answer.ok) return answer.blob();
  return (await answer.json().catch(() => ({}))).error ?? "no picture";
}
