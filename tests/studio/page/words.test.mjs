/** Times, descriptions of edits, and colours. */

import assert from "node:assert/strict";
import { test } from "node:test";

import * as colours from "../../../src/keyseg/studio/page/colours.js";
import * as edits from "../../../src/keyseg/studio/page/edits.js";
import { sentence } from "../../../src/keyseg/studio/page/segment_list.js";
import { clock, describe, parseRate, ticks } from "../../../src/keyseg/studio/page/times.js";

test("rates and times", () => {
  assert.equal(parseRate("25"), 25);
  assert(Math.abs(parseRate("30000/1001") - 29.97003) < 1e-5);
  for (const wrong of ["", "0", "x", "1/0", "-5"]) assert.throws(() => parseRate(wrong), /no frame rate/);
  assert.equal(clock(0), "0:00");
  assert.equal(clock(8 * 3600 - 1), "7:59:59");
  assert.equal(clock(1531 / 25, 2), "1:01.24");
  assert.equal(clock(1499.9 / 25, 1), "1:00.0", "rounded before it is divided into parts");
});

test("ticks are round times, apart enough, all in view and told apart", () => {
  for (const rate of [25, 30000 / 1001, 59.94]) {
    for (let span = 8 * 3600 * rate; span > 10; span /= 1.7) {
      const view = { from: 1234.5, to: 1234.5 + span };
      const { frames, digits } = ticks(view, rate, 1200);
      assert(frames.length >= 1 && frames.length <= 1200 / 84 + 1);
      assert(frames.every((frame) => frame >= view.from - 1e-6 && frame <= view.to));
      assert.equal(new Set(frames.map((frame) => clock(frame / rate, digits))).size, frames.length);
    }
  }
  assert.deepEqual(ticks({ from: 0, to: 250 }, 25, 900).frames, [0, 25, 50, 75, 100, 125, 150, 175, 200, 225, 250]);
});

test("an edit in words", () => {
  const state = edits.openRow({ segments: [{ start_frame: 0, end_frame: 50, label: "pour" }] }, 100);
  const split = edits.split(state, 25);
  const said = (result) => describe(result, 25);
  assert.equal(said(split), "Split: pour 0:00.00 to 0:01.00, pour 0:01.00 to 0:02.00");
  assert.equal(said(edits.remove(state, 0)), "Removed: pour 0:00.00 to 0:02.00");
  assert.equal(said(edits.moveBoundary(state, 0, "end", 75)), "Boundary moved: pour 0:00.00 to 0:03.00");
  assert.equal(said(edits.undo(split.state)), "Undone: split");
  assert.equal(said(edits.redo(edits.undo(split.state).state)), "Redone: split");
  assert.equal(said({ action: "rename <b>", splice: { at: 0, removed: [], inserted: [] } }), "rename <b>");
  const three = edits.split(split.state, 30).state;
  assert.equal(said(edits.relabel(three, 0, "stir", 2)), "Relabelled: 3 segments, 0:00.00 to 0:02.00");
  const sure = { start_frame: 0, end_frame: 25, label: "pour", confidence: 0.874 };
  assert.equal(sentence(sure, 25), "pour, 0:00.00 to 0:01.00, 87 % certain");
});

test("text is readable on every colour", () => {
  const ink = (colour) => colours.contrast(colour, colours.inkOn(colour));
  for (let number = 0; number < 0xffffff; number += 4099) {
    assert(ink(`#${number.toString(16).padStart(6, "0")}`) >= 4.5);
  }
  assert.equal(colours.inkOn("#ffffff"), "#000000");
  assert.equal(colours.contrast("#000000", "#ffffff"), 21);
});

test("classes keep their colours, other labels get one each time the same", () => {
  const colourOf = colours.colouring([{ name: "pour", colour: "#112233" }]);
  assert.deepEqual(colourOf("pour"), { colour: "#112233", ink: "#ffffff", rgb: [17, 34, 51] });
  assert.equal(colourOf("constructor").colour, colours.colouring([])("constructor").colour);
  const classes = [];
  for (let count = 0; count < 25; count += 1) classes.push({ name: `${count}`, colour: colours.nextColour(classes) });
  assert.equal(new Set(classes.slice(0, 20).map(({ colour }) => colour)).size, 20);
});
