// Sliders and switches that act at once: one request is under way at a time, and what was moved
// meanwhile goes with the next one.

import { changeStream } from "./api.js";
import { patchOf, SECTIONS, valueAt } from "./controls.js";
import { make, say, toast } from "./dom.js";

export class Settings {
  #inputs = [];
  #waiting = null;
  #busy = false;
  #stream = null;

  /** `onChange` is told the stream as it is after a change. */
  constructor(place, onChange) {
    this.onChange = onChange;
    place.append(...SECTIONS.map((section) => this.#section(section)));
  }

  /** Show a stream's values, but never under somebody's hand. */
  show(stream, tracking) {
    if (this.#stream?.id !== stream.id) this.#waiting = null;
    this.#stream = stream;
    if (this.#busy || this.#waiting !== null) return;
    for (const { control, show } of this.#inputs) show(valueAt(control, stream, tracking));
  }

  /** One step of the detector interval up or down. */
  step(by) {
    const now = this.#stream.settings.detector.interval;
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
    this.#waiting = merged(this.#waiting ?? {}, patch);
    if (!this.#busy) this.#send();
  }

  async #send() {
    this.#busy = true;
    const { id } = this.#stream;
    while (this.#waiting !== null) {
      const patch = this.#waiting;
      this.#waiting = null;
      try {
        const { restarted, stream } = await changeStream(id, patch);
        if (restarted) toast(`${id} is opened anew for that.`);
        this.onChange(stream);
      } catch (error) {
        toast(error.message, "error");
      }
    }
    this.#busy = false;
  }
}

function merged(base, patch) {
  const made = { ...base };
  for (const [section, values] of Object.entries(patch)) made[section] = { ...made[section], ...values };
  return made;
}

const idOf = ({ path }) => `set-${path.replace(".", "-")}`;

const hintOf = (control) =>
  control.hint ? make("small", { id: `${idOf(control)}-hint` }, control.hint) : null;

const ROWS = {
  range(control, change) {
    const id = idOf(control);
    const { min, max, step, digits = 0, unit = "", open } = control;
    const input = make("input", {
      id, type: "range", min, max, step, "aria-describedby": control.hint ? `${id}-hint` : null,
    });
    const output = make("output", { for: id });
    const text = (value) =>
      open && value >= open.at ? open.text : `${value.toFixed(digits)} ${unit}`.trim();
    input.addEventListener("input", () => {
      const value = Number(input.value);
      say(output, text(value));
      input.setAttribute("aria-valuetext", text(value));
      change(open && value >= open.at ? null : value);
    });
    const row = make(
      "div", { class: "row" },
      make("label", { for: id }, control.label), output, input, hintOf(control),
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
    const options = Object.entries(control.words).map(([value, text]) => make("option", { value }, text));
    const input = make("select", { id: idOf(control) }, ...options);
    input.addEventListener("change", () => change(input.value));
    return {
      row: make("div", { class: "row flat" }, make("label", { for: input.id }, control.label), input),
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
      show: (value) => boxes.forEach((box) => (box.checked = value.includes(box.value))),
    };
  },
};
