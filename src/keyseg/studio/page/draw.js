/** Drawing of the timeline on a canvas: the axis, the sound, the confidence, the rows and the overview. */

import { AXIS, GAP } from "./bands.js";
import { blend, firstAbove, indexed, reduced } from "./columns.js";
import { clock, ticks } from "./times.js";

/** Segments below so many pixels of the screen are blended, those above are drawn one by one. */
const NARROW = 3;
const INDEXES = new WeakMap();

/** What draws scenes on a canvas; it keeps what does not change between two pictures. */
export class Painter {
  constructor(canvas) {
    this.context = canvas.getContext("2d", { alpha: false });
    this.strip = canvas.ownerDocument.createElement("canvas");
    this.whole = canvas.ownerDocument.createElement("canvas"); // the overview, which seldom changes
    this.wholeOf = null;
    this.widths = new Map();
  }

  /**
   * @param {{width: number, height: number, ratio: number, view: {from: number, to: number}, frames: number,
   *   rate: number, bands: object[], peaks: number[]|null, theme: object, colourOf: Function, playhead: number,
   *   selection: {first: number, last: number}|null, hover: object|null, guide: object|null}} scene
   */
  paint(scene) {
    this.scene = scene;
    const { context } = this;
    context.setTransform(scene.ratio, 0, 0, scene.ratio, 0, 0);
    context.fillStyle = scene.theme.paper;
    context.fillRect(0, 0, scene.width, scene.height);
    context.textBaseline = "middle";
    context.imageSmoothingEnabled = false;
    for (const band of scene.bands) this[band.kind](band);
    this.#playhead();
    if (scene.guide) this.#guide(scene.guide);
  }

  axis({ y, height }) {
    const { context, scene } = this;
    const { frames, digits } = ticks(scene.view, scene.rate, scene.width);
    const rows = scene.bands.at(-1).y - 2 * GAP;
    context.fillStyle = scene.theme.line;
    for (const frame of frames) context.fillRect(Math.round(this.x(frame)), y + height - 7, 1, rows - height + 7);
    this.#font(11);
    context.fillStyle = scene.theme.muted;
    for (const frame of frames) {
      context.fillText(clock(frame / scene.rate, digits), Math.round(this.x(frame)) + 5, y + 13);
    }
  }

