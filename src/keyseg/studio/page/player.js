/** The film: its clock in frames, speed, steps and loop; pictures of single frames where the browser cannot play it. */

import { ofVideo } from "./api.js";
import { parseRate } from "./times.js";

export const SPEEDS = [0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4];

/** The speed after this one, faster (1) or slower (-1). */
export function nextSpeed(speed, way) {
  const at = SPEEDS.findIndex((each) => each >= speed - 1e-9);
  return SPEEDS[Math.min(Math.max(at + way, 0), SPEEDS.length - 1)];
}

/** The frame whose picture has this time stamp, and one that is shown at this time of the clock. */
export const frameOfStamp = (seconds, fps) => Math.round(seconds * fps);
export const frameOfClock = (seconds, fps) => Math.floor(seconds * fps + 1e-3);

/** Events: `frame` {frame} for each new picture, `change` when it starts, stops, or plays at another speed. */
export class Player extends EventTarget {
  /** @param {HTMLVideoElement} film @param {HTMLImageElement} still */
  constructor(film, still) {
    super();
    Object.assign(this, { film, still, frame: 0, frames: 1, fps: 25, loop: null, wanted: null, placed: false, path: "", plays: false });
    for (const kind of ["play", "pause", "ratechange"]) film.addEventListener(kind, () => this.#tell("change"));
    film.addEventListener("play", () => { this.placed = false; });
    film.addEventListener("seeked", () => this.#seeked());
    film.addEventListener("ended", () => this.#ended());
    film.addEventListener("error", () => this.plays && this.#tell("broken"));
    still.addEventListener("load", () => this.#pictureCame());
    still.addEventListener("error", () => this.#pictureCame());
    if ("requestVideoFrameCallback" in film) this.#followPictures();
    else this.#followClock();
  }

  /** @param {{id: string, fps: string, frames: number}} video @param {boolean} plays whether the browser can play it */
  show(video, plays) {
    this.close();
    Object.assign(this, { fps: parseRate(video.fps), frames: Math.max(video.frames, 1), frame: 0, loop: null, plays });
    this.path = `/api/${ofVideo(video.id)}`;
    this.film.hidden = !plays;
    this.still.hidden = plays;
    if (plays) this.film.src = `${this.path}/media`;
    else this.#picture();
    this.#tell("frame");
    this.#tell("change");
  }

  close() {
    this.film.pause();
    this.film.removeAttribute("src");
    this.film.load();
    this.still.removeAttribute("src");
    this.plays = false;
    this.wanted = null;
  }

  get playing() {
    return this.plays && !this.film.paused;
  }

  get speed() {
    return this.film.playbackRate;
  }

  set speed(speed) {
    this.film.playbackRate = speed;
    this.film.defaultPlaybackRate = speed;
  }

  /** Play or pause. Rejects if the browser cannot play the film. */
  async toggle() {
    if (!this.plays) throw new Error("This browser cannot play the video yet; step through its frames, or make a copy that plays.");
    if (this.playing) return this.film.pause();
    if (this.frame >= this.frames - 1) this.seek(this.loop ? this.loop[0] : 0);
    await this.film.play();
  }

  /** Go to a frame; the clock is set to its middle, so that rounding cannot show its neighbour. */
  seek(frame) {
    this.placed = true;
    this.frame = Math.min(Math.max(Math.round(frame), 0), this.frames - 1);
    if (this.plays) {
      if (this.film.seeking) this.wanted = this.frame;
      else this.film.currentTime = (this.frame + 0.5) / this.fps;
    } else this.#picture();
    this.#tell("frame");
  }

  step(frames) {
    if (this.playing) this.film.pause();
    this.seek(this.frame + frames);
  }

  /** @param {[number, number]|null} segment start frame, and end frame, which is not shown */
  setLoop(segment) {
    this.loop = segment;
    if (segment && (this.frame < segment[0] || this.frame >= segment[1])) this.seek(segment[0]);
    this.#tell("change");
  }

  #followPictures() {
    const callback = (_, { mediaTime }) => {
      // A picture that comes late must not take the place of the frame that was asked for.
      const late = this.film.seeking || this.wanted !== null || (this.placed && !this.playing);
      if (!late) this.#at(frameOfStamp(mediaTime, this.fps));
      this.film.requestVideoFrameCallback(callback);
    };
    this.film.requestVideoFrameCallback(callback);
  }

  #followClock() {
    const tick = () => {
      if (this.playing && !this.film.seeking) this.#at(frameOfClock(this.film.currentTime, this.fps));
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  #at(frame) {
    if (!this.plays) return;
    if (this.loop && this.playing && frame >= this.loop[1]) return this.seek(this.loop[0]);
    if (frame === this.frame) return;
    this.frame = Math.min(frame, this.frames - 1);
    this.#tell("frame");
  }

  #seeked() {
    if (this.wanted === null) return;
    const frame = this.wanted;
    this.wanted = null;
    this.film.currentTime = (frame + 0.5) / this.fps;
  }

  #ended() {
    if (!this.loop) return;
    this.seek(this.loop[0]);
    this.film.play();
  }

  #picture() {
    this.wanted = this.frame;
    if (!this.still.dataset.loading) this.#pictureCame();
  }

  #pictureCame() {
    delete this.still.dataset.loading;
    if (this.wanted === null || this.plays) return;
    this.still.dataset.loading = "yes";
    this.still.src = `${this.path}/frame?frame=${this.wanted}`;
    this.wanted = null;
  }

  #tell(type) {
    this.dispatchEvent(new CustomEvent(type, { detail: { frame: this.frame } }));
  }
}
