/** Times as people read them, and what an edit did, in words. */

/** Frames per second of a rate such as "30000/1001". Throws if it is none. */
export function parseRate(text) {
  const [above, below = "1"] = String(text).split("/");
  const rate = Number(above) / Number(below);
  if (!(rate > 0 && Number.isFinite(rate))) throw new Error(`no frame rate: ${text}`);
  return rate;
}

/** Seconds as people read them, 754.2 as "12:34.2" and 3754 as "1:02:34", with so many digits after the point. */
export function clock(seconds, digits = 0) {
  const unit = 10 ** digits;
  const whole = Math.round(Math.max(seconds, 0) * unit);
  const rest = whole % (60 * unit);
  const minutes = Math.floor(whole / (60 * unit));
  const end = (rest / unit).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  const hours = Math.floor(minutes / 60);
  return hours ? `${hours}:${String(minutes % 60).padStart(2, "0")}:${end}` : `${minutes}:${end}`;
}

/** From one frame to another: "0:01.00 to 0:02.50". */
export const spanned = (start, end, rate) => `${clock(start / rate, 2)} to ${clock(end / rate, 2)}`;

const SECONDS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];

/**
 * Where an axis has its ticks. Neighbours are at least `room` pixels apart.
 * @returns {{frames: number[], digits: number}} frames: with fractions; digits: of a second that distinguish them.
 */
export function ticks({ from, to }, rate, pixels, room = 84) {
  const least = ((to - from) / rate / pixels) * room;
  const steps = [1 / rate, 2 / rate, ...SECONDS.filter((seconds) => seconds > 2 / rate)];
  const step = steps.find((seconds) => seconds >= least) ?? Math.ceil(least / 14400) * 14400;
  const frames = [];
  const first = Math.max(0, Math.ceil(from / rate / step - 1e-9));
  for (let n = first; n * step * rate <= to; n += 1) frames.push(n * step * rate);
  return { frames, digits: step >= 1 ? 0 : step >= 0.1 ? 1 : 2 };
}

const WORDS = {
  "move boundary": "Boundary moved",
  "move segment": "Segment moved",
  split: "Split",
  merge: "Merged",
  relabel: "Relabelled",
  accept: "Accepted",
  insert: "Inserted",
  remove: "Removed",
  import: "Imported",
  copy: "Started again",
};

/** An edit in words, for screen readers and the history: "Split: pour 0:01.00 to 0:02.00, pour ...". */
export function describe({ action, splice }, rate) {
  const [, back, base] = /^(undo |redo )?(.*)$/.exec(action);
  const words = WORDS[base] ?? base;
  if (back) return `${back === "undo " ? "Undone" : "Redone"}: ${words.toLowerCase()}`;
  const shown = action === "remove" ? splice.removed : splice.inserted;
  return shown.length ? `${words}: ${summary(shown, rate)}` : words;
}

function summary(segments, rate) {
  const span = (from, to) => spanned(from.start_frame, to.end_frame, rate);
  if (segments.length > 2) return `${segments.length} segments, ${span(segments[0], segments.at(-1))}`;
  return segments.map((segment) => `${segment.label} ${span(segment, segment)}`).join(", ");
}