  waveform({ y, height, caption }) {
    const { scene } = this;
    this.context.fillStyle = scene.theme.wave;
    this.#bars(reduced(scene.peaks, scene.frames, scene.view, Math.ceil(scene.width), Math.max), 255, (share) => {
      const half = Math.max(0.5, (share * height) / 2);
      return [y + height / 2 - half, 2 * half];
    });
    this.#caption(y, caption);
  }

  confidence({ y, height, caption, strip }) {
    const { context, scene } = this;
    this.#track(y, height);
    context.fillStyle = scene.theme.accent;
    context.globalAlpha = 0.45;
    this.#bars(reduced(strip, scene.frames, scene.view, Math.ceil(scene.width), Math.min), 100, (share) => {
      return [y + height * (1 - share), height * share];
    });
    context.globalAlpha = 1;
    this.#caption(y, caption);
  }

  /** One bar per pixel, or per run of equal ones. Rectangles on whole pixels are much cheaper than a path of them. */
  #bars(values, most, extent) {
    const snapped = (size) => Math.round(size * this.scene.ratio) / this.scene.ratio;
    for (let start = 0, end = 0; start < values.length; start = end) {
      for (end = start + 1; values[end] === values[start]; ) end += 1;
      const [top, height] = extent((values[start] || 0) / most).map(snapped);
      this.context.fillRect(start, top, end - start, height);
    }
  }

  row({ y, height, caption, row }) {
    const { scene } = this;
    this.#track(y, height);
    const wide = this.#blended(row, y, height);
    for (const place of wide) this.#segment(row.segments[place], y, height);
    if (row.details?.boundaries) this.#keypoints(row.details.boundaries, y + height);
    if (scene.selection && row.name === scene.bands.at(-1).row.name) this.#selected(row, y, height);
    if (scene.hover?.row === row.name) this.#hovered(row, y, height);
    this.#caption(y, caption);
  }

  overview({ y, height, row }) {
    const { context, scene } = this;
    this.#track(y, height);
    if (row) this.#whole(row);
    if (row) context.drawImage(this.whole, 0, 0, this.whole.width, 1, 0, y, scene.width, height);
    const scale = scene.width / scene.frames;
    const [start, end] = [scene.view.from * scale, Math.max(scene.view.to * scale, scene.view.from * scale + 6)];
    context.fillStyle = scene.theme.paper;
    context.globalAlpha = 0.62;
    context.fillRect(0, y, start, height);
    context.fillRect(end, y, scene.width - end, height);
    context.globalAlpha = 1;
    context.strokeStyle = scene.theme.ink;
    context.lineWidth = 1.5;
    context.beginPath();
    context.roundRect(start + 0.75, y - 1.25, end - start - 1.5, height + 2.5, 4);
    context.stroke();
    context.fillStyle = scene.theme.accent;
    context.fillRect(Math.round(scene.playhead * scale) - 1, y - 3, 2, height + 6);
  }

  /** Where a frame is, in pixels of the page. */
  x(frame) {
    const { from, to } = this.scene.view;
    return ((frame - from) / (to - from)) * this.scene.width;
  }

  /** Draw the narrow segments of a row as one stretched line of pixels; the places of the wide ones. */
  #blended(row, y, height) {
    const { context, scene, strip } = this;
    const wide = this.#line(strip, this.#index(row), scene.view, NARROW * scene.ratio);
    context.drawImage(strip, 0, 0, strip.width, 1, 0, y, scene.width, height);
    return wide;
  }

  /** Blend a row of the whole video, unless it is the one of the last picture. */
  #whole(row) {
    const { scene, whole } = this;
    const index = this.#index(row);
    const key = [index, scene.width, scene.ratio, scene.frames];
    if (this.wholeOf?.every((value, place) => value === key[place])) return;
    this.#line(whole, index, { from: 0, to: scene.frames }, Infinity);
    this.wholeOf = key;
  }

  #line(canvas, index, view, widest) {
    const width = Math.max(1, Math.round(this.scene.width * this.scene.ratio));
    if (canvas.width !== width) [canvas.width, canvas.height] = [width, 1];
    const line = canvas.getContext("2d");
    if (this.image?.width !== width) this.image = line.createImageData(width, 1);
    const wide = blend(index, view, this.image.data, widest);
    line.putImageData(this.image, 0, 0);
    return wide;
  }

  #index({ segments }) {
    const { colourOf } = this.scene;
    let kept = INDEXES.get(segments);
    if (kept?.colourOf !== colourOf) INDEXES.set(segments, (kept = { colourOf, ...indexed(segments, colourOf) }));
    return kept;
  }

  #track(y, height) {
    this.context.fillStyle = this.scene.theme.track;
    this.context.fillRect(0, y, this.scene.width, height);
  }

  #segment(segment, y, height) {
    const { context, scene } = this;
    const start = Math.max(-8, this.x(segment.start_frame));
    const end = Math.min(scene.width + 8, this.x(segment.end_frame));
    const { colour, ink } = scene.colourOf(segment.label);
    context.fillStyle = colour;
    context.fillRect(start, y, Math.max(1, end - start - 1), height);
    const left = Math.max(0, start) + 7;
    const room = Math.min(scene.width, end) - left - 6;
    if (room < 14) return;
    this.#font(height > 30 ? 13 : 12);
    const text = this.#fitted(segment.label, room);
    if (!text) return;
    context.fillStyle = ink;
    context.fillText(text, left, y + height / 2 + 0.5);
  }

  /** As much of a text as there is room for, with an ellipsis; nothing if not even two letters. */
  #fitted(text, room) {
    const letters = [...text];
    const width = (count) => this.#width(count < letters.length ? `${letters.slice(0, count).join("")}…` : text);
    if (width(letters.length) <= room) return text;
    let [low, high] = [0, letters.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (width(middle) <= room) low = middle;
      else high = middle - 1;
    }
    return low < 2 ? "" : `${letters.slice(0, low).join("").trimEnd()}…`;
  }

  #width(text) {
    const key = `${this.context.font} ${text}`;
    let width = this.widths.get(key);
    if (width === undefined) this.widths.set(key, (width = this.context.measureText(text).width));
    return width;
  }

  #keypoints(frames, bottom) {
    const { context, scene } = this;
    if ((scene.view.to - scene.view.from) / scene.width > 40) return; // more of them than pixels would be one bar
    context.fillStyle = scene.theme.ink;
    context.beginPath();
    for (let place = firstAbove(frames, scene.view.from); frames[place] < scene.view.to; place += 1) {
      const x = this.x(frames[place]);
      context.moveTo(x - 3.5, bottom + 5);
      context.lineTo(x, bottom + 0.5);
      context.lineTo(x + 3.5, bottom + 5);
    }
    context.fill();
  }

  #selected({ segments }, y, height) {
    const { first, last } = this.scene.selection;
    if (!segments[first]) return;
    const span = { ...segments[first], end_frame: (segments[last] ?? segments[first]).end_frame };
    this.#outline(span, y, height, this.scene.theme.ink, 2.5);
  }

  /** The edge that can be caught is a bar, a segment has a thin outline. */
  #hovered({ segments }, y, height) {
    const { index, at } = this.scene.hover;
    if (at === undefined) return this.#outline(segments[index], y, height, this.scene.theme.muted, 1);
    this.context.fillStyle = this.scene.theme.ink;
    this.context.beginPath();
    this.context.roundRect(this.x(at) - 2, y - 3, 3, height + 6, 1.5);
    this.context.fill();
  }

  #outline(segment, y, height, colour, thick) {
    if (!segment) return;
    const { context, scene } = this;
    const start = Math.max(-8, this.x(segment.start_frame));
    const end = Math.min(scene.width + 8, this.x(segment.end_frame));
    if (end < 0 || start > scene.width) return;
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.beginPath();
    context.roundRect(start - 1.5, y - 2, Math.max(4, end - start + 2), height + 4, 4);
    context.stroke();
  }

  #caption(y, text) {
    this.#font(11);
    this.context.fillStyle = this.scene.theme.muted;
    this.context.fillText(text, 4, y - 8.5);
  }

  /** A line where a boundary is dragged to, with its time; full where it has snapped. */
  #guide({ frame, snapped }) {
    const { context, scene } = this;
    const x = Math.round(this.x(frame));
    context.fillStyle = snapped ? scene.theme.accent : scene.theme.muted;
    context.fillRect(x, AXIS, 1, scene.bands.at(-1).y - 2 * GAP - AXIS);
    this.#font(11);
    const text = clock(frame / scene.rate, 2);
    const width = context.measureText(text).width + 12;
    const left = Math.max(0, Math.min(scene.width - width, x - width / 2));
    context.beginPath();
    context.roundRect(left, 3, width, 19, 5);
    context.fill();
    context.fillStyle = scene.theme.paper;
    context.fillText(text, left + 6, 13);
  }

  #playhead() {
    const { context, scene } = this;
    const x = Math.round(this.x(scene.playhead));
    if (x < -8 || x > scene.width + 8) return;
    context.fillStyle = scene.theme.accent;
    context.fillRect(x - 1, AXIS - 6, 2, scene.bands.at(-1).y - 2 * GAP - AXIS + 6);
    context.beginPath();
    context.roundRect(x - 5, AXIS - 12, 10, 9, 3);
    context.fill();
  }

  #font(size) {
    this.context.font = `${size}px ${this.scene.theme.font}`;
  }
}
