// Numbers as people read them.

/** To the second below ten minutes, then coarser. */
export function duration(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
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
