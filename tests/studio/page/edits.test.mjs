/** Edits, compared with what a brute-force painting of frames and the server's rules say. */

import assert from "node:assert/strict";
import { test } from "node:test";

import * as edits from "../../../src/keyseg/studio/page/edits.js";
import { anyEdit, drawn, random } from "./drawn.mjs";

const seg = (start_frame, end_frame, label, confidence) =>
  confidence === undefined ? { start_frame, end_frame, label } : { start_frame, end_frame, label, confidence };
const row = (...segments) => edits.openRow({ segments, revision: 7 }, 100);
const list = (result) => result.state.segments.map((s) => [s.start_frame, s.end_frame, s.label]);

/** What the server checks: in order, without overlaps, inside the video. */
function check(segments, frames) {
  let position = 0;
  for (const { start_frame, end_frame, label } of segments) {
    assert(start_frame >= position && end_frame > start_frame, `${start_frame} to ${end_frame} after ${position}`);
    assert(Number.isInteger(start_frame) && Number.isInteger(end_frame) && label);
    position = end_frame;
  }
  assert(position <= frames);
}

/** One label per frame, null in gaps. */
function painted(segments, frames) {
  const labels = new Array(frames).fill(null);
  for (const { start_frame, end_frame, label } of segments) labels.fill(label, start_frame, end_frame);
  return labels;
}

test("random sequences of edits keep every promise", () => {
  let done = 0;
  for (let seed = 1; seed <= 300; seed += 1) {
    const next = random(seed);
    const start = edits.openRow({ segments: drawn(next, 60, 6), revision: 3 }, 60);
    let state = start;
    for (let step = 0; step < 40; step += 1) {
      const before = structuredClone(state);
      const result = anyEdit(state, next);
      assert.deepEqual(state, before, "nothing is changed in place");
      if (!result) continue;
      const { splice } = result;
      done += 1;
      check(result.state.segments, 60);
      assert.deepEqual(edits.spliced(state.segments, splice), result.state.segments);
      assert.equal(result.state.revision, state.revision + 1);
      assert(splice.removed.length + splice.inserted.length > 0);
      const [first, last] = [splice.removed[0], splice.removed.at(-1)];
      assert(!first || !splice.inserted.length || !edits.same(first, splice.inserted[0]), "minimal at the start");
      assert(!last || !splice.inserted.length || !edits.same(last, splice.inserted.at(-1)), "minimal at the end");
      state = result.state;
    }
    while (state.undo.length) state = edits.undo(state).state;
    assert.deepEqual(state.segments, start.segments, "all undone is the start");
  }
  assert(done > 4000);
});

test("redo makes again what undo took back, and a new edit forgets it", () => {
  const next = random(5);
  let state = row(seg(0, 10, "a"), seg(10, 30, "b"));
  const passed = [state.segments];
  for (const frame of [3, 17, 22]) passed.push((state = edits.split(state, frame).state).segments);
  for (const expected of passed.slice(0, -1).reverse()) {
    state = edits.undo(state).state;
    assert.deepEqual(state.segments, expected);
  }
  assert.equal(edits.undo(state), null);
  for (const expected of passed.slice(1)) {
    const result = edits.redo(state);
    assert.equal(result.action, "redo split");
    assert.deepEqual((state = result.state).segments, expected);
  }
  state = edits.relabel(edits.undo(state).state, 0, "c").state;
  assert.equal(edits.redo(state), null);
});

test("a shared boundary moves both, an edge alone leaves a gap", () => {
  const state = row(seg(0, 10, "a"), seg(10, 30, "b"), seg(40, 50, "c"));
  const both = [[0, 14, "a"], [14, 30, "b"], [40, 50, "c"]];
  assert.deepEqual(list(edits.moveBoundary(state, 0, "end", 14)), both);
  assert.deepEqual(list(edits.moveBoundary(state, 1, "start", 14)), both);
  assert.deepEqual(list(edits.moveBoundary(state, 1, "start", 14, true)), [[0, 10, "a"], [14, 30, "b"], [40, 50, "c"]]);
  assert.deepEqual(list(edits.moveBoundary(state, 0, "end", 4, true)), [[0, 4, "a"], [10, 30, "b"], [40, 50, "c"]]);
  assert.equal(edits.moveBoundary(state, 0, "end", 14, true), null);
  assert.equal(edits.moveBoundary(state, 0, "end", 10.4), null);
});

