/** The timeline of a video: one canvas of all rows, its view, what is under the pointer, and what is selected. */

import { layout, mainRow } from "./bands.js";
import { colouring, theme } from "./colours.js";
import { Painter } from "./draw.js";
import { openRow } from "./edits.js";
import { attachGestures } from "./gestures.js";
import { hitAt } from "./hits.js";
import { createSegmentList, sentence } from "./segment_list.js";
import { snap, snapTargets } from "./snapping.js";
import { clock, describe, parseRate } from "./times.js";
import { clampView, panned, zoomed } from "./view.js";

const SNAP = 7; // pixels

/**
 * @typedef {{name: string, segments: object[], details?: {boundaries?: number[], strip?: number[]}, editable?: boolean,
 *   state?: import("./edits.js").State}} Row boundaries: in order; state: of the editable row, from which edits begin,
 *   with its undo history
 *
 * @param {HTMLCanvasElement} canvas as wide as its parent; its height follows from the rows
 * @param {object} on
 * @param {(result: import("./edits.js").Result) => void} on.onEdit an edit was made; call setRows with its state
 * @param {(frame: number) => void} on.onSeek
 * @param {(index: number|null, last: number|null) => void} on.onSelect a segment of the main row, or several
 * @param {(at: {row: string|null, index: number|null, frame: number, x: number, y: number}) => void} on.onContext
 *   the menu of a place was asked for; x and y are of the window
 * @param {(view: {from: number, to: number}) => void} [on.onView] what is shown was drawn, in frames
 * @param {() => string|null} [on.newLabel] the label of a segment drawn into a gap: by default that of the selected one
 */
export function createTimeline(canvas, on) {
  return new Timeline(canvas, on);
}

class Timeline {
  constructor(canvas, on) {
    Object.assign(this, { canvas, on, frames: 1, rate: 25, rows: [], peaks: null, playhead: 0, pending: 0 });
    Object.assign(this, { range: { from: 0, to: 1 }, selection: null, hovered: null, preview: null, classes: [] });
    this.colourOf = colouring([]);
    this.targets = new Int32Array(0);
    this.painter = new Painter(canvas);
    this.list = createSegmentList(canvas, {
      select: (index) => this.#selectAndShow(index),
      seek: (frame) => on.onSeek(frame),
      focus: (focused) => (canvas.style.outline = focused ? `2px solid ${this.theme.accent}` : ""),
    });
    canvas.setAttribute("role", "img");
    this.gestures = attachGestures(canvas, this.#board());
    this.observers = this.#observe();
    this.#arrange();
  }

  /** @param {{frames: number, fps: string|number}} video shown from start to end */
  setVideo({ frames, fps }) {
    this.gestures.cancel();
    const rate = parseRate(fps);
    Object.assign(this, { frames: Math.max(1, frames), rate, playhead: 0, selection: null, peaks: null });
    this.canvas.setAttribute("aria-label", `Timeline of ${clock(frames / this.rate)}`);
    this.setRows([]);
    this.zoomAll();
  }

  /**
   * @param {Row[]} rows from top to bottom; at most one is editable. It is the main row, of which segments are
   *   selected; without it the first one is. A drag begun on other segments is cancelled.
   */
  setRows(rows) {
    const before = this.#editable();
    this.rows = rows;
    const row = this.#editable();
    if (row?.segments !== before?.segments) this.gestures.cancel();
    this.hovered = null;
    this.targets = snapTargets(rows, row?.name);
    if (this.selection && !(this.selection.last < (mainRow(rows)?.segments.length ?? 0))) this.selection = null;
    this.#arrange();
  }

  /** @param {number[]|null} peaks 0 to 255, evenly over the whole video */
  setWaveform(peaks) {
    this.peaks = peaks?.length ? peaks : null;
    this.#arrange();
  }

  /** follow: turn to the next page of the timeline when the playhead leaves the view. */
  setPlayhead(frame, follow = false) {
    this.playhead = frame;
    const { from, to } = this.range;
    const outside = frame < from || frame >= to;
    if (follow && outside && !this.gestures.busy()) this.#show(panned(this.range, frame - from, this.frames));
    this.#changed();
  }

  /** @param {{name: string, colour: string}[]} classes */
  setClasses(classes) {
    this.classes = classes;
    this.colourOf = colouring(classes);
    this.#changed();
  }

  /** The frames in view, with fractions. */
  view() {
    return { ...this.range };
  }

  zoomTo(from, to) {
    this.#show(clampView({ from, to }, this.frames, this.#width()));
  }

  zoomAll() {
    this.zoomTo(0, this.frames);
  }

  /** Zoom in, or out by a factor below 1, about the playhead if it is in view, else about the middle. */
  zoomBy(factor) {
    const { from, to } = this.range;
    const about = this.playhead >= from && this.playhead <= to ? this.playhead : (from + to) / 2;
    this.#show(zoomed(this.range, factor, about, this.frames, this.#width()));
  }

  /** Select a segment of the main row, or several to `last`; null selects none. onSelect is not called. */
  select(index, last = index) {
    this.selection = mainRow(this.rows)?.segments[index] ? { first: index, last } : null;
    this.#changed();
  }

  /** Read an edit out to people who do not see it: `result` of an edit, or a text. */
  announce(result) {
    this.list.announce(typeof result === "string" ? result : describe(result, this.rate));
  }

  destroy() {
    this.gestures.destroy();
    this.list.destroy();
    for (const stop of this.observers) stop();
    cancelAnimationFrame(this.pending);
  }

  #board() {
    return {
      hit: (x, y, reach) => this.#hit(x, y, reach),
      frameAt: (x) => this.#frameAt(x),
      state: () => this.#state(),
      snapper: () => this.#snapper(),
      label: () => this.#newLabel(),
      show: (preview) => this.#set({ preview }),
      commit: (result, gesture) => this.#commit(result, gesture),
      seek: (frame) => this.on.onSeek(Math.max(0, Math.min(this.frames - 1, frame))),
      playhead: () => this.playhead,
      select: (first, last) => {
        this.select(first, last);
        this.on.onSelect(first, last);
      },
      selection: () => this.selection,
      pan: (pixels) => this.#show(panned(this.range, (pixels / this.#width()) * this.#span(), this.frames)),
      zoom: (factor, x) => this.#show(zoomed(this.range, factor, this.#frameAt(x), this.frames, this.#width())),
      overview: (x) => {
        const middle = (x / this.#width()) * this.frames;
        this.#show(panned(this.range, middle - (this.range.from + this.range.to) / 2, this.frames));
      },
      hover: (hit) => this.#hover(hit),
      context: ({ row, index, frame, x, y }) => this.on.onContext({ row, index, frame: Math.floor(frame), x, y }),
    };
  }

  #commit(result, gesture) {
    if (!result) return;
    if (gesture === "create") this.selection = { first: result.splice.at, last: result.splice.at };
    this.on.onEdit(result);
    this.announce(result);
    if (gesture === "create") this.on.onSelect(result.splice.at, result.splice.at);
  }

