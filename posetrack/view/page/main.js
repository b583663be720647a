// The desk: one place in the clip, some selected tracks, and everything that follows from them.

import { find, make, say, toast } from "../dom.js";
import { count } from "../format.js";
import { letChooseTheme } from "../theme.js";
import { Axis } from "./axis.js";
import { askName, showHistory, showPossible, showSelected } from "./panel.js";
import { People } from "./people.js";
import { Player } from "./player.js";
import { Plot } from "./plot.js";
import * as server from "./server.js";
import { Stage } from "./stage.js";
import { Timeline } from "./timeline.js";

class Desk {
  place = 0;
  selected = []; // ids, in the order they were chosen
  tracks = [];

  constructor(clip) {
    this.clip = clip;
    this.last = clip.frames.length - 1;
    this.people = new People(clip.frames.length);
    this.axis = new Axis(clip.frames.length, () => this.#zoomed());
    this.stage = new Stage(find("view"), clip, this.people);
    const pick = (place, id, more) => this.pick(place, id, more);
    this.timeline = new Timeline(
      find("rows"), find("timeline"), this.axis, clip.times_s, pick,
    );
    this.plot = new Plot(find("plot"), find("curve-value"), this.axis, (place) => this.seek(place));
    this.player = new Player(find("video"), clip, {
      onPlace: (place, over) => this.go(place, over),
      onState: () => this.#playing(),
    });
    this.#fill();
    this.#listen();
  }

  // where one is

  /** Be at a place; `over`: the video shows its picture. */
  go(place, over = false) {
    this.place = Math.min(this.last, Math.max(0, place));
    const { frames, times_s } = this.clip;
    if (document.activeElement !== find("frame")) find("frame").value = frames[this.place];
    say(find("time"), `${times_s[this.place].toFixed(2)} s of ${times_s[this.last].toFixed(2)} s`);
    this.axis.follow(this.place);
    this.timeline.go(this.place);
    this.plot.go(this.place);
    showPossible(this.chosen(), this.place);
    this.stage.show(this.place, over).catch(failed);
  }

  seek(place) {
    this.player.pause();
    this.go(place);
  }

  toggle() {
    if (this.player.isPlaying) this.player.pause();
    else this.player.play(this.place);
  }

  /** To the next place where a selected track, or any, begins, ends or breaks. */
  jump(direction) {
    const tracks = this.chosen();
    const places = (tracks.length ? tracks : this.tracks).flatMap(({ runs }) =>
      runs.flatMap(([from, to]) => [from, to]),
    );
    const there = places.filter((place) => (place - this.place) * direction > 0);
    if (there.length) this.seek(direction > 0 ? Math.min(...there) : Math.max(...there));
  }

  // who is selected

  chosen() {
    const known = new Map(this.tracks.map((track) => [track.id, track]));
    return this.selected.map((id) => known.get(id)).filter(Boolean);
  }

  pick(place, id, more) {
    if (place !== null) this.seek(place);
    if (id === null) return;
    if (!more) this.select([id]);
    else if (this.selected.includes(id)) this.select(this.selected.filter((each) => each !== id));
    else this.select([...this.selected, id]);
  }

  select(ids) {
    const known = new Set(this.tracks.map(({ id }) => id));
    this.selected = ids.filter((id) => known.has(id));
    const names = new Map(this.tracks.map(({ id, name }) => [id, name]));
    const tracks = this.chosen();
    showSelected(tracks, (id) => this.select(this.selected.filter((each) => each !== id)));
    showPossible(tracks, this.place);
    this.timeline.show(this.tracks, this.selected);
    if (ids.length) this.timeline.reveal(ids.at(-1));
    this.stage.mark(this.selected, names);
    this.plot.show(this.selected, find("curve").value).catch(failed);
  }

  /** Show less or more of the time, around where one is. */
  zoom(factor) {
    const width = find("rows").clientWidth;
    this.axis.zoom(factor, this.axis.x(this.place, width), width);
  }

  /** The track above or below; where it is not there now, to its beginning. */
  step(direction) {
    const at = this.tracks.findIndex(({ id }) => id === this.selected.at(-1));
    const next = this.tracks[at < 0 ? 0 : at + direction];
    if (!next) return;
    const [first, last] = [next.runs[0][0], next.runs.at(-1)[1]];
    if (this.place < first || this.place > last) this.seek(first);
    this.select([next.id]);
  }

  // what is changed

  /** The tracks as the server has them now. */
  took(told, select = this.selected) {
    this.tracks = told.tracks;
    this.people.forget();
    showHistory(told);
    this.saved = told.saved;
    const { frames, times_s } = this.clip;
    const length = `${count(frames.length)} frames, ${times_s[this.last].toFixed(1)} s`;
    say(find("summary"), `${told.tracks.length} tracks in ${length}`);
    this.select(select);
    this.go(this.place);
  }

  async change(asking, select) {
    this.player.pause();
    try {
      this.took(await asking, select);
    } catch (error) {
      failed(error);
    }
  }

  get frame() {
    return this.clip.frames[this.place];
  }

  merge() {
    const [into, ...others] = this.selected;
    return this.change(server.edit({ op: "merge", into, others }), [into]);
  }

  cut() {
    return this.change(server.edit({ op: "cut", track: this.selected[0], frame: this.frame }));
  }

  swap() {
    const [a, b] = this.selected;
    return this.change(server.edit({ op: "swap", a, b, frame: this.frame }));
  }

  delete() {
    return this.change(server.edit({ op: "delete", tracks: this.selected }), []);
  }

  async rename() {
    const [track] = this.chosen();
    this.player.pause();
    const wanted = await askName(track);
    if (wanted === null) return;
    if (wanted.name !== track.name) {
      await this.change(server.edit({ op: "name", track: track.id, name: wanted.name }));
    }
    if (wanted.number !== track.id) {
      const asking = server.edit({ op: "renumber", track: track.id, to: wanted.number });
      await this.change(asking, [wanted.number]);
    }
  }

  undo() {
    return this.change(server.undo());
  }

  redo() {
    return this.change(server.redo());
  }

  async save() {
    await this.change(server.save());
    if (this.saved) toast(find("saved").textContent);
  }

  // the page

  #fill() {
    const { clip } = this;
    say(find("source"), clip.source);
    document.title = `${clip.source} – posetrack view`;
    const titles = {
      angle: "Joint angles", x: "Across (x)", y: "Down (y)", speed: "Speeds", score: "Scores",
    };
    for (const [group, names] of Object.entries(clip.curves)) {
      const options = names.map((name) => {
        const words = name.slice(group.length + 1).replaceAll("_", " ");
        return make("option", { value: name }, group === "angle" ? `${words} angle` : `${words} ${group}`);
      });
      find("curve").append(make("optgroup", { label: titles[group] }, ...options));
    }
    this.#look();
  }

