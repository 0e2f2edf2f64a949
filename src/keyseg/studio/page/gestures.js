/** Gestures of mouse, pen and touch on the timeline, and what each one edits, moves or selects. */

import { insert, moveBoundary, moveSegment, split } from "./edits.js";

const STILL = 4; // pixels that a click may move
const REACH = { mouse: 6, pen: 9, touch: 16 }; // pixels around a boundary where it can be caught
const NOTCH = 0.0022; // zoom by a pixel of the wheel

/**
 * Listen to a canvas. Boundaries are dragged (Shift: one edge alone, Alt: no snapping), gaps are filled by dragging,
 * Ctrl moves a segment, a double click splits; other drags move the view. Escape cancels.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {{hit: Function, frameAt: (x: number) => number, state: () => object|null, snapper: () => Function,
 *   label: () => string|null, show: Function, commit: Function, seek: Function, playhead: () => number,
 *   select: Function, selection: () => object|null, pan: Function, zoom: Function, overview: Function, hover: Function,
 *   context: Function}} board what the gestures act on; distances are in pixels of the page
 * @returns {{cancel: () => void, busy: () => boolean, destroy: () => void}}
 */
export function attachGestures(canvas, board) {
  const gestures = new Gestures(canvas, board);
  const listeners = {
    pointerdown: (event) => gestures.down(event),
    pointermove: (event) => gestures.move(event),
    pointerup: (event) => gestures.up(event),
    pointercancel: (event) => gestures.lose(event),
    pointerleave: () => board.hover(null),
    dblclick: (event) => gestures.double(event),
    contextmenu: (event) => gestures.context(event),
    wheel: (event) => gestures.wheel(event),
  };
  for (const [name, listener] of Object.entries(listeners)) canvas.addEventListener(name, listener, { passive: false });
  const escape = (event) => {
    if (event.key !== "Escape" || !gestures.busy()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    gestures.cancel();
  };
  globalThis.addEventListener("keydown", escape, true);
  canvas.style.touchAction = "pan-y";
  return {
    cancel: () => gestures.cancel(),
    busy: () => gestures.busy(),
    destroy() {
      for (const [name, listener] of Object.entries(listeners)) canvas.removeEventListener(name, listener);
      globalThis.removeEventListener("keydown", escape, true);
    },
  };
}

class Gestures {
  constructor(canvas, board) {
    Object.assign(this, { canvas, board, pointers: new Map(), drag: null, pinch: null });
  }

  busy() {
    return this.drag !== null;
  }

  down(event) {
    const at = place(event);
    this.pointers.set(event.pointerId, at);
    this.canvas.setPointerCapture(event.pointerId);
    if (this.pointers.size === 2) {
      this.cancel();
      this.pinch = spread(this.pointers);
      return;
    }
    if (event.button > 1 || this.pointers.size > 1) return;
    const hit = this.board.hit(at.x, at.y, REACH[event.pointerType] ?? REACH.mouse);
    this.drag = { ...this.#begin(hit, event), hit, start: at, moved: false };
    if (this.drag.kind === "scrub" || this.drag.kind === "overview") this.#drag(event, at);
  }

  move(event) {
    const at = place(event);
    const last = this.pointers.get(event.pointerId);
    if (!last) return this.#hover(event, at);
    this.pointers.set(event.pointerId, at);
    if (this.pinch) return this.#pinched();
    if (!this.drag) return;
    if (!this.drag.moved && Math.hypot(at.x - this.drag.start.x, at.y - this.drag.start.y) < STILL) return;
    this.drag.moved = true;
    this.#drag(event, at, last);
  }

  up(event) {
    const { drag } = this;
    this.#forget(event);
    if (!drag) return;
    this.drag = null;
    this.board.show(null);
    if (drag.result) this.board.commit(drag.result, drag.kind);
    else if (!drag.moved && drag.kind !== "scrub" && drag.kind !== "overview") this.#click(event, drag.hit);
    this.#hover(event, place(event));
  }

  lose(event) {
    this.#forget(event);
    this.cancel();
  }

  /** End a drag as if it had not been. */
  cancel() {
    const { drag } = this;
    this.drag = null;
    if (!drag) return;
    this.board.show(null);
    if (drag.playhead !== undefined) this.board.seek(drag.playhead);
  }

  double(event) {
    const { x, y } = place(event);
    const hit = this.board.hit(x, y, 0);
    if (hit.editable && hit.index !== null) this.board.commit(split(this.board.state(), hit.frame), "split");
  }

  context(event) {
    event.preventDefault();
    this.cancel();
    const { x, y } = place(event);
    const hit = this.board.hit(x, y, 0);
    if (hit.editable && hit.index !== null) this.board.select(hit.index, hit.index);
    this.board.context({ ...hit, x: event.clientX, y: event.clientY });
  }

  wheel(event) {
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? this.canvas.clientHeight : 1;
    const sideways = (event.shiftKey && !event.deltaX ? event.deltaY : event.deltaX) * unit;
    if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY * unit)) return this.board.pan(sideways);
    const faster = event.ctrlKey ? 4 : 1; // a pinch on a touch pad comes as a small wheel with Ctrl
    this.board.zoom(Math.exp(-event.deltaY * unit * NOTCH * faster), place(event).x);
  }

  #begin(hit, event) {
    const { board } = this;
    if (event.button === 1) return { kind: "pan" };
    if (hit.area === "axis") return { kind: "scrub" };
    if (hit.area === "overview") return { kind: "overview" };
    const state = board.state();
    if (!hit.editable || !state) return { kind: "pan" };
    const edit = { state, snap: board.snapper(), playhead: board.playhead() };
    if (hit.edge) return { kind: "boundary", ...edit };
    if (hit.gap) {
      const label = event.pointerType === "touch" ? null : board.label();
      return label ? { kind: "create", label, ...edit } : { kind: "pan" };
    }
    return event.ctrlKey || event.metaKey ? { kind: "segment", ...edit } : { kind: "pan" };
  }

  #drag(event, at, last = at) {
    const { drag, board } = this;
    if (drag.kind === "pan") {
      this.canvas.style.cursor = "grabbing";
      board.pan(last.x - at.x);
    } else if (drag.kind === "scrub") board.seek(Math.round(board.frameAt(at.x)));
    else if (drag.kind === "overview") board.overview(at.x);
    else this.#edit(event, at);
  }

  #edit(event, at) {
    const { drag, board } = this;
    const { hit, state } = drag;
    const moved = board.frameAt(at.x) - hit.frame;
    const snap = (frame) => drag.snap(frame, event.altKey);
    if (drag.kind === "boundary") {
      const guide = snap(hit.at + moved);
      drag.result = moveBoundary(state, hit.index, hit.edge, guide.frame, event.shiftKey);
      const { segments } = (drag.result ?? { state }).state;
      const reached = segments[hit.index][`${hit.edge}_frame`];
      board.show({ segments, guide: { frame: reached, snapped: guide.snapped && reached === guide.frame } });
      board.seek(reached);
    } else if (drag.kind === "segment") {
      const guide = snap(state.segments[hit.index].start_frame + moved);
      drag.result = moveSegment(state, hit.index, guide.frame, event.shiftKey);
      const { segments } = (drag.result ?? { state }).state;
      board.show({ segments, guide: { frame: segments[hit.index].start_frame, snapped: guide.snapped } });
    } else {
      const ends = [snap(hit.frame), snap(board.frameAt(at.x))];
      const [from, to] = ends.map(({ frame }) => Math.max(hit.gap[0], Math.min(hit.gap[1], frame)));
      const segment = { start_frame: Math.min(from, to), end_frame: Math.max(from, to), label: drag.label };
      drag.result = insert(state, segment);
      board.show({ segments: (drag.result ?? { state }).state.segments, guide: { ...ends[1], frame: to } });
    }
  }

  #click(event, hit) {
    const { board } = this;
    if (hit.editable) {
      const selected = board.selection();
      if (hit.index === null) board.select(null, null);
      else if (event.shiftKey && selected) {
        board.select(Math.min(selected.first, hit.index), Math.max(selected.last, hit.index));
      } else board.select(hit.index, hit.index);
    }
    if (!hit.edge && !(event.shiftKey && hit.editable)) board.seek(Math.floor(hit.frame));
  }

  #hover(event, { x, y }) {
    const hit = this.board.hit(x, y, REACH[event.pointerType] ?? REACH.mouse);
    this.canvas.style.cursor = cursor(hit, event, this.board);
    this.board.hover(event.pointerType === "touch" ? null : hit);
  }

  #pinched() {
    const now = spread(this.pointers);
    this.board.pan(this.pinch.x - now.x);
    this.board.zoom(now.apart / this.pinch.apart, now.x);
    this.pinch = now;
  }

  #forget(event) {
    this.pointers.delete(event.pointerId);
    if (this.pointers.size < 2) this.pinch = null;
  }
}

/** The shape of the pointer says what a drag would do. */
function cursor(hit, event, board) {
  if (hit.area === "axis") return "col-resize";
  if (hit.area === "overview") return "pointer";
  if (!hit.editable) return "grab";
  if (hit.edge) return "ew-resize";
  if (hit.index !== null) return event.ctrlKey || event.metaKey ? "move" : "pointer";
  return board.label() ? "crosshair" : "grab";
}

function place(event) {
  return { x: event.offsetX, y: event.offsetY };
}

function spread(pointers) {
  const [one, other] = [...pointers.values()];
  return { x: (one.x + other.x) / 2, apart: Math.max(20, Math.abs(one.x - other.x)) };
}
