// Sliders and switches that act at once: one request is under way at a time, and what was moved
// meanwhile goes with the next one.

import { changeStream } from "./api.js";
import { patchOf, SECTIONS, valueAt } from "./controls.js";
import { make, say, toast } from "./dom.js";

const SPACING_MS = 60;
const QUIET_MS = 500; // an answer that was under way still tells what was before

export class Settings {
  #inputs = [];
  #waiting = new Map(); // patches by stream
  #meant = new Map(); // the same, until answers tell them: what the next step starts from
  #busy = false;
  #quietUntil = 0;
  #stream = null;

  /** `onChange` is told the stream as it is after a change. */
  constructor(place, onChange) {
    this.onChange = onChange;
    place.append(...SECTIONS.map((section) => this.#section(section)));
  }

  /** Show a stream's values, but never under somebody's hand. */
  show(stream, tracking) {
    this.#stream = stream;
    if (this.#busy || performance.now() < this.#quietUntil) return;
    this.#meant.clear();
    for (const { control, show } of this.#inputs) show(valueAt(control, stream, tracking));
  }

  /** One step of the detector interval up or down. */
  step(by) {
    const { id, settings } = this.#stream;
    const now = this.#meant.get(id)?.detector?.interval ?? settings.detector.interval;
    const next = Math.min(60, Math.max(1, now + by));
    this.#change(patchOf({ path: "detector.interval" }, next));
    toast(`Detector every ${next} frames`);
  }

  #section({ title, open = false, controls }) {
    const rows = controls.map((control) => this.#row(control));
    if (matchMedia("(max-width: 760px)").matches) open = false; // the picture comes first there
    return make("details", { class: "card", open }, make("summary", {}, title), ...rows);
  }

  #row(control) {
    const made = ROWS[control.kind](control, (value) => this.#change(patchOf(control, value)));
    this.#inputs.push({ control, show: made.show });
    return made.row;
  }

  #change(patch) {
    const { id } = this.#stream;
    for (const kept of [this.#waiting, this.#meant]) {
      kept.set(id, merged(kept.get(id) ?? {}, patch));
    }
    if (!this.#busy) this.#send();
  }

  async #send() {
    this.#busy = true;
    while (this.#waiting.size) {
      const [[id, patch]] = this.#waiting;
      this.#waiting.delete(id);
      try {
        const { restarted, stream } = await changeStream(id, patch);
        if (restarted) toast(`${id} is opened anew for that.`);
        this.onChange(stream);
      } catch (error) {
        toast(error.message, "error");
      }
      await new Promise((resolve) => setTimeout(resolve, SPACING_MS)); // the daemon limits requests
    }
    this.#busy = false;
    this.#quietUntil = performance.now() + QUIET_MS;
  }
}

function merged(base, patch) {
  const made = { ...base };
  for (const [section, values] of Object.entries(patch)) {
    made[section] = { ...made[section], ...values };
  }
  return made;
}

const idOf = ({ path }) => `set-${path.replace(".", "-")}`;

const hintOf = (control) =>
  control.hint ? make("small", { id: `${idOf(control)}-hint` }, control.hint) : null;

const ONE = { frames: "frame", people: "person" };

const ROWS = {
  range(control, change) {
    const id = idOf(control);
    const { min, max, step, digits = 0, unit = "", open } = control;
    const input = make("input", {
      id,
      type: "range",
      min,
      max,
      step,
      "aria-describedby": control.hint ? `${id}-hint` : null,
    });
    const output = make("output", { for: id });
    const text = (value) => {
      if (open && value >= open.at) return open.text;
      return `${value.toFixed(digits)} ${(value === 1 && ONE[unit]) || unit}`.trim();
    };
    input.addEventListener("input", () => {
      const value = Number(input.value);
      say(output, text(value));
      input.setAttribute("aria-valuetext", text(value));
      change(open && value >= open.at ? null : value);
    });
    const row = make(
      "div",
      { class: "row" },
      make("label", { for: id }, control.label),
      output,
      input,
      hintOf(control),
    );
    const show = (value) => {
      input.disabled = value === null && !open;
      const shown = value ?? open?.at ?? min;
      input.value = String(shown);
      input.setAttribute("aria-valuetext", text(shown));
      say(output, input.disabled ? "–" : text(shown));
    };
    return { row, show };
  },

  switch(control, change) {
    const { on = true, off = false } = control;
    const input = make("input", { id: idOf(control), type: "checkbox", role: "switch" });
    input.addEventListener("change", () => change(input.checked ? on : off));
    const label = make("label", { for: input.id }, control.label);
    return {
      row: make("div", { class: "row flat" }, label, input),
      show: (value) => (input.checked = value === on),
    };
  },

  choice(control, change) {
    const words = Object.entries(control.words);
    const options = words.map(([value, text]) => make("option", { value }, text));
    const input = make("select", { id: idOf(control) }, ...options);
    input.addEventListener("change", () => change(input.value));
    const label = make("label", { for: input.id }, control.label);
    return {
      row: make("div", { class: "row flat" }, label, input),
      show: (value) => (input.value = value),
    };
  },

  words(control, change) {
    const boxes = control.words.map((word) => make("input", { type: "checkbox", value: word }));
    const chosen = () => boxes.filter((box) => box.checked).map((box) => box.value);
    for (const box of boxes) box.addEventListener("change", () => change(chosen()));
    const labels = boxes.map((box) => make("label", { class: "chip" }, box, box.value));
    return {
      row: make("fieldset", { class: "row" }, make("legend", {}, control.label), ...labels),
      show: (value) => boxes.forEach((box) => (box.checked = value?.includes(box.value) ?? false)),
    };
  },
};
