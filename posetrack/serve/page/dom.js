// Elements, made without markup: whatever a name or an error says, it stays text.

export const find = (id) => document.getElementById(id);

/** An element with attributes and children; `on...` are listeners, null and false leave out. */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** Set a text only where it differs, so that selections and screen readers are left in peace. */
export function say(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/** Bring the children of `place` in line with `items`: one a key, made once, updated in place. */
export function reconcile(place, items, key, create, update) {
  const old = new Map([...place.children].map((child) => [child.dataset.key, child]));
  items.forEach((item, index) => {
    const name = String(key(item));
    let child = old.get(name);
    old.delete(name);
    if (!child) {
      child = create(item);
      child.dataset.key = name;
    }
    update(child, item);
    if (place.children[index] !== child) place.insertBefore(child, place.children[index] ?? null);
  });
  for (const child of old.values()) child.remove();
}

/** A line that goes by itself. */
export function toast(text, kind = "info") {
  const line = make("div", { class: `toast ${kind}` }, text);
  document.getElementById("toasts").append(line);
  setTimeout(() => line.remove(), kind === "error" ? 8000 : 3500);
}

/** Ask before something that cannot be taken back; whether to go on. */
export function sure(text, yes = "Remove") {
  const dialog = find("asking");
  say(dialog.querySelector("p"), text);
  say(dialog.querySelector(".danger"), yes);
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
