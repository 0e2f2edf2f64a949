/** Key frames above the timeline: pictures of moments that are evenly spread over what it shows. */

import { ofVideo } from "./api.js";
import { element } from "./elements.js";
import { Thumbnails } from "./thumbnails.js";

const NARROWEST = 84; // pixels of a picture
const SETTLED = 300; // ms without another view, after which new pictures are asked for

/**
 * The moments to show: the middles of equal parts of `step` frames, a power of two, that are aligned with the start of
 * the video, so that the same pictures serve while panning.
 * @param {{from: number, to: number}} view in frames
 * @returns {{step: number, parts: number[]}} parts: the first frame of each
 */
export function spread({ from, to }, frames, pixels) {
  const step = 2 ** Math.max(0, Math.ceil(Math.log2((NARROWEST / Math.max(1, pixels)) * (to - from))));
  const parts = [];
  for (let part = Math.floor(from / step) * step; part < Math.min(to, frames); part += step) parts.push(part);
  return { step, parts };
}

/** The pictures in one place of the page. `seek` is called with the frame of one that is clicked. */
export class KeyFrames {
  constructor(place, seek) {
    Object.assign(this, { place, seek, video: null, pictures: new Map(), timer: 0, queue: new Thumbnails() });
  }

  /** @param {{id: string, frames: number}|null} video null shows none */
  setVideo(video) {
    clearTimeout(this.timer);
    this.video = video?.frames ? video : null;
    this.queue.forget();
    this.pictures.clear();
    this.place.replaceChildren();
  }

  /** Follow the view of the timeline: move what is there at once, and ask for more when it has come to rest. */
  show(view) {
    if (!this.video) return;
    this.#place(view);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#fill(view), this.pictures.size ? SETTLED : 0);
  }

  #fill(view) {
    const { step, parts } = spread(view, this.video.frames, this.place.clientWidth);
    const before = this.pictures;
    this.pictures = new Map(parts.map((part) => [`${part} ${step}`, before.get(`${part} ${step}`) ?? this.#picture(part, step)]));
    this.queue.forget();
    this.place.replaceChildren(...this.pictures.values());
    this.#place(view);
    for (const picture of this.pictures.values()) if (!picture.src) this.queue.watch(picture);
  }

  #place(view) {
    const scale = this.place.clientWidth / (view.to - view.from);
    for (const picture of this.pictures.values()) {
      picture.style.transform = `translateX(${(picture.part - view.from) * scale}px)`;
      picture.style.width = `${picture.step * scale}px`;
    }
  }

  #picture(part, step) {
    const frame = Math.min(this.video.frames - 1, part + Math.floor(step / 2));
    const picture = element("img", { alt: "", draggable: false, onclick: () => this.seek(frame) });
    picture.dataset.src = `/api/${ofVideo(this.video.id, `frame?frame=${frame}`)}`;
    return Object.assign(picture, { part, step });
  }
}
