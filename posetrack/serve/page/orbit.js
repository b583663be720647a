// The eye that looks at a scene from around it: turned by dragging or arrow keys, brought nearer by
// the wheel, two fingers, + or -; a double click puts it back.

const FIRST = { yaw: 0.55, tilt: 0.22, zoom: 1 };
const FIELD = 1.9; // focal length in halves of the view: 55 degrees
const CALM = 0.15; // the eye follows people by so much a frame, so that it does not shake with them

export class Orbit {
  moved = false;
  #at = null; // [middle x, y, z, half the height, radius on the floor] of what is looked at, in metres
  #fingers = new Map();

  /** Listen to an element; `isOn` says whether it shows the scene now. */
  constructor(place, isOn, onChange) {
    Object.assign(this, FIRST);
    const move = (change) => {
      change();
      this.moved = true;
      onChange();
    };
    place.addEventListener("pointerdown", (event) => {
      if (!isOn()) return;
      this.#fingers.set(event.pointerId, [event.clientX, event.clientY]);
      place.setPointerCapture(event.pointerId);
    });
    place.addEventListener("pointermove", (event) => {
      if (!isOn() || !this.#fingers.has(event.pointerId)) return;
      move(() => this.#drag(event.pointerId, [event.clientX, event.clientY]));
    });
    for (const end of ["pointerup", "pointercancel"]) {
      place.addEventListener(end, ({ pointerId }) => this.#fingers.delete(pointerId));
    }
    place.addEventListener(
      "wheel",
      (event) => {
        if (!isOn()) return;
        event.preventDefault();
        move(() => this.#nearer(Math.exp(-event.deltaY / 600)));
      },
      { passive: false },
    );
    place.addEventListener("dblclick", () => isOn() && move(() => Object.assign(this, FIRST)));
    const keys = {
      ArrowLeft: () => this.#turn(-0.1, 0),
      ArrowRight: () => this.#turn(0.1, 0),
      ArrowUp: () => this.#turn(0, -0.1),
      ArrowDown: () => this.#turn(0, 0.1),
    };
    place.addEventListener("keydown", (event) => {
      if (!isOn() || !(event.key in keys)) return;
      event.preventDefault();
      move(keys[event.key]);
    });
  }

  #drag(id, to) {
    const before = [...this.#fingers.values()];
    const from = this.#fingers.get(id);
    this.#fingers.set(id, to);
    const after = [...this.#fingers.values()];
    if (after.length === 1) this.#turn((to[0] - from[0]) / 150, (to[1] - from[1]) / 150);
    else this.#nearer(spread(after) / Math.max(spread(before), 1));
  }

  #turn(yaw, tilt) {
    this.yaw += yaw;
    this.tilt = Math.min(1.5, Math.max(0, this.tilt + tilt));
  }

  #nearer(times) {
    this.zoom = Math.min(5, Math.max(0.4, this.zoom * times));
  }

  /** Look at points (x right, y up, z away, in metres), calmly. */
  follow(points) {
    if (!points.length) return;
    const ends = [0, 1, 2].map((axis) => {
      const along = points.map((point) => point[axis]);
      return [Math.min(...along), Math.max(...along)];
    });
    const [x, y, z] = ends.map(([low, high]) => (high - low) / 2);
    const middle = ends.map(([low, high]) => (low + high) / 2);
    const now = [...middle, Math.max(y, 0.8), Math.hypot(x, z)];
    this.#at = this.#at?.map((old, i) => old + CALM * (now[i] - old)) ?? now;
  }

  /** Forget who was looked at. */
  forget() {
    this.#at = null;
  }

  /** From metres to [x, y, pixels a metre, depth] on a canvas; null behind the eye. */
  projection(width, height) {
    const [cy, sy] = [Math.cos(this.yaw), Math.sin(this.yaw)];
    const [ct, st] = [Math.cos(this.tilt), Math.sin(this.tilt)];
    const [mx, my, mz, high, wide] = this.#at ?? [0, 0.85, 0, 0.85, 1];
    const focal = (FIELD * height) / 2;
    const fits = FIELD * Math.max(1.45 * high, (1.1 * wide * height) / width);
    const away = (fits + 0.4 * wide) / this.zoom;
    return ([x, y, z]) => {
      const [across, into] = [(x - mx) * cy + (z - mz) * sy, (z - mz) * cy - (x - mx) * sy];
      const up = y - my;
      const depth = into * ct - up * st + away;
      if (depth < 0.1) return null;
      const scale = focal / depth;
      return [width / 2 + scale * across, height / 2 - scale * (up * ct + into * st), scale, depth];
    };
  }
}

const spread = ([[ax, ay], [bx, by]]) => Math.hypot(ax - bx, ay - by);
