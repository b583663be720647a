// The live picture of one stream with its people over it. Each picture says which frame it shows and
// is drawn with the message of that very frame; without pictures, messages are drawn as they come.

import { find, make, reconcile, say } from "./dom.js";
import { clock, duration, ms, people } from "./format.js";
import { listen, watch } from "./live.js";
import { Orbit } from "./orbit.js";
import { drawPeople, idColour, Trails } from "./overlay.js";
import { drawScene } from "./scene.js";
import { hasDepths, Space } from "./space.js";

const KEPT = 120; // messages that wait for their picture
const PICTURES_S = 3; // without a picture for so long, messages are drawn by themselves
const THRESHOLD = 0.3;
const EVENTS = 40;

export class View {
  #id = null;
  #stop = [];
  #messages = new Map();
  #latest = null;
  #picture = null;
  #pictureAt = 0;
  #due = false;
  #size = "";
  #inSpace = false;
  #overlay = true;
  #hidesFaces = null; // of the pictures that come; null while none are asked for
  #trails = new Trails();
  #space = new Space();
  #placed = { of: null, people: [] };
  #peopleAt = 0;

  constructor() {
    this.place = find("view");
    this.picture = find("picture").getContext("2d");
    this.overlay = find("overlay").getContext("2d");
    this.tracking = null;
    this.stream = null;
    this.orbit = new Orbit(
      this.place,
      () => this.#inSpace,
      () => this.#schedule(),
    );
    find("space").addEventListener("click", () => this.#toggleSpace());
    find("overlay-on").addEventListener("click", () => this.toggleOverlay());
    new ResizeObserver(() => this.#schedule()).observe(this.place);
  }

  /** Begin to show a stream. */
  open(id) {
    this.close();
    if (id !== this.#id) find("events").replaceChildren();
    this.#id = id;
    this.#stop = [listen(id, (message) => this.#take(message))];
  }

  /** End all connections and forget what was shown. */
  close() {
    for (const stop of this.#stop) stop();
    this.#stop = [];
    this.#hidesFaces = null;
    this.#messages.clear();
    this.#picture?.bitmap.close();
    this.#latest = this.#picture = null;
    this.#trails = new Trails();
    this.#space = new Space();
    this.#placed = { of: null, people: [] };
    this.orbit.forget();
    for (const { canvas } of [this.picture, this.overlay]) canvas.width = canvas.height = 0;
    find("people").replaceChildren();
  }

  /** Take a stream's state, and its keypoint set and tracker where they are known. */
  update(stream, tracking) {
    this.stream = stream;
    this.tracking = tracking;
    this.#watch(stream.settings.drawing.blur_faces);
    const [width, height] = stream.size ?? [16, 9];
    if (this.#size !== `${width}/${height}`) {
      this.#size = `${width}/${height}`;
      this.place.style.setProperty("--width", width);
      this.place.style.setProperty("--height", height);
    }
    const running = stream.state === "running";
    const veil = find("veil");
    veil.hidden = running;
    if (!running) say(veil, veilText(stream));
    const told = [
      `${stream.fps.toFixed(1)} fps`,
      `${ms(stream.latency_ms.p50)} ms`,
      people(stream.people),
    ];
    say(find("hud"), running ? told.join(" · ") : "");
    this.#schedule();
  }

  /** Ask for pictures. Where faces are hidden, the daemon draws: plain pictures would show them. */
  #watch(hidesFaces) {
    if (this.#hidesFaces === hidesFaces || !this.#stop.length) return;
    this.#hidesFaces = hidesFaces;
    const [listening, watching] = this.#stop;
    watching?.();
    const show = (bitmap, frame) => this.#show(bitmap, frame);
    this.#stop = [listening, watch(this.stream.id, hidesFaces, show)];
  }

  toggleOverlay() {
    this.#overlay = !this.#overlay;
    find("overlay-on").setAttribute("aria-pressed", this.#overlay);
    this.#schedule();
  }

  #toggleSpace() {
    this.#inSpace = !this.#inSpace;
    find("space").setAttribute("aria-pressed", this.#inSpace);
    this.place.classList.toggle("in-space", this.#inSpace);
    this.#schedule();
  }

  #take(message) {
    if (message.type === "new" || message.type === "end") return logEvent(message);
    if (message.type !== "poses") return;
    if (this.#latest && message.frame <= this.#latest.frame) this.#messages.clear();
    this.#latest = message;
    this.#messages.set(message.frame, message);
    if (this.#messages.size > KEPT) this.#messages.delete(this.#messages.keys().next().value);
    this.#trails.add(message, this.stream?.settings.drawing.trail_s ?? 1.5);
    find("space").hidden = !hasDepths(message) && !this.#inSpace;
    if (!this.#picturesCome() || this.#picture?.frame === message.frame) this.#schedule();
    if (performance.now() - this.#peopleAt > 250) {
      this.#peopleAt = performance.now();
      listPeople(message.people);
    }
  }

  #show(bitmap, frame) {
    this.#picture?.bitmap.close();
    this.#picture = { bitmap, frame };
    this.#pictureAt = performance.now();
    this.#schedule();
  }

  /** Whether the picture is fresh; an old one goes, so that nobody is drawn where he is not. */
  #picturesCome() {
    const longest_s = Math.max(PICTURES_S, 2.5 / (this.stream?.settings.preview.fps ?? 1));
    const fresh = performance.now() - this.#pictureAt < 1000 * longest_s;
    if (!fresh && this.stream?.state === "running") {
      this.#picture?.bitmap.close();
      this.#picture = null;
    }
    return fresh;
  }

  #schedule() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      this.#draw();
    });
  }

  #draw() {
    if (this.stream === null) return;
    const { tracker } = this.stream.settings;
    const drawing = holding(this.stream.settings.drawing, this.tracking?.drawing);
    const skeleton = this.tracking?.skeleton ?? null;
    const threshold =
      tracker.keypoint_threshold ?? this.tracking?.tracker.keypoint_threshold ?? THRESHOLD;
    const message = this.#ofPicture();
    Object.assign(this.place.dataset, { picture: this.#picture?.frame, people: message?.frame });
    const [width, height] = fit(this.overlay.canvas);
    fit(this.picture.canvas);
    this.overlay.setTransform(1, 0, 0, 1, 0, 0);
    this.overlay.clearRect(0, 0, width, height);
    if (this.#inSpace) {
      this.picture.clearRect(0, 0, width, height);
      this.#place(message, skeleton?.keypoints ?? [], threshold);
      drawScene(this.overlay, this.#placed.people, { skeleton, drawing }, this.orbit);
      return;
    }
    this.#drawPicture(drawing.background, width, height);
    if (message === null || !this.#overlay || this.stream.state !== "running") return;
    if (this.#hidesFaces && this.#picture !== null) return; // people are drawn already
    const scale = width / message.size[0];
    this.overlay.scale(scale, scale);
    const unit = window.devicePixelRatio / scale;
    drawPeople(this.overlay, message, { drawing, skeleton, threshold, unit, trails: this.#trails });
  }

  /** Put the people of a message into space, once. */
  #place(message, names, threshold) {
    if (message === null || message === this.#placed.of) return;
    const people = this.#space.place(message, names, threshold);
    this.orbit.follow(people.flatMap(({ points, seen }) => points.filter((_, k) => seen[k])));
    this.#placed = { of: message, people };
  }

  /** The message of the frame that the picture shows, or the last one before it. */
  #ofPicture() {
    if (!this.#picturesCome() || this.#picture === null) return this.#latest;
    const { frame } = this.#picture;
    let found = this.#messages.get(frame) ?? null;
    if (found === null) {
      for (const message of this.#messages.values()) if (message.frame < frame) found = message;
    }
    return found;
  }

  #drawPicture(background, width, height) {
    if (background === "black" || this.#picture === null) {
      this.picture.clearRect(0, 0, width, height);
      return;
    }
    const { bitmap } = this.#picture;
    this.picture.imageSmoothingQuality = "high";
    if (background === "blur") {
      this.picture.drawImage(bitmap, 0, 0, width / 24, height / 24);
      this.picture.drawImage(
        this.picture.canvas,
        0,
        0,
        width / 24,
        height / 24,
        0,
        0,
        width,
        height,
      );
    } else {
      this.picture.drawImage(bitmap, 0, 0, width, height);
    }
  }
}

/** The settings of drawing, with what the style says where they are silent. */
function holding(drawing, style) {
  return {
    ...drawing,
    layers: drawing.layers ?? style?.layers ?? [],
    colours: drawing.colours ?? style?.colours ?? "side",
    thickness: style?.thickness ?? drawing.thickness,
  };
}

/** As many canvas pixels as the screen has for it. */
function fit(canvas) {
  const width = Math.round(canvas.clientWidth * window.devicePixelRatio);
  const height = Math.round(canvas.clientHeight * window.devicePixelRatio);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  return [width, height];
}

function veilText({ state, error, settings }) {
  if (state === "stopped") return settings.enabled ? "The file is over." : "Paused.";
  const head = {
    connecting: "Connecting …",
    stalled: "No frames are coming.",
    failed: "This stream has failed.",
  }[state];
  return error ? `${head}\n${error}\nIt is tried again.` : head;
}

function listPeople(people) {
  reconcile(
    find("people"),
    [...people].sort((a, b) => a.id - b.id),
    ({ id }) => id,
    ({ id }) => {
      const dot = make("i", { class: "mark" });
      dot.style.backgroundColor = idColour(id);
      return make("li", {}, dot, make("b", {}, String(id)), make("span", { class: "quiet" }));
    },
    (line, { age, state }) => {
      say(line.lastChild, duration(age));
      line.classList.toggle("lost", state === "lost");
    },
  );
}

function logEvent({ type, id, at_ns, start_ns }) {
  const place = find("events");
  const what = type === "new" ? "came" : `went after ${duration((at_ns - start_ns) / 1e9)}`;
  const dot = make("i", { class: "mark" });
  dot.style.backgroundColor = idColour(id);
  const at = make("time", { class: "quiet" }, clock(at_ns / 1e9));
  place.prepend(make("li", {}, dot, `${id} ${what}`, at));
  while (place.children.length > EVENTS) place.lastChild.remove();
}