test("a boundary stops one frame before the other edge of its neighbour", () => {
  const state = row(seg(0, 10, "a"), seg(10, 30, "b"), seg(40, 50, "c"));
  assert.deepEqual(list(edits.moveBoundary(state, 0, "end", 99)).slice(0, 2), [[0, 29, "a"], [29, 30, "b"]]);
  assert.deepEqual(list(edits.moveBoundary(state, 0, "end", -5)).slice(0, 2), [[0, 1, "a"], [1, 30, "b"]]);
  assert.deepEqual(list(edits.moveBoundary(state, 1, "end", 99))[1], [10, 40, "b"]);
  assert.deepEqual(list(edits.moveBoundary(state, 1, "end", 2))[1], [10, 11, "b"]);
  assert.deepEqual(list(edits.moveBoundary(state, 2, "end", 200))[2], [40, 100, "c"]);
  assert.deepEqual(list(edits.moveBoundary(state, 2, "start", 3))[2], [30, 50, "c"]);
  assert.deepEqual(list(edits.moveBoundary(state, 2, "start", 77))[2], [49, 50, "c"]);
});

test("a moved segment keeps its length; neighbours that touch it follow", () => {
  const state = row(seg(0, 10, "a"), seg(10, 30, "b"), seg(40, 50, "c"));
  assert.deepEqual(list(edits.moveSegment(state, 1, 13)), [[0, 13, "a"], [13, 33, "b"], [40, 50, "c"]]);
  assert.deepEqual(list(edits.moveSegment(state, 1, 99)), [[0, 20, "a"], [20, 40, "b"], [40, 50, "c"]]);
  assert.deepEqual(list(edits.moveSegment(state, 1, 0)), [[0, 1, "a"], [1, 21, "b"], [40, 50, "c"]]);
  assert.deepEqual(list(edits.moveSegment(state, 1, 13, true)), [[0, 10, "a"], [13, 33, "b"], [40, 50, "c"]]);
  assert.equal(edits.moveSegment(state, 1, 0, true), null);
});

test("a split is exact and keeps the confidence", () => {
  const state = row(seg(4, 10, "a", 0.5));
  assert.deepEqual(edits.split(state, 7).state.segments, [seg(4, 7, "a", 0.5), seg(7, 10, "a", 0.5)]);
  for (const frame of [0, 4, 10, 50]) assert.equal(edits.split(state, frame), null);
});

test("a merge takes the label of the longer one, the selected one at a tie, or the one given", () => {
  const state = row(seg(0, 10, "a", 0.9), seg(12, 30, "b", 0.4), seg(30, 48, "c"));
  assert.deepEqual(edits.merge(state, 0).state.segments[0], seg(0, 30, "b", 0.4));
  assert.deepEqual(edits.merge(state, 1, "previous").state.segments[0], seg(0, 30, "b", 0.4));
  assert.deepEqual(list(edits.merge(state, 1))[1], [12, 48, "b"]);
  assert.deepEqual(list(edits.merge(state, 2, "previous"))[1], [12, 48, "c"]);
  assert.deepEqual(edits.merge(state, 0, "next", "a").state.segments[0], seg(0, 30, "a"));
  assert.equal(edits.merge(state, 2), null);
  assert.equal(edits.merge(state, 0, "previous"), null);
});

test("another label drops the confidence, which was in the old one", () => {
  const state = row(seg(0, 10, "a", 0.9), seg(10, 20, "a", 0.8), seg(20, 30, "b"));
  const { segments } = edits.relabel(state, 0, "b", 2).state;
  assert.deepEqual(segments, [seg(0, 10, "b"), seg(10, 20, "b"), seg(20, 30, "b")]);
  assert.equal(edits.relabel(state, 0, "b", 2).splice.removed.length, 2);
  assert.equal(edits.relabel(state, 0, "a"), null);
  assert.equal(edits.relabel(state, 9, "a"), null);
});

test("an accepted segment loses its confidence and nothing else", () => {
  const state = row(seg(0, 10, "a", 0.9), seg(10, 20, "b", 0.8), seg(20, 30, "c"));
  assert.deepEqual(edits.accept(state, 1).state.segments[1], seg(10, 20, "b"));
  assert.equal(edits.accept(state, 0, 2).splice.removed.length, 2);
  assert.equal(edits.accept(state, 2), null);
  assert.equal(edits.accept(state, 3), null);
});

test("an inserted segment paints over the others", () => {
  const next = random(11);
  for (let round = 0; round < 500; round += 1) {
    const state = edits.openRow({ segments: drawn(next, 50, 5) }, 50);
    const [a, b] = [next(51), next(51)];
    const [start, end] = [Math.min(a, b), Math.max(a, b)];
    const expected = painted(state.segments, 50).fill("new", start, end);
    const result = edits.insert(state, seg(start, end, "new"));
    assert.deepEqual(painted((result?.state ?? state).segments, 50), expected);
  }
});

