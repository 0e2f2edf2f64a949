/** Random numbers, timelines and edits, the same for the same seed. */

import * as edits from "../../../src/keyseg/studio/page/edits.js";

/** A function that draws whole numbers below n (mulberry32). */
export function random(seed) {
  let state = seed;
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % n;
  };
}

/** At most so many segments of a video, with and without gaps, touching and not. */
export function drawn(next, frames, most) {
  const cuts = Array.from({ length: 2 * most }, () => next(frames + 1)).sort((a, b) => a - b);
  const segments = [];
  for (let place = 0; place + 1 < cuts.length; place += 1 + next(2)) {
    const [start_frame, end_frame] = [cuts[place], cuts[place + 1]];
    if (start_frame < end_frame && segments.length < most) {
      segments.push({ start_frame, end_frame, label: "abcd"[next(4)], confidence: next(10) / 10 });
    }
  }
  return segments;
}

/** An edit of any kind; null if it changes nothing. */
export function anyEdit(state, next) {
  const index = next(state.segments.length + 1) - 1;
  const frame = next(state.frames + 20) - 10 + next(10) / 10;
  const label = "abcd"[next(4)];
  const alone = next(2) === 1;
  const length = 1 + next(15);
  return [
    () => edits.moveBoundary(state, index, next(2) ? "start" : "end", frame, alone),
    () => edits.moveSegment(state, index, frame, alone),
    () => edits.split(state, frame),
    () => edits.merge(state, index, next(2) ? "next" : "previous", alone ? label : null),
    () => edits.relabel(state, index, label, index + next(3)),
    () => edits.insert(state, { start_frame: Math.round(frame), end_frame: Math.round(frame) + length, label }),
    () => (next(2) ? edits.remove : edits.accept)(state, index, index + next(2)),
    () => edits.undo(state),
    () => edits.redo(state),
  ][next(9)]();
}
