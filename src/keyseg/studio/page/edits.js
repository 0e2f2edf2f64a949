/**
 * Edits of a timeline, as pure functions: state in, new state out; nothing is changed in place.
 *
 * An edit returns `{state, splice, action}`, or null if it changes nothing. `splice` is what the server is sent, with
 * the revision before it (`state.revision - 1` of the result), `action` the name of the edit, kept in the history.
 *
 * @typedef {{start_frame: number, end_frame: number, label: string, confidence?: number}} Segment
 * @typedef {{at: number, removed: Segment[], inserted: Segment[]}} Splice
 * @typedef {{splice: Splice, action: string}} Edit
 * @typedef {{segments: Segment[], frames: number, revision: number, undo: Edit[], redo: Edit[]}} State
 * @typedef {{state: State, splice: Splice, action: string}} Result
 */

/** The state of a row as the server gave it. @returns {State} */
export function openRow({ segments = [], revision = 0 }, frames) {
  return { segments, frames, revision, undo: [], redo: [] };
}

/** Index of the first segment that ends after a frame; the number of segments if none does. */
export function indexAt(segments, frame) {
  let [low, high] = [0, segments.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (segments[middle].end_frame > frame) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Move the start or end (`edge`) of a segment. A boundary shared with a neighbour moves both, unless `alone`. */
export function moveBoundary(state, index, edge, frame, alone = false) {
  const { segments, frames } = state;
  const [before, after] = edge === "start" ? [index - 1, index] : [index, index + 1];
  const [left, right] = [segments[before], segments[after]];
  const shared = !alone && left && right && left.end_frame === right.start_frame;
  const moved = segments[index];
  if (!moved) return null;
  const low = shared || edge === "end" ? left.start_frame + 1 : (left?.end_frame ?? 0);
  const high = shared || edge === "start" ? right.end_frame - 1 : (right?.start_frame ?? frames);
  const to = clamp(frame, low, high);
  if (shared) {
    const pair = [
      { ...left, end_frame: to },
      { ...right, start_frame: to },
    ];
    return replace(state, before, after + 1, pair, "move boundary");
  }
  return replace(state, index, index + 1, [{ ...moved, [`${edge}_frame`]: to }], "move boundary");
}

/** Move a segment to begin at a frame. Neighbours that touch it grow and shrink with it, unless `alone`. */
export function moveSegment(state, index, frame, alone = false) {
  const { segments, frames } = state;
  const segment = segments[index];
  if (!segment) return null;
  const [left, right] = [segments[index - 1], segments[index + 1]];
  const touchesLeft = !alone && left?.end_frame === segment.start_frame;
  const touchesRight = !alone && right?.start_frame === segment.end_frame;
  const length = segment.end_frame - segment.start_frame;
  const low = touchesLeft ? left.start_frame + 1 : (left?.end_frame ?? 0);
  const high = (touchesRight ? right.end_frame - 1 : (right?.start_frame ?? frames)) - length;
  const start = clamp(frame, low, high);
  const moved = [{ ...segment, start_frame: start, end_frame: start + length }];
  if (touchesLeft) moved.unshift({ ...left, end_frame: start });
  if (touchesRight) moved.push({ ...right, start_frame: start + length });
  return replace(state, index - touchesLeft, index + 1 + touchesRight, moved, "move segment");
}

/** Split the segment in which a frame lies, so that its second part begins there. */
export function split(state, frame) {
  const index = indexAt(state.segments, frame);
  const segment = state.segments[index];
  const at = Math.round(frame);
  if (!segment || at <= segment.start_frame || at >= segment.end_frame) return null;
  const parts = [
    { ...segment, end_frame: at },
    { ...segment, start_frame: at },
  ];
  return replace(state, index, index + 1, parts, "split");
}

/** Make one segment of a segment and the "next" or "previous". label: of the longer of the two if not given. */
export function merge(state, index, side = "next", label = null) {
  const first = side === "next" ? index : index - 1;
  const [left, right] = [state.segments[first], state.segments[first + 1]];
  if (!left || !right) return null;
  const [selected, other] = side === "next" ? [left, right] : [right, left];
  const longer = lengthOf(other) > lengthOf(selected) ? other : selected;
  const merged = { ...longer, start_frame: left.start_frame, end_frame: right.end_frame };
  return replace(state, first, first + 2, [relabelled(merged, label ?? longer.label)], "merge");
}

/** Give a segment, or those from `index` to `last`, another label. */
export function relabel(state, index, label, last = index) {
  if (!state.segments[index]) return null;
  const changed = state.segments.slice(index, last + 1).map((segment) => relabelled(segment, label));
  return replace(state, index, index + changed.length, changed, "relabel");
}

/** Take the confidences off a segment, or those to `last`: a person has seen that they are right. */
export function accept(state, index, last = index) {
  if (!state.segments[index]) return null;
  const plain = state.segments.slice(index, last + 1).map(withoutConfidence);
  return replace(state, index, index + plain.length, plain, "accept");
}

/** Insert a segment. Others give way: they are cut, shortened or removed. */
export function insert(state, segment) {
  const { segments, frames } = state;
  const [start, end] = [clamp(segment.start_frame, 0, frames), clamp(segment.end_frame, 0, frames)];
  if (start >= end) return null;
  const first = indexAt(segments, start);
  const last = indexAt(segments, end - 1) + (startsBefore(segments, end) ? 1 : 0);
  const [left, right] = [segments[first], segments[last - 1]];
  const inserted = [{ ...segment, start_frame: start, end_frame: end }];
  if (left && left.start_frame < start) inserted.unshift({ ...left, end_frame: start });
  if (last > first && right.end_frame > end) inserted.push({ ...right, start_frame: end });
  return replace(state, first, last, inserted, "insert");
}

/** Remove a segment, or those from `index` to `last`, and leave a gap. */
export function remove(state, index, last = index) {
  return state.segments[index] ? replace(state, index, last + 1, [], "remove") : null;
}

/** Put other segments in the place of all, as an import does. */
export function replaceAll(state, segments, action) {
  return replace(state, 0, state.segments.length, segments, action);
}

/** Take the last edit back. Edits that no longer fit, since somebody else changed their segments, are passed over. */
export function undo(state) {
  return reverse(state, "undo", "redo");
}

/** Make the edit again that was taken back last. */
export function redo(state) {
  return reverse(state, "redo", "undo");
}

/**
 * Take over a row that somebody else saved. Own edits that are not saved yet are made again where they still fit.
 * @returns {{state: State, reapplied: Edit[], lost: Edit[]}} reapplied: to be sent anew; lost: to be reported.
 */
export function rebase(state, row, unsaved = []) {
  let { segments, revision } = row;
  const [reapplied, lost] = [[], []];
  for (const edit of unsaved) {
    const splice = relocated(edit.splice, segments, state.frames);
    if (!splice) lost.push(edit);
    else {
      segments = spliced(segments, splice);
      revision += 1;
      reapplied.push({ splice, action: edit.action });
    }
  }
  const undo = state.undo.filter(({ splice }) => !lost.some((edit) => edit.splice === splice));
  return { state: { ...state, segments, revision, undo }, reapplied, lost };
}

/** The segments after a splice. Throws if `removed` is not there, as the server does. */
export function spliced(segments, splice) {
  const end = splice.at + splice.removed.length;
  if (!sameAll(segments.slice(splice.at, end), splice.removed)) {
    throw new Error(`segments ${splice.at} to ${end} are not those that the edit removes`);
  }
  return [...segments.slice(0, splice.at), ...splice.inserted, ...segments.slice(end)];
}

/** Whether two segments are equal in time, label and confidence. */
export function same(a, b) {
  return (
    a.start_frame === b.start_frame &&
    a.end_frame === b.end_frame &&
    a.label === b.label &&
    (a.confidence ?? null) === (b.confidence ?? null)
  );
}

function reverse(state, from, to) {
  const stack = [...state[from]];
  while (stack.length) {
    const { splice: done, action } = stack.pop();
    const inverse = { at: done.at, removed: done.inserted, inserted: done.removed };
    const splice = relocated(inverse, state.segments, state.frames);
    if (!splice) continue;
    const segments = spliced(state.segments, splice);
    const changed = { segments, revision: state.revision + 1, [from]: stack, [to]: [...state[to], { splice, action }] };
    return { state: { ...state, ...changed }, splice, action: `${from} ${action}` };
  }
  return null;
}

/** The splice at the place where its removed segments, or the gap that it fills, are now; null if they are gone. */
function relocated(splice, segments, frames) {
  const { removed, inserted } = splice;
  const at = indexAt(segments, (removed[0] ?? inserted[0]).start_frame);
  const end = at + removed.length;
  if (!sameAll(segments.slice(at, end), removed)) return null;
  const low = segments[at - 1]?.end_frame ?? 0;
  const high = segments[end]?.start_frame ?? frames;
  const fits = !inserted.length || (inserted[0].start_frame >= low && inserted.at(-1).end_frame <= high);
  return fits ? { at, removed, inserted } : null;
}

/** Replace segments first to last (excluded) by others, as the smallest splice; null if nothing changes. */
function replace(state, first, last, others, action) {
  const old = state.segments.slice(first, last);
  const most = Math.min(old.length, others.length);
  let [head, tail] = [0, 0];
  while (head < most && same(old[head], others[head])) head += 1;
  while (tail < most - head && same(old[old.length - 1 - tail], others[others.length - 1 - tail])) tail += 1;
  const removed = old.slice(head, old.length - tail);
  const inserted = others.slice(head, others.length - tail);
  if (!removed.length && !inserted.length) return null;
  const splice = { at: first + head, removed, inserted };
  const segments = spliced(state.segments, splice);
  const done = [...state.undo, { splice, action }];
  return { state: { ...state, segments, revision: state.revision + 1, undo: done, redo: [] }, splice, action };
}

function sameAll(some, others) {
  return some.length === others.length && some.every((segment, index) => same(segment, others[index]));
}

function relabelled(segment, label) {
  return segment.label === label ? segment : withoutConfidence({ ...segment, label }); // which was in the old one
}

function withoutConfidence({ start_frame, end_frame, label }) {
  return { start_frame, end_frame, label };
}

function startsBefore(segments, frame) {
  const segment = segments[indexAt(segments, frame - 1)];
  return segment !== undefined && segment.start_frame < frame;
}

function lengthOf(segment) {
  return segment.end_frame - segment.start_frame;
}

function clamp(frame, low, high) {
  return Math.max(low, Math.min(high, Math.round(frame)));
}
