// Playing: by the browser's own player where it can show the file, else picture by picture.

import { placeOf } from "./timeline.js";

export class Player {
  isPlaying = false;
  speed = 1;

  /** `onPlace(place, over)` for each frame: `over` where the video itself shows it. */
  constructor(video, clip, { onPlace, onState }) {
    Object.assign(this, { video, clip, onPlace, onState });
    this.times = clip.times_s;
    this.#prepare();
  }

  #prepare() {
    const { video, clip } = this;
    this.byVideo = clip.video && "requestVideoFrameCallback" in HTMLVideoElement.prototype;
    if (!this.byVideo) return;
    video.addEventListener("error", () => {
      this.byVideo = false; // a codec it has not: picture by picture then
      if (this.isPlaying) this.pause();
    });
    video.addEventListener("ended", () => this.isPlaying && this.pause(this.times.length - 1));
    video.src = "/v1/video";
  }

  async play(place) {
    this.place = place >= this.times.length - 1 ? 0 : place;
    this.isPlaying = true;
    this.onState();
    if (this.byVideo) await this.#playVideo();
    else this.#playPictures();
  }

  setSpeed(speed) {
    this.speed = speed;
    this.video.playbackRate = speed;
    if (this.isPlaying && !this.byVideo) this.#playPictures();
  }

  /** Stop, at a place or where it is. */
  pause(place = this.place) {
    if (!this.isPlaying) return;
    this.isPlaying = false;
    this.video.pause();
    cancelAnimationFrame(this.tick);
    this.onState();
    this.onPlace(place, false);
  }

  async #playVideo() {
    const { video, times, clip } = this;
    const step = (now, { mediaTime }) => {
      if (!this.isPlaying) return;
      this.place = placeOf(times, mediaTime - clip.zero_s + 0.001);
      this.onPlace(this.place, true);
      if (this.place >= times.length - 1) this.pause();
      else video.requestVideoFrameCallback(step);
    };
    const next = times[this.place + 1] ?? times[this.place];
    video.currentTime = clip.zero_s + (times[this.place] + next) / 2; // within the frame, not at its edge
    video.playbackRate = this.speed;
    video.requestVideoFrameCallback(step);
    await video.play().catch(() => {
      this.byVideo = false;
      if (this.isPlaying) this.#playPictures();
    });
  }

  #playPictures() {
    const { times } = this;
    cancelAnimationFrame(this.tick);
    const begin = performance.now();
    const from_s = times[this.place];
    const step = (now) => {
      const place = placeOf(times, from_s + (Math.max(0, now - begin) / 1000) * this.speed);
      if (place !== this.place) {
        this.place = place;
        this.onPlace(place, false);
      }
      if (place >= times.length - 1) this.pause();
      else this.tick = requestAnimationFrame(step);
    };
    this.tick = requestAnimationFrame(step);
  }
}
