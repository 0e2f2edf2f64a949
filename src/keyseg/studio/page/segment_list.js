/** The segments as a list for screen readers and the keyboard, since a canvas has no content that they can reach. */

import { indexAt } from "./edits.js";
import { spanned } from "./times.js";

const AROUND = 10; // segments before and after the one in question

/**
 * A list beside the canvas of the segments near the selected one, or near the playhead, and a place for announcements.
 * Up and Down move through it, Enter seeks to the start of a segment.
 * @param {HTMLCanvasElement} canvas
 * @param {{select: (index: number) => void, seek: (frame: number) => void, focus: (focused: boolean) => void}} on
 */
export function createSegmentList(canvas, on) {
  const page = canvas.ownerDocument;
  const box = page.createElement("div");
  const list = page.createElement("ul");
  const spoken = page.createElement("p");
  hide(box);
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Segments");
  list.tabIndex = 0;
  spoken.setAttribute("aria-live", "polite");
  box.append(list, spoken);
  canvas.after(box);
  const prefix = `segment-${Math.floor(Math.random() * 1e9)}`;
  let now = { segments: [], selected: null, playhead: 0, rate: 25 };
  let drawn = null;

  const current = () => now.selected ?? Math.min(indexAt(now.segments, now.playhead), now.segments.length - 1);
  const keys = {
    ArrowDown: () => on.select(Math.min(current() + 1, now.segments.length - 1)),
    ArrowUp: () => on.select(Math.max(current() - 1, 0)),
    Enter: () => on.seek(now.segments[current()].start_frame),
  };
  list.addEventListener("keydown", (event) => {
    if (!keys[event.key] || !now.segments.length || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  list.addEventListener("focus", () => on.focus(true));
  list.addEventListener("blur", () => on.focus(false));
  list.addEventListener("click", (event) => {
    const index = event.target.closest("[role=option]")?.dataset.index;
    if (index !== undefined) on.select(Number(index));
  });

  function option(segment, index) {
    const item = page.createElement("li");
    item.id = `${prefix}-${index}`;
    item.dataset.index = String(index);
    item.setAttribute("role", "option");
    item.setAttribute("aria-setsize", String(now.segments.length));
    item.setAttribute("aria-posinset", String(index + 1));
    item.setAttribute("aria-selected", String(index === now.selected));
    item.textContent = sentence(segment, now.rate);
    return item;
  }

  return {
    /** Show the segments as they are; nothing is done if nothing changed. */
    update(next) {
      now = next;
      const index = current();
      const key = [now.segments, index, now.selected, now.rate];
      if (drawn?.every((value, place) => value === key[place])) return;
      drawn = key;
      const first = Math.max(0, index - AROUND);
      const near = now.segments.slice(first, index + AROUND + 1);
      list.replaceChildren(...near.map((segment, place) => option(segment, first + place)));
      if (near.length) list.setAttribute("aria-activedescendant", `${prefix}-${index}`);
      else list.removeAttribute("aria-activedescendant");
    },
    announce(text) {
      spoken.textContent = spoken.textContent === text ? `${text}\u00a0` : text; // the same again is read again
    },
    destroy: () => box.remove(),
  };
}

/** A segment in words: "pour, 0:01.00 to 0:02.50, 87 % certain". */
export function sentence(segment, rate) {
  const sure = segment.confidence === undefined || segment.confidence === null ? "" : `, ${Math.round(100 * segment.confidence)} % certain`;
  return `${segment.label}, ${spanned(segment.start_frame, segment.end_frame, rate)}${sure}`;
}

/** Out of sight, but not for screen readers. */
function hide(box) {
  const size = { width: "1px", height: "1px", overflow: "hidden" };
  Object.assign(box.style, { position: "absolute", clipPath: "inset(50%)", ...size });
}
