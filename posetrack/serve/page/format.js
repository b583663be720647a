// Numbers as people read them.

const UNITS = [
  [86_400, "d"],
  [3600, "h"],
  [60, "min"],
  [1, "s"],
];

/** The two largest units that say something, or `parts` of them: 3 min 20 s. */
export function duration(seconds, parts = 2) {
  let rest = Math.max(0, Math.floor(seconds));
  const first = Math.max(
    0,
    UNITS.findIndex(([unit]) => rest >= unit),
  );
  const words = (rest ? UNITS.slice(first, first + parts) : [[1, "s"]]).map(([unit, name]) => {
    const many = Math.floor(rest / unit);
    rest -= many * unit;
    return `${many} ${name}`;
  });
  return words.join(" ");
}

export function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let power = 0;
  while (count >= 1000 && power < units.length - 1) {
    count /= 1000;
    power += 1;
  }
  return `${count.toFixed(power && count < 100 ? 1 : 0)} ${units[power]}`;
}

export const ms = (value) => (value < 10 ? value.toFixed(1) : value.toFixed(0));

export const count = (value) => value.toLocaleString("en").replaceAll(",", " ");

export const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString();

export const people = (number) => (number === 1 ? "1 person" : `${number} people`);

export const date = (seconds) =>
  new Date(seconds * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
