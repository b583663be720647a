// Where people of a model with depths stand: in metres, x right, y up, z away, around their middle.
//
// A message has pixels and, for each keypoint, metres before or behind the person's middle. How large
// a metre is in the picture, and by that how far away somebody stands, tell the lengths of the bones:
// everybody is taken to be 1.7 m tall, the lens to see 53°.

const TALL_M = 1.7;
const CALM = 0.2; // a scale follows what a frame says by so much

// Bones and how long they are, in body heights (Winter, 2009), as kinematics/rig.py has them.
const BONES = [
  ["shoulder", "elbow", 0.186],
  ["elbow", "wrist", 0.146],
  ["shoulder", "hip", 0.293],
  ["hip", "knee", 0.245],
  ["knee", "ankle", 0.246],
];
const ACROSS = [["left_shoulder", "right_shoulder", 0.259]];
// How high something is when somebody stands, in body heights; the first that is seen counts.
const HEIGHTS = [
  ["ankle", 0.039],
  ["hip", 0.53],
  ["shoulder", 0.818],
];

/** Whether a message can be shown in space. */
export const hasDepths = (message) => message?.people.some((person) => person.depths) ?? false;

export class Space {
  #scales = new Map(); // id -> pixels a metre

  /** Each person of the next message: {id, state, points (metres), seen (whether each is)}. */
  place(message, names, threshold) {
    const [width, height] = message.size;
    const people = message.people.filter(({ depths }) => depths);
    const there = new Set(people.map(({ id }) => id));
    for (const id of this.#scales.keys()) if (!there.has(id)) this.#scales.delete(id);
    const placed = people.map((person) => {
      const find = finder(person, names, threshold);
      const metre = this.#scale(person, find);
      const away = width / metre;
      const points = person.keypoints.map(([x, y], k) => [
        (x - width / 2) / metre,
        (height - y) / metre,
        away + person.depths[k],
      ]);
      const floor = floorOf(find, points) ?? (height - person.bbox[3]) / metre;
      for (const point of points) point[1] -= floor;
      const seen = person.keypoints.map(([, , score]) => score >= threshold);
      return { id: person.id, state: person.state, points, seen, away };
    });
    const middle = placed.reduce((sum, { away }) => sum + away, 0) / Math.max(placed.length, 1);
    for (const { points } of placed) for (const point of points) point[2] -= middle;
    return placed;
  }

  #scale(person, find) {
    const told = scaleOf(person, find) ?? Math.max(person.bbox[3] - person.bbox[1], 1) / TALL_M;
    const before = this.#scales.get(person.id) ?? told;
    const now = before + CALM * (told - before);
    this.#scales.set(person.id, now);
    return now;
  }
}

/** Name -> index of a keypoint that is seen; undefined of others. */
function finder({ keypoints }, names, threshold) {
  const seen = new Map();
  names.forEach((name, k) => {
    if ((keypoints[k]?.[2] ?? 0) >= threshold) seen.set(name, k);
  });
  return (name) => seen.get(name);
}

/** Pixels a metre at which bones are as long as they should be, by least squares; or null. */
function scaleOf({ keypoints, depths }, find) {
  const sides = ["left_", "right_"].flatMap((side) =>
    BONES.map(([from, to, share]) => [side + from, side + to, share]),
  );
  let [fourth, mixed] = [0, 0];
  for (const [from, to, share] of [...sides, ...ACROSS]) {
    const [a, b] = [find(from), find(to)];
    if (a === undefined || b === undefined) continue;
    const across =
      (keypoints[a][0] - keypoints[b][0]) ** 2 + (keypoints[a][1] - keypoints[b][1]) ** 2;
    fourth += across ** 2;
    mixed += across * ((share * TALL_M) ** 2 - (depths[a] - depths[b]) ** 2);
  }
  return fourth > 0 && mixed > 0 ? Math.sqrt(fourth / mixed) : null;
}

/** The height of the floor under somebody who stands on it; null where no joint tells. */
function floorOf(find, points) {
  for (const [name, share] of HEIGHTS) {
    const seen = [find(`left_${name}`), find(`right_${name}`)].filter((k) => k !== undefined);
    if (seen.length) return Math.min(...seen.map((k) => points[k][1])) - share * TALL_M;
  }
  return null;
}
