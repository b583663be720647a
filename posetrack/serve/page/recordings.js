// Recordings of a stream: start, stop, list, download, delete.

import * as api from "./api.js";
import { find, make, reconcile, say, sure, toast } from "./dom.js";
import { bytes, count, date, duration } from "./format.js";

export class Recordings {
  #id = null;
  #running = false;

  constructor(place) {
    this.button = find("record");
    this.button.addEventListener("click", () => this.toggle());
    this.status = make("p", { class: "quiet" });
    this.list = make("ul", { class: "files", "aria-label": "Recordings" });
    const box = (name, text, checked) =>
      make("label", { class: "chip" }, make("input", { type: "checkbox", name, checked }), text);
    this.wishes = make(
      "fieldset",
      { class: "row" },
      make("legend", {}, "What to record"),
      box("video", "video", true),
      box("records", "poses", true),
      box("drawn", "people drawn", false),
    );
    place.append(this.wishes, this.status, this.list);
  }

  open(id) {
    this.#id = id;
    this.#show({ newest: null, files: [] });
    this.refresh();
  }

  /** Read the list again. */
  async refresh() {
    const id = this.#id;
    if (id === null) return;
    try {
      const found = await api.getRecordings(id);
      if (id === this.#id) this.#show(found);
    } catch (error) {
      if (id !== this.#id || error.status === 401) return;
      this.button.disabled = error.status === 409; // no place for them
      say(this.status, error.message);
    }
  }

  async toggle() {
    this.button.disabled = true;
    try {
      if (this.#running) {
        await api.stopRecording(this.#id);
        toast("The recording is in the list.");
      } else {
        await api.startRecording(this.#id, this.#wish());
        toast("Recording.");
      }
    } catch (error) {
      toast(error.message, "error");
    }
    this.button.disabled = false;
    await this.refresh();
  }

  #wish() {
    const boxes = [...this.wishes.querySelectorAll("input")];
    return Object.fromEntries(boxes.map((box) => [box.name, box.checked]));
  }

  #show({ newest, files }) {
    this.#running = newest !== null && newest.ended === null;
    this.button.disabled = false;
    this.button.setAttribute("aria-pressed", this.#running);
    say(this.button, this.#running ? "Stop" : "Record");
    say(this.status, told(newest, files, this.#running));
    reconcile(
      this.list,
      files,
      ({ name }) => name,
      (file) => this.#file(file),
      (line, file) => say(line.querySelector(".size"), `${date(file.at)} · ${bytes(file.bytes)}`),
    );
  }

  #file({ name }) {
    const id = this.#id;
    const link = make("a", { href: api.recordingPath(id, name), download: `${id}-${name}` }, name);
    const gone = make("button", { class: "plain", "aria-label": `Delete ${name}` }, "Delete");
    gone.addEventListener("click", async () => {
      if (!(await sure(`Delete ${name} for good?`, "Delete"))) return;
      try {
        await api.deleteRecording(id, name);
      } catch (error) {
        toast(error.message, "error");
      }
      this.refresh();
    });
    return make("li", {}, make("div", {}, link, make("span", { class: "size quiet" })), gone);
  }
}

function told(newest, files, running) {
  if (running) {
    const lost = newest.dropped ? `, ${count(newest.dropped)} dropped` : "";
    const long = duration(api.daemonNow() - newest.began);
    return `Recording for ${long}: ${count(newest.frames)} frames${lost}.`;
  }
  if (newest !== null && newest.ended !== "stopped") return `The last one ended: ${newest.ended}.`;
  return files.length ? "" : "Nothing is recorded yet.";
}