test("removing leaves a gap", () => {
  const state = row(seg(0, 10, "a"), seg(10, 30, "b"), seg(30, 40, "c"), seg(60, 70, "d"));
  assert.deepEqual(list(edits.remove(state, 1)), [[0, 10, "a"], [30, 40, "c"], [60, 70, "d"]]);
});

test("after a conflict own edits are made again where they fit, the others reported", () => {
  const start = row(seg(0, 10, "a"), seg(10, 30, "b"), seg(40, 50, "c"));
  const relabel = edits.relabel(start, 2, "d");
  const split = edits.split(relabel.state, 20);
  const theirs = { revision: 8, segments: [seg(0, 5, "x"), seg(5, 10, "a"), seg(10, 30, "z"), seg(40, 50, "c")] };
  const { state, reapplied, lost } = edits.rebase(split.state, theirs, [relabel, split]);
  assert.deepEqual(state.segments, [...theirs.segments.slice(0, 3), seg(40, 50, "d")]);
  assert.equal(state.revision, 9);
  assert.deepEqual(reapplied.map(({ splice, action }) => [splice.at, action]), [[3, "relabel"]]);
  assert.deepEqual(lost.map(({ action }) => action), ["split"]);
  const undone = edits.undo(state);
  assert.deepEqual(undone.state.segments, theirs.segments);
  assert.equal(edits.undo(undone.state), null);
});

test("undo passes over edits whose segments somebody else changed, and leaves the others' edits alone", () => {
  const start = row(seg(0, 10, "a"), seg(10, 30, "b"), seg(40, 50, "c"));
  const first = edits.relabel(start, 0, "x").state;
  const second = edits.relabel(first, 1, "y").state;
  const theirs = { revision: 10, segments: [seg(0, 10, "x"), seg(10, 30, "theirs"), seg(40, 50, "c")] };
  const undone = edits.undo(edits.rebase(second, theirs).state);
  assert.deepEqual(undone.state.segments, [seg(0, 10, "a"), ...theirs.segments.slice(1)]);
  assert.deepEqual([undone.state.undo.length, undone.state.revision], [0, 11]);
  const mine = edits.relabel(start, 2, "d");
  const alike = { revision: 8, segments: mine.state.segments };
  const { state, lost } = edits.rebase(mine.state, alike, [mine]);
  assert.equal(lost.length, 1);
  assert.equal(edits.undo(state), null, "the same edit was theirs");
});

test("an insertion is made again only into a gap that is still there", () => {
  const inserted = edits.insert(row(seg(0, 10, "a")), seg(20, 30, "b"));
  const into = (segments) => edits.rebase(inserted.state, { revision: 8, segments }, [inserted]);
  assert.equal(into([seg(25, 40, "x")]).lost.length, 1);
  assert.equal(into([seg(15, 21, "x")]).lost.length, 1);
  assert.deepEqual(into([seg(15, 20, "x"), seg(30, 40, "x")]).state.segments[1], seg(20, 30, "b"));
});

test("rebasing at random always gives a timeline that holds the others' work", () => {
  const next = random(21);
  let kept = 0;
  for (let round = 0; round < 300; round += 1) {
    const start = edits.openRow({ segments: drawn(next, 60, 6), revision: 1 }, 60);
    const mine = [];
    let [state, other] = [start, start];
    for (let step = 0; step < 4; step += 1) {
      const result = anyEdit(state, next);
      if (result) mine.push(result), (state = result.state);
      other = anyEdit(other, next)?.state ?? other;
    }
    const { state: now, reapplied, lost } = edits.rebase(state, other, mine);
    check(now.segments, 60);
    assert.equal(reapplied.length + lost.length, mine.length);
    assert.equal(now.revision, other.revision + reapplied.length);
    const again = reapplied.reduce((segments, edit) => edits.spliced(segments, edit.splice), other.segments);
    assert.deepEqual(again, now.segments);
    kept += reapplied.length;
  }
  assert(kept > 100);
});

test("a splice that does not fit is refused", () => {
  const splice = { at: 0, removed: [seg(0, 9, "a")], inserted: [] };
  assert.throws(() => edits.spliced([seg(0, 10, "a")], splice), /segments 0 to 1/);
});

test("the segment at a frame is found by halving", () => {
  const next = random(3);
  for (let round = 0; round < 200; round += 1) {
    const segments = drawn(next, 80, 9);
    const frame = next(90) - 5;
    const index = segments.findIndex((segment) => segment.end_frame > frame);
    assert.equal(edits.indexAt(segments, frame), index < 0 ? segments.length : index);
  }
});