  #hit(x, y, reach) {
    const { bands, range: view, frames } = this;
    return hitAt({ bands, view, width: this.#width(), frames }, x, y, reach);
  }

  #hover(hit) {
    const hovered = hit?.row && hit.index !== null ? { row: hit.row, index: hit.index, at: hit.at } : null;
    if (["row", "index", "at"].every((part) => hovered?.[part] === this.hovered?.[part])) return;
    const segment = hovered && this.rows.find((row) => row.name === hovered.row).segments[hovered.index];
    this.canvas.title = segment ? sentence(segment, this.rate) : "";
    this.#set({ hovered });
  }

  #snapper() {
    const { targets, playhead } = this;
    const reach = (SNAP / this.#width()) * this.#span();
    return (frame, off) => snap(frame, { targets, playhead, reach: off ? 0 : reach });
  }

  #newLabel() {
    if (this.on.newLabel) return this.on.newLabel();
    return this.#editable()?.segments[this.selection?.first]?.label ?? this.classes[0]?.name ?? null;
  }

  #editable() {
    return this.rows.find((row) => row.editable);
  }

  #state() {
    const row = this.#editable();
    return row ? (row.state ?? openRow(row, this.frames)) : null;
  }

  #selectAndShow(index) {
    const segment = mainRow(this.rows)?.segments[index];
    if (!segment) return;
    const { from, to } = this.range;
    const away = (segment.start_frame + segment.end_frame - from - to) / 2;
    if (segment.start_frame < from || segment.end_frame > to) this.#show(panned(this.range, away, this.frames));
    this.select(index);
    this.on.onSelect(index, index);
  }

  #frameAt(x) {
    return this.range.from + (x / this.#width()) * this.#span();
  }

  #span() {
    return this.range.to - this.range.from;
  }

  #width() {
    return Math.max(1, this.width ?? this.canvas.clientWidth);
  }

  #show(range) {
    this.#set({ range });
  }

  #set(values) {
    Object.assign(this, values);
    this.#changed();
  }

  #observe() {
    const resized = new ResizeObserver(() => this.#arrange());
    const restyled = new MutationObserver(() => this.#arrange());
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const arrange = () => this.#arrange();
    resized.observe(this.canvas.parentElement);
    restyled.observe(this.canvas.ownerDocument.documentElement, { attributes: true });
    scheme.addEventListener("change", arrange);
    const unlisten = () => scheme.removeEventListener("change", arrange);
    return [() => resized.disconnect(), () => restyled.disconnect(), unlisten];
  }

  /** Fit the canvas to its parent and to the rows. */
  #arrange() {
    const { bands, height } = layout(this.rows, this.peaks);
    Object.assign(this, { bands, height, theme: theme(this.canvas), ratio: globalThis.devicePixelRatio || 1 });
    Object.assign(this.canvas.style, { display: "block", width: "100%", height: `${height}px` });
    this.width = this.canvas.clientWidth;
    const size = [Math.max(1, Math.round(this.width * this.ratio)), Math.round(height * this.ratio)];
    this.zoomTo(this.range.from, this.range.to);
    if (this.canvas.width === size[0] && this.canvas.height === size[1]) return;
    [this.canvas.width, this.canvas.height] = size;
    cancelAnimationFrame(this.pending);
    this.#draw(); // at once, since another size empties the canvas
  }

  #changed() {
    if (!this.pending) this.pending = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.pending = 0;
    const { preview } = this;
    const shown = (row) => (row?.editable && preview ? { ...row, segments: preview.segments } : row);
    const bands = this.bands.map((band) => (band.row ? { ...band, row: shown(band.row) } : band));
    const { width, height, ratio, range: view, frames, rate, peaks, theme, colourOf, playhead, selection } = this;
    const look = { width, height, ratio, view, frames, rate, theme, colourOf };
    const marks = { playhead, selection, hover: preview ? null : this.hovered, guide: preview?.guide ?? null };
    this.painter.paint({ ...look, ...marks, bands, peaks });
    this.on.onView?.(view);
    const segments = mainRow(this.rows)?.segments ?? [];
    this.list.update({ segments, selected: selection?.first ?? null, playhead, rate });
  }
}
