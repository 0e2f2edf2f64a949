/** Random numbers and timelines, the same for the same seed. */

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
