/** Pictures of the timeline, as calls of a canvas that notes them. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { caption, layout } from "../../../src/keyseg/studio/page/bands.js";
import { colouring } from "../../../src/keyseg/studio/page/colours.js";
import { Painter } from "../../../src/keyseg/studio/page/draw.js";
import { random } from "./drawn.mjs";

const LETTER = 7; // pixels

/** A canvas whose context notes every call with the fill colour at that time. */
function canvas() {
  const calls = [];
  const answers = {
    measureText: (text) => ({ width: LETTER * text.length }),
    createImageData: (width, height) => ({ width, height, data: new Uint8ClampedArray(4 * width * height) }),
  };
  const call = (name, colour, values) => {
    calls.push([name, colour, ...values]);
    return answers[name]?.(...values);
  };
  const context = new Proxy(
    { fillStyle: "" },
    { get: (state, name) => state[name] ?? ((...values) => call(name, state.fillStyle, values)) },
  );
  const made = { getContext: () => context, width: 0, height: 0 };
  return { ...made, calls, ownerDocument: { createElement: () => canvas() } };
}

const PARTS = ["paper", "track", "line", "ink", "muted", "wave", "accent"];
const theme = Object.fromEntries(PARTS.map((name) => [name, name]));

function painted({ rows, frames, view = { from: 0, to: frames }, peaks = null, ...more }) {
  const target = canvas();
  const { bands, height } = layout(rows, peaks);
  const fixed = { width: 1000, height, ratio: 1, rate: 25, playhead: 0, selection: null, hover: null, guide: null };
  new Painter(target).paint({ ...fixed, bands, theme, colourOf: colouring([]), rows, frames, view, peaks, ...more });
  return target.calls;
}

function cut(next, frames, count, names) {
  const cuts = [...new Set(Array.from({ length: count }, () => next(frames)))].sort((a, b) => a - b);
  const label = () => names[next(names.length)];
  return cuts.slice(1).map((end_frame, place) => ({ start_frame: cuts[place], end_frame, label: label() }));
}

test("names are inside their segments, cut with an ellipsis where they are too long", () => {
  const next = random(8);
  const names = ["pour", "take the cup", "öffne 🫖 den Teebeutel", "x"];
  const all = [];
  for (let round = 0; round < 20; round += 1) {
    const segments = cut(next, 3000, 20, names);
    const calls = painted({ rows: [{ name: "correction", editable: true, segments }], frames: 3000 });
    for (const [name, colour, text, x] of calls) {
      if (name !== "fillText" || !colour.startsWith("#")) continue;
      const inside = segments.some(({ start_frame, end_frame, label }) => {
        const fits = x >= start_frame / 3 && x + LETTER * text.length <= end_frame / 3;
        return fits && label.startsWith(text.replace("…", ""));
      });
      assert(inside, `${text} at ${x}`);
      all.push(text);
    }
  }
  assert(all.some((text) => text.endsWith("…")) && all.includes("take the cup") && all.includes(names[2]));
});

test("a picture of 5,000 segments takes few calls, however many are in view", () => {
  const next = random(9);
  const frames = 8 * 3600 * 25;
  const rows = ["correction", "prediction:b", "proposal", "reference"].map((name) => {
    return { name, editable: name === "correction", segments: cut(next, frames, 5000, ["a", "b", "c"]) };
  });
  rows[1].details = { boundaries: rows[1].segments.map((one) => one.start_frame), strip: Array(4000).fill(50) };
  for (const span of [frames, frames / 10, 20000, 250]) {
    const calls = painted({ rows, frames, view: { from: 1000, to: 1000 + span }, peaks: Array(20000).fill(9) });
    assert(calls.length < 6000, `${calls.length} for ${span} frames`);
  }
});

test("what is outside the view is not drawn", () => {
  const segments = [0, 100, 200, 300].map((start_frame) => {
    return { start_frame, end_frame: start_frame + 100, label: `n${start_frame}` };
  });
  const details = { boundaries: [10, 100, 160, 200, 390] };
  const rows = [{ name: "reference", segments, details }];
  const calls = painted({ rows, frames: 400, view: { from: 150, to: 250 } });
  const texts = calls.filter(([name, colour]) => name === "fillText" && colour.startsWith("#"));
  assert.deepEqual(texts.map(([, , text]) => text), ["n100", "n200"]);
  const tips = calls.filter(([name, , , y]) => name === "lineTo" && Number.isInteger(2 * y) && !Number.isInteger(y));
  assert.deepEqual(tips.map(([, , x]) => x), [100, 500], "of the keypoints");
});

test("the overview is blended once, and again when its segments change", () => {
  const target = canvas();
  const painter = new Painter(target);
  const segments = [{ start_frame: 0, end_frame: 100, label: "a" }];
  const blended = (rows) => {
    const { bands, height } = layout(rows, null);
    const fixed = { width: 100, height, ratio: 1, rate: 25, playhead: 0, selection: null, hover: null, guide: null };
    painter.paint({ ...fixed, bands, theme, colourOf, frames: 200, view: { from: 0, to: 200 }, peaks: null });
    return painter.whole.calls.filter(([name]) => name === "putImageData").length;
  };
  const colourOf = colouring([]);
  const row = { name: "correction", editable: true, segments };
  assert.deepEqual([blended([row]), blended([{ ...row }]), blended([{ ...row, segments: [...segments] }])], [1, 1, 2]);
});

test("the playhead and the guide are where their frames are", () => {
  const calls = painted({ rows: [], frames: 1000, playhead: 250, guide: { frame: 600, snapped: true } });
  const lines = (drawn) => drawn.filter(([name, colour]) => name === "fillRect" && colour === "accent");
  const places = lines(calls).map(([, , x, , width]) => [x, width]);
  assert.deepEqual(places, [[249, 2], [249, 2], [600, 1]], "in the overview, over all rows, the guide");
  assert(calls.some(([name, , text]) => name === "fillText" && text === "0:24.00"));
  const outside = painted({ rows: [], frames: 1000, view: { from: 500, to: 600 }, playhead: 250 });
  assert.equal(lines(outside).length, 1, "in the overview alone");
});

test("rows have their names, in order, without overlap; confidence comes before the rows", () => {
  const rows = [
    { name: "correction", editable: true, segments: [] },
    { name: "prediction:my: rats", segments: [], details: { strip: [1, 2] } },
  ];
  const { bands, height } = layout(rows, [1]);
  const kinds = bands.map(({ kind }) => kind);
  assert.deepEqual(kinds, ["axis", "waveform", "confidence", "row", "row", "overview"]);
  assert.equal(bands[4].caption, "Prediction · my: rats");
  bands.slice(1).forEach(({ y }, place) => assert(y >= bands[place].y + bands[place].height));
  assert(bands.at(-1).y + bands.at(-1).height <= height);
  assert.equal(caption("reference"), "Reference");
  assert.deepEqual(layout([], null).bands.map(({ kind }) => kind), ["axis", "overview"]);
});