  #look() {
    const boxes = document.querySelectorAll(".layers input:checked");
    const layers = [...boxes].map(({ name }) => name);
    const drawing = { layers, thickness: 2, colours: find("style").value };
    this.stage.look({ ...this.clip, drawing });
  }

  #zoomed() {
    find("whole").hidden = this.axis.isWhole;
    this.timeline.draw();
    this.plot.draw();
  }

  #playing() {
    const on = this.player.isPlaying;
    say(find("play"), on ? "Pause" : "Play");
    find("play").setAttribute("aria-pressed", String(on));
  }

  #listen() {
    const click = (id, act) => find(id).addEventListener("click", act);
    click("play", () => this.toggle());
    click("back", () => this.seek(this.place - 1));
    click("on", () => this.seek(this.place + 1));
    click("to-start", () => this.seek(0));
    click("to-end", () => this.seek(this.last));
    click("whole", () => this.axis.whole());
    for (const act of ["merge", "cut", "swap", "rename", "delete", "undo", "redo", "save"]) {
      click(act, () => this[act]());
    }
    find("speed").addEventListener("change", (event) => {
      this.player.setSpeed(Number(event.target.value));
      event.target.blur();
    });
    find("curve").addEventListener("change", (event) => {
      this.select(this.selected);
      event.target.blur(); // the arrows are the clip's again
    });
    find("style").addEventListener("change", () => this.#look());
    for (const box of document.querySelectorAll(".layers input")) {
      box.addEventListener("change", () => this.#look());
    }
    find("frame").addEventListener("change", (event) => this.#goToFrame(event.target));
    find("view").addEventListener("pointerdown", (event) => {
      const box = find("view").getBoundingClientRect();
      const id = this.stage.personAt(event.clientX - box.left, event.clientY - box.top);
      const more = event.ctrlKey || event.metaKey || event.shiftKey;
      if (id !== null) this.pick(null, id, more);
      else if (!more) this.select([]);
    });
    document.addEventListener("keydown", (event) => this.#key(event));
    window.addEventListener("beforeunload", (event) => {
      if (!this.saved) event.preventDefault();
    });
  }

  /** The frame of a number, or the one looked at before it. */
  #goToFrame(field) {
    const wanted = Number(field.value);
    field.blur();
    const { frames } = this.clip;
    const after = frames.findIndex((frame) => frame > wanted);
    if (field.value.trim() === "" || Number.isNaN(wanted)) this.go(this.place);
    else this.seek(after < 0 ? this.last : after - 1);
  }

  #key(event) {
    if (document.querySelector("dialog[open]")) return;
    if (event.ctrlKey || event.metaKey) {
      const act = { z: event.shiftKey ? "redo" : "undo", y: "redo", s: "save" }[
        event.key.toLowerCase()
      ];
      if (!act || event.altKey) return;
      event.preventDefault();
      if (!find(act).disabled) this[act]();
      return;
    }
    if (event.altKey || event.target.matches("input[type=text], select, summary")) return;
    if (event.key === " " && event.target.matches("button, input")) return; // presses it
    const many = event.shiftKey ? 10 : 1;
    const possible = (id) => () => find(id).disabled || this[id]();
    const acts = {
      " ": () => this.toggle(),
      ArrowLeft: () => this.seek(this.place - many),
      ArrowRight: () => this.seek(this.place + many),
      ArrowUp: () => this.step(-1),
      ArrowDown: () => this.step(1),
      Home: () => this.seek(0),
      End: () => this.seek(this.last),
      "[": () => this.jump(-1),
      "]": () => this.jump(1),
      "+": () => this.zoom(0.6),
      "=": () => this.zoom(0.6), // the same key without Shift
      "-": () => this.zoom(1 / 0.6),
      m: possible("merge"),
      c: possible("cut"),
      x: possible("swap"),
      r: possible("rename"),
      Delete: possible("delete"),
      Backspace: possible("delete"),
      Escape: () => this.select([]),
    };
    if (!(event.key in acts)) return;
    event.preventDefault();
    acts[event.key]();
  }
}

function failed(error) {
  const gone = error instanceof TypeError; // the connection itself
  toast(gone ? "The server does not answer: was it ended?" : error.message, "error");
}

letChooseTheme();
const desk = new Desk(await server.getClip());
desk.took(await server.getTracks());
