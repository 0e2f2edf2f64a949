/** Snapping, compared with looking at every target. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { nearest, snap, snapTargets } from "../../../src/keyseg/studio/page/snapping.js";
import { random } from "./drawn.mjs";

const segment = (start_frame, end_frame) => ({ start_frame, end_frame, label: "a" });

test("targets are the other rows' cuts and all keypoints, in order and once", () => {
  const predicted = [segment(100, 200), segment(200, 250)];
  const rows = [
    { name: "correction", segments: [segment(3, 17)] },
    { name: "prediction:b", segments: predicted, details: { boundaries: [9.6, 101, 200] } },
    { name: "reference", segments: [segment(7, 100)] },
  ];
  assert.deepEqual([...snapTargets(rows, "correction")], [7, 10, 100, 101, 200, 250]);
  assert.deepEqual([...snapTargets(rows, "reference")], [3, 10, 17, 100, 101, 200, 250]);
});

test("the nearest is found as by looking at all", () => {
  const next = random(1);
  for (let round = 0; round < 500; round += 1) {
    const sorted = Int32Array.from({ length: next(9) }, () => next(60)).sort();
    const frame = next(700) / 10 - 5;
    const best = [...sorted].sort((a, b) => Math.abs(a - frame) - Math.abs(b - frame) || a - b)[0];
    assert.equal(nearest(sorted, frame), best ?? null);
  }
});

test("within reach a boundary goes to the nearest target, else to a whole frame", () => {
  const targets = Int32Array.from([10, 20, 40]);
  assert.deepEqual(snap(17.6, { targets, reach: 3 }), { frame: 20, snapped: true });
  assert.deepEqual(snap(16.6, { targets, reach: 3 }), { frame: 17, snapped: false });
  assert.deepEqual(snap(17, { targets, reach: 3 }), { frame: 20, snapped: true }, "the reach is included");
  assert.deepEqual(snap(18, { targets, playhead: 17, reach: 3 }), { frame: 17, snapped: true });
  assert.deepEqual(snap(19, { targets, playhead: 17, reach: 3 }), { frame: 20, snapped: true });
  assert.deepEqual(snap(33.2, { targets: new Int32Array(0), reach: 3 }), { frame: 33, snapped: false });
});

test("without reach only whole frames count", () => {
  const targets = Int32Array.from([20]);
  assert.deepEqual(snap(19.7, { targets, playhead: 19, reach: 0 }), { frame: 20, snapped: false });
  assert.deepEqual(snap(20, { targets, reach: 0 }), { frame: 20, snapped: false });
});
