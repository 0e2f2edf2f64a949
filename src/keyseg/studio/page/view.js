/** The part of a video that the timeline shows, {from, to} in frames with fractions, and how it is moved. */

/** Pixels that a frame has at most. */
const WIDEST_FRAME = 48;

/** A view of the same centre that is inside the video and neither too wide nor too narrow for so many pixels. */
export function clampView({ from, to }, frames, pixels) {
  const least = Math.min(frames, pixels / WIDEST_FRAME);
  const span = Math.max(least, Math.min(frames, to - from));
  const start = Math.max(0, Math.min(frames - span, (from + to - span) / 2));
  return { from: start, to: start + span };
}

/** The view after zooming in by `factor` (out if below 1), with frame `about` where it is. */
export function zoomed({ from, to }, factor, about, frames, pixels) {
  const least = Math.min(frames, pixels / WIDEST_FRAME);
  const span = Math.max(least, Math.min(frames, (to - from) / factor));
  const start = about - ((about - from) / (to - from)) * span;
  return panned({ from: start, to: start + span }, 0, frames);
}

/** The view moved by so many frames, to the ends of the video at most. */
export function panned({ from, to }, by, frames) {
  const start = Math.max(0, Math.min(frames - (to - from), from + by));
  return { from: start, to: start + (to - from) };
}
