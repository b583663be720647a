// Who is in which frame: fetched in blocks around where one looks, forgotten after each edit.

import { getPeople } from "./server.js";

const BLOCK = 100;
const MOST = 40; // blocks

export class People {
  #blocks = new Map();
  #version = 0;

  constructor(frames) {
    this.frames = frames;
  }

  forget() {
    this.#version += 1;
    this.#blocks.clear();
  }

  /** Everybody at a place, a promise; the blocks beside it are fetched too. */
  async at(place) {
    const block = Math.floor(place / BLOCK);
    const wanted = this.#fetch(block);
    if (place % BLOCK > BLOCK / 2) this.#fetch(block + 1).catch(() => {});
    else this.#fetch(block - 1).catch(() => {});
    return (await wanted)[place % BLOCK] ?? [];
  }

  #fetch(block) {
    const first = block * BLOCK;
    if (first < 0 || first >= this.frames) return Promise.resolve([]);
    let found = this.#blocks.get(block);
    if (found) return found;
    const version = this.#version;
    found = getPeople(first, BLOCK).then(({ people }) =>
      version === this.#version ? people : this.#fetch(block),
    );
    found.catch(() => this.#blocks.delete(block)); // asked again next time
    this.#blocks.set(block, found);
    if (this.#blocks.size > MOST) this.#blocks.delete(this.#blocks.keys().next().value);
    return found;
  }
}
