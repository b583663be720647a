// The token, asked for where the daemon wants one.

import { signIn, signOut } from "./api.js";
import { find, say } from "./dom.js";

/** Returns what asks for the token until it is right; `onOut` is told when somebody signs out. */
export function letSignIn(onOut) {
  const dialog = find("login");
  const form = dialog.querySelector("form");
  const error = dialog.querySelector(".error");
  const field = form.elements.token;
  let done = null;

  dialog.addEventListener("cancel", (event) => event.preventDefault()); // there is nothing behind
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await signIn(field.value.trim());
      dialog.close();
      done?.();
    } catch (problem) {
      say(error, problem.status ? sentence(problem.message) : "The daemon does not answer.");
      field.select();
    }
  });
  find("sign-out").addEventListener("click", async () => {
    await signOut();
    onOut();
    location.reload();
  });
  return () =>
    new Promise((resolve) => {
      done = resolve;
      form.reset();
      say(error, "");
      if (!dialog.open) dialog.showModal();
    });
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;
