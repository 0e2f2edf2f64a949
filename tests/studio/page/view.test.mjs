/** What the timeline shows, and what is under the pointer. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { hitAt } from "../../../src/keyseg/studio/page/hits.js";
import { clampView, panned, zoomed } from "../../../src/keyseg/studio/page/view.js";
import { random } from "./drawn.mjs";

const HOURS = 8 * 3600 * 25;

test("zooming keeps the frame under the pointer where it is, away from the ends", () => {
  const view = { from: 1000, to: 3000 };
  const near = zoomed(view, 2, 1500, HOURS, 1000);
  assert.deepEqual(near, { from: 1250, to: 2250 });
  assert.deepEqual(zoomed(near, 0.5, 1500, HOURS, 1000), view);
});

test("any zoom and pan stays in the video, from all of it to single frames", () => {
  const next = random(2);
  let view = { from: 0, to: HOURS };
  for (let step = 0; step < 2000; step += 1) {
    const about = view.from + (next(100) / 100) * (view.to - view.from);
    if (next(2)) view = zoomed(view, (1 + next(30)) / 10, about, HOURS, 1200);
    else view = panned(view, next(200000) - 100000, HOURS);
    assert(view.from >= 0 && view.to <= HOURS + 1e-6 && view.to - view.from >= 1200 / 48 - 1e-6);
  }
  assert.deepEqual(zoomed(view, 0, 500, HOURS, 1200), { from: 0, to: HOURS });
  assert.deepEqual(clampView({ from: 70, to: 70 }, HOURS, 1200), { from: 57.5, to: 82.5 });
  assert.deepEqual(clampView({ from: -50, to: 99999999 }, HOURS, 1200), { from: 0, to: HOURS });
  assert.deepEqual(clampView({ from: 0, to: 3 }, 3, 1200), { from: 0, to: 3 }, "a video shorter than the closest view");
});

test("panning keeps the width", () => {
  assert.deepEqual(panned({ from: 10, to: 30 }, -100, 100), { from: 0, to: 20 });
  assert.deepEqual(panned({ from: 10, to: 30 }, 100, 100), { from: 80, to: 100 });
});

const segments = [
  { start_frame: 0, end_frame: 100, label: "a" },
  { start_frame: 100, end_frame: 200, label: "a" },
  { start_frame: 300, end_frame: 309, label: "a" },
];
const main = { name: "correction", editable: true, segments };
const drawn = {
  bands: [
    { kind: "axis", y: 0, height: 20, caption: "" },
    { kind: "row", y: 40, height: 30, caption: "Correction", row: main },
    { kind: "row", y: 100, height: 30, caption: "Reference", row: { name: "reference", segments } },
    { kind: "overview", y: 150, height: 18, caption: "", row: main },
  ],
  view: { from: 0, to: 1000 },
  width: 1000,
  frames: 1000,
};
const hit = (x, y = 50, reach = 6) => hitAt(drawn, x, y, reach);

test("bands are found by height, with their captions", () => {
  const areas = [10, 30, 55, 90, 160, 300].map((y) => hit(500, y).area);
  assert.deepEqual(areas, ["axis", "row", "row", "row", "overview", null]);
  assert.equal(hit(500, 110).row, "reference");
  assert.deepEqual([55, 110, 160].map((y) => hit(500, y).selectable), [true, false, false]);
  assert.equal(hitAt({ ...drawn, view: { from: 200, to: 300 } }, 500, 50, 6).frame, 250);
});

test("an edge belongs to the side from which it is caught", () => {
  const edge = (x, reach) => [hit(x, 50, reach).index, hit(x, 50, reach).edge, hit(x, 50, reach).at];
  assert.deepEqual(edge(97), [0, "end", 100]);
  assert.deepEqual(edge(103), [1, "start", 100]);
  assert.deepEqual(edge(150), [1, undefined, undefined]);
  assert.deepEqual(edge(204), [1, "end", 200], "from the gap");
  assert.deepEqual(edge(296), [2, "start", 300], "from the gap");
  assert.deepEqual(edge(302), [2, "start", 300]);
  assert.deepEqual(edge(304.5), [2, undefined, undefined], "the middle of a narrow segment stays free");
  assert.deepEqual(edge(309, 0), [null, undefined, undefined]);
  assert.equal(hit(103, 110).edge, undefined, "a row that is not editable has no edges");
});

test("a gap has the frames around it", () => {
  assert.deepEqual(hit(250).gap, [200, 300]);
  assert.deepEqual(hit(900).gap, [309, 1000]);
  assert.equal(hit(997).edge, undefined, "the end of the video is no edge");
});
