// The panel: who is selected, what can be done with them, and what was done.

import { find, make, reconcile, say } from "../dom.js";
import { idColour } from "../overlay.js";

const HINTS = [
  "Nobody. Click on a person or on a row below; Ctrl-click selects several.",
  "Split gives the track a new id from this frame on.",
  "Merge joins them under the first; Swap exchanges their ids from this frame on.",
  "Merge joins them under the first.",
];

export function showSelected(tracks, drop) {
  say(find("hint"), HINTS[Math.min(tracks.length, HINTS.length - 1)]);
  reconcile(
    find("selected"),
    tracks,
    (track) => track.id,
    ({ id }) => {
      const mark = make("i", { class: "mark" });
      mark.style.background = idColour(id);
      const away = make("button", { class: "away", "aria-label": `Deselect ${id}` }, "×");
      away.addEventListener("click", () => drop(id));
      return make("li", {}, mark, make("b"), make("span", { class: "quiet" }), away);
    },
    (item, { id, name, frames }) => {
      say(item.querySelector("b"), name ? `${id} ${name}` : String(id));
      say(item.querySelector("span"), `${frames} frames`);
    },
  );
}

/** Which edits make sense of the selected tracks at a place. */
export function showPossible(tracks, place) {
  const [only] = tracks;
  const inside = (track) => track.runs[0][0] < place && place <= track.runs.at(-1)[1];
  find("merge").disabled = tracks.length < 2;
  find("cut").disabled = tracks.length !== 1 || !inside(only);
  find("swap").disabled = tracks.length !== 2;
  find("rename").disabled = tracks.length !== 1;
  find("delete").disabled = tracks.length === 0;
}

export function showHistory({ done, undone, saved, target }) {
  const lines = [
    ...done.map((text) => ({ text, kind: "done" })),
    ...undone.map((text) => ({ text, kind: "undone" })),
  ];
  const list = find("history");
  list.replaceChildren(
    ...lines.map(({ text, kind }) => make("li", { class: kind }, make("span", {}, text))),
  );
  list.children[done.length - 1]?.scrollIntoView({ block: "nearest" });
  find("no-edits").hidden = lines.length > 0;
  say(find("target"), target);
  find("undo").disabled = !done.length;
  find("redo").disabled = !undone.length;
  find("save").disabled = saved;
  const told = find("saved");
  say(told, saved ? (done.length ? `saved as ${target}` : "") : "not saved");
  told.toggleAttribute("data-unsaved", !saved);
}

/** Ask for a name and a number; null where nothing shall change. */
export function askName({ id, name }) {
  const dialog = find("renaming");
  const form = dialog.querySelector("form");
  say(dialog.querySelector("h2"), `Rename track ${id}`);
  form.elements.name.value = name;
  form.elements.number.value = id;
  dialog.returnValue = "";
  dialog.showModal();
  form.elements.name.select();
  dialog.querySelector("[value=cancel]").onclick = () => dialog.close();
  return new Promise((resolve) => {
    const answer = () =>
      resolve(
        dialog.returnValue === "yes"
          ? { name: form.elements.name.value.trim(), number: Number(form.elements.number.value) }
          : null,
      );
    dialog.addEventListener("close", answer, { once: true });
  });
}
