// The list of streams, and a new one.

import { addStream, daemonNow, streamPath } from "./api.js";
import { find, make, reconcile, say } from "./dom.js";
import { duration, people } from "./format.js";

const THUMB_S = 5;

/** Words for a state and how long it has lasted. */
export const stateText = ({ state, since }, parts) =>
  `${state} · ${duration(daemonNow() - since, parts)}`;

export function showList(streams, chosen) {
  reconcile(
    find("streams"),
    streams,
    ({ id }) => id,
    card,
    (line, stream) => {
      const [thumb, text] = line.firstChild.children;
      const [name, state, figures] = text.children;
      line.firstChild.toggleAttribute("aria-current", stream.id === chosen);
      say(name, stream.id);
      state.dataset.state = stream.state;
      say(state, stateText(stream, 1));
      const good = stream.state === "running";
      const told = `${stream.fps.toFixed(0)} fps · ${people(stream.people)}`;
      say(figures, good ? told : (stream.error ?? ""));
      figures.title = good ? "" : figures.textContent;
      renew(thumb, stream);
    },
  );
}

function card({ id }) {
  return make(
    "li",
    {},
    make(
      "a",
      { href: `#${id}` },
      make("img", { class: "thumb", alt: "" }),
      make(
        "span",
        {},
        make("b"),
        make("span", { class: "state" }),
        make("span", { class: "quiet" }),
      ),
    ),
  );
}

/** A small picture now and then, while frames come. */
function renew(thumb, { id, state }) {
  const now = Date.now() / 1000;
  thumb.classList.toggle("old", state !== "running");
  if (state !== "running" || now - Number(thumb.dataset.at ?? 0) < THUMB_S) return;
  thumb.dataset.at = now;
  thumb.src = streamPath(id, `/snapshot.jpg?width=160&at=${Math.round(now)}`);
}

/** Let `#add` open the dialog; `onAdded` is told the new stream. */
export function letAdd(onAdded) {
  const dialog = find("adding");
  const form = dialog.querySelector("form");
  const error = dialog.querySelector(".error");
  find("add").addEventListener("click", () => {
    form.reset();
    say(error, "");
    dialog.showModal();
  });
  form.querySelector("[value=cancel]").addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { id, url } = form.elements;
    try {
      const stream = await addStream({ id: id.value.trim(), url: url.value.trim() });
      dialog.close();
      onAdded(stream);
    } catch (problem) {
      say(error, problem.message);
    }
  });
}
