/** What the commands of the open video do. Each takes the workbench; those of edits make a result of edits.js. */

import { accept, indexAt, insert, merge, moveBoundary, relabel, remove, split } from "./edits.js";
import { chooseClass, newClass } from "./classes.js";
import { notice } from "./dialogs.js";
import { nextSpeed } from "./player.js";

const NEW_SECONDS = 1; // of a segment that is inserted where nothing bounds it

/** By id of the command. Those that return a promise are waited for by nobody. */
export const ACTIONS = {
  play: (bench) => bench.player.toggle(),
  "frame-back": ({ player }) => player.step(-1),
  "frame-on": ({ player }) => player.step(1),
  "second-back": ({ player }) => player.step(-Math.round(player.fps)),
  "second-on": ({ player }) => player.step(Math.round(player.fps)),
  "to-start": ({ player }) => player.seek(0),
  "to-end": ({ player }) => player.seek(player.frames - 1),
  slower: ({ player }) => { player.speed = nextSpeed(player.speed, -1); },
  faster: ({ player }) => { player.speed = nextSpeed(player.speed, 1); },
  loop: toggleLoop,
  "previous-segment": (bench) => toSegment(bench, -1),
  "next-segment": (bench) => toSegment(bench, 1),
  "next-uncertain": nextUncertain,
  "zoom-in": ({ timeline }) => timeline.zoomBy(1.5),
  "zoom-out": ({ timeline }) => timeline.zoomBy(1 / 1.5),
  "zoom-all": ({ timeline, player }) => timeline.zoomTo(0, player.frames),
  copy: (bench) => bench.startCorrection(),
  label: (bench, digit) => labelWith(bench, bench.classes[digit - 1]?.name),
  "label-by-name": async (bench) => {
    const name = await chooseClass(bench.classes);
    if (name) labelWith(bench, name);
  },
  accept: acceptSegment,
  split: (bench) => editWith(bench, (model) => split(model, bench.player.frame), "Put the playhead inside a segment to split it."),
  merge: (bench) => editSelected(bench, (model, at) => merge(model, at), "There is no segment after this one."),
  "start-here": (bench) => editSelected(bench, (model, at) => moveBoundary(model, at, "start", bench.player.frame)),
  "end-here": (bench) => editSelected(bench, (model, at) => moveBoundary(model, at, "end", bench.player.frame)),
  insert: (bench) => insertHere(bench, bench.lastLabel ?? bench.classes[0]?.name),
  delete: (bench) => editSelected(bench, (model, at) => remove(model, at, lastOf(bench, at))),
  undo: (bench) => stepBack(bench, "undo"),
  redo: (bench) => stepBack(bench, "redo"),
  "new-class": async (bench) => { bench.lastLabel = (await newClass(bench.classes)) ?? bench.lastLabel; },
  checked: (bench) => bench.mark(true),
  unchecked: (bench) => bench.mark(false),
  "next-video": (bench) => bench.toNeighbour(1),
  "previous-video": (bench) => bench.toNeighbour(-1),
};

/** Index of the selected segment of the shown row, or of the one under the playhead; -1 if there is none. */
export function chosen(bench) {
  const { segments } = bench.shown();
  if (segments[bench.selected]) return bench.selected;
  const at = indexAt(segments, bench.player.frame);
  return segments[at] && segments[at].start_frame <= bench.player.frame ? at : -1;
}

/** Index of the last selected segment, where several are. */
export const lastOf = (bench, at) => (bench.selected === at ? Math.max(bench.last, at) : at);

function toSegment(bench, way) {
  const { segments } = bench.shown();
  if (!segments.length) return;
  const frame = bench.player.frame;
  const under = indexAt(segments, frame);
  const inside = segments[under]?.start_frame <= frame;
  const from = segments[bench.selected] ? bench.selected : inside || way < 0 ? under : under - 1;
  bench.choose(Math.min(Math.max(from + way, 0), segments.length - 1), true);
}

/**
 * The least certain segment that was not seen yet: [index, ...] of segments with a confidence, the lowest first.
 * @param {Set<string>} seen keys of `keyOf`
 */
export function uncertain(segments, seen) {
  const open = segments.map((segment, i) => i)
    .filter((i) => segments[i].confidence !== undefined && segments[i].confidence !== null && !seen.has(keyOf(segments[i])));
  return open.sort((one, other) => segments[one].confidence - segments[other].confidence);
}

export const keyOf = ({ start_frame, end_frame, label }) => `${start_frame} ${end_frame} ${label}`;

function nextUncertain(bench) {
  const { name, segments } = bench.shown();
  const open = uncertain(segments, bench.seen);
  if (open.length) {
    bench.seen.add(keyOf(segments[open[0]]));
    return bench.choose(open[0], true);
  }
  // A correction may have no confidences: then those of the prediction tell where to look.
  const predicted = name === "correction" ? bench.predicted() : null;
  const [first] = predicted ? uncertain(predicted.segments, bench.seen) : [];
  if (first === undefined) return notice("All uncertain segments have been seen.");
  const segment = predicted.segments[first];
  bench.seen.add(keyOf(segment));
  bench.player.seek(segment.start_frame);
  bench.choose(indexAt(segments, Math.floor((segment.start_frame + segment.end_frame - 1) / 2)), false);
}

function acceptSegment(bench) {
  if (!bench.editable()) return;
  const at = chosen(bench);
  const segment = bench.shown().segments[at];
  if (!segment) return notice("Select a segment first.");
  bench.take(accept(bench.session.model, at));
  bench.seen.add(keyOf(segment));
  nextUncertain(bench);
}

function toggleLoop(bench) {
  if (bench.player.loop) return bench.player.setLoop(null);
  const segment = bench.shown().segments[chosen(bench)];
  if (!segment) return notice("Select a segment to loop it.");
  bench.player.setLoop([segment.start_frame, segment.end_frame]);
  if (!bench.player.playing) bench.player.toggle();
}

function editWith(bench, change, otherwise = "") {
  if (!bench.editable()) return;
  const result = change(bench.session.model);
  if (bench.take(result)) bench.timeline.announce(result);
  else if (otherwise) notice(otherwise);
}

function editSelected(bench, change, otherwise = "") {
  const at = chosen(bench);
  editWith(bench, (model) => (at < 0 ? null : change(model, at)), at < 0 ? "Select a segment first." : otherwise);
}

/** Give the selected segments a label; where there is none, insert one with it. */
export function labelWith(bench, name) {
  if (!name || !bench.editable()) return;
  bench.lastLabel = name;
  if (chosen(bench) < 0) return insertHere(bench, name);
  editSelected(bench, (model, at) => relabel(model, at, name, lastOf(bench, at)));
}

/** Insert a segment from the playhead to the end of the gap, at most one second; in a segment, over what it covers. */
function insertHere(bench, label) {
  if (!label) return notice("Add a class first.");
  editWith(bench, (model) => {
    const start = bench.player.frame;
    const next = model.segments[indexAt(model.segments, start)];
    const gap = next && next.start_frame > start ? next.start_frame : model.frames;
    const length = Math.max(Math.round(bench.player.fps * NEW_SECONDS), 1);
    return insert(model, { start_frame: start, end_frame: Math.min(start + length, gap, model.frames), label });
  });
  bench.choose(indexAt(bench.shown().segments, bench.player.frame), false);
}

function stepBack(bench, way) {
  const action = bench.session[way]();
  if (action) bench.timeline.announce({ action, splice: { removed: [], inserted: [] } });
  else notice(`Nothing to ${way}.`);
}

