// Light, dark, or as the system has it; kept for the next visit.

import { find, say } from "./dom.js";

const KEPT = "posetrack-theme";
const NEXT = { auto: "light", light: "dark", dark: "auto" };

export function letChooseTheme() {
  const button = find("theme");
  const show = (theme) => {
    document.documentElement.dataset.theme = theme;
    say(button, { auto: "Theme: auto", light: "Theme: light", dark: "Theme: dark" }[theme]);
  };
  let theme = localStorage.getItem(KEPT);
  if (!(theme in NEXT)) theme = "auto";
  show(theme);
  button.addEventListener("click", () => {
    theme = NEXT[theme];
    localStorage.setItem(KEPT, theme);
    show(theme);
  });
}
