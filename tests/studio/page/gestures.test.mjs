/** Gestures on a canvas without a browser: what each one edits, selects, seeks and moves. One pixel is one frame. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { openRow } from "../../../src/keyseg/studio/page/edits.js";
import { attachGestures } from "../../../src/keyseg/studio/page/gestures.js";
import { hitAt } from "../../../src/keyseg/studio/page/hits.js";
import { snap } from "../../../src/keyseg/studio/page/snapping.js";

const START = [
  { start_frame: 0, end_frame: 100, label: "pour" },
  { start_frame: 100, end_frame: 200, label: "stir" },
  { start_frame: 400, end_frame: 500, label: "pour" },
];

/** Press Escape on the page; `bench` gives each canvas a page of its own. */
let escape;

/** A canvas with a board that notes what happens; `segments()` are those after all edits. */
function bench(label = "drink", editable = true) {
  const canvas = Object.assign(new EventTarget(), { style: {}, clientHeight: 300, setPointerCapture() {} });
  const page = new EventTarget();
  globalThis.addEventListener = page.addEventListener.bind(page);
  globalThis.removeEventListener = page.removeEventListener.bind(page);
  escape = () => page.dispatchEvent(Object.assign(new Event("keydown", { cancelable: true }), { key: "Escape" }));
  let state = openRow({ segments: START }, 1000);
  let selection = null;
  let shown = null;
  const log = [];
  const bands = () => {
    const main = { name: "correction", editable, segments: state.segments };
    return [
      { kind: "axis", y: 0, height: 20 },
      { kind: "row", y: 40, height: 40, row: main },
      { kind: "row", y: 100, height: 40, row: { name: "reference", segments: START } },
      { kind: "overview", y: 160, height: 20, row: main },
    ];
  };
  const note = (name) => (...values) => log.push([name, ...values]);
  const targets = Int32Array.from([150]);
  const drawn = { view: { from: 0, to: 1000 }, width: 1000, frames: 1000 };
  const board = {
    hit: (x, y, reach) => hitAt({ ...drawn, bands: bands() }, x, y, reach),
    frameAt: (x) => x,
    state: () => state,
    snapper: () => (frame, off) => snap(frame, { targets, playhead: 77, reach: off ? 0 : 5 }),
    label: () => label,
    show: (preview) => (shown = preview),
    commit(result) {
      if (result) state = result.state;
      log.push(["commit", result?.action ?? null]);
    },
    seek: note("seek"),
    playhead: () => 77,
    select(first, last) {
      selection = first === null ? null : { first, last };
      log.push(["select", first, last]);
    },
    selection: () => selection,
    pan: note("pan"),
    zoom: note("zoom"),
    overview: note("overview"),
    hover() {},
    context: note("context"),
  };
  const gestures = attachGestures(canvas, board);
  const fire = (type, x, y, more = {}) => {
    const plain = { pointerId: 1, button: 0, pointerType: "mouse", deltaMode: 0, deltaX: 0, deltaY: 0 };
    canvas.dispatchEvent(Object.assign(new Event(type, { cancelable: true }), plain, { offsetX: x, offsetY: y }, more));
  };
  const drag = (from, to, y = 60, more = {}) => {
    fire("pointerdown", from, y, more);
    fire("pointermove", (from + to) / 2, y, more);
    fire("pointermove", to, y, more);
    fire("pointerup", to, y, more);
  };
  const click = (x, y = 60, more = {}) => (fire("pointerdown", x, y, more), fire("pointerup", x, y, more));
  const spans = () => state.segments.map((one) => [one.start_frame, one.end_frame, one.label]);
  const only = (name) => log.filter(([kind]) => kind === name).map(([, ...values]) => values);
  return { canvas, gestures, fire, drag, click, spans, only, log, shown: () => shown };
}

test("a dragged boundary moves by as much as the pointer, and the film follows", () => {
  const { drag, spans, only, shown } = bench();
  drag(98, 118);
  assert.deepEqual(spans().slice(0, 2), [[0, 120, "pour"], [120, 200, "stir"]]);
  assert.deepEqual(only("commit"), [["move boundary"]]);
  assert.deepEqual(only("seek"), [[110], [120]]);
  assert.equal(shown(), null);
});

test("a boundary snaps to targets and to where the playhead was; Alt turns it off", () => {
  for (const [to, more, expected] of [[146, {}, 150], [146, { altKey: true }, 146], [80, {}, 77], [130, {}, 130]]) {
    const { drag, spans } = bench();
    drag(100, to, 60, more);
    assert.equal(spans()[0][1], expected);
  }
});

test("with Shift one edge moves alone", () => {
  const { drag, spans } = bench();
  drag(103, 123, 60, { shiftKey: true });
  assert.deepEqual(spans().slice(0, 2), [[0, 100, "pour"], [120, 200, "stir"]]);
});

test("Escape cancels a drag and seeks back; a drag back to the start is no edit", () => {
  const { fire, drag, spans, only, shown, gestures } = bench();
  fire("pointerdown", 100, 60);
  fire("pointermove", 130, 60);
  assert.equal(shown().segments[0].end_frame, 130);
  assert(gestures.busy());
  escape();
  assert.equal(shown(), null);
  fire("pointermove", 140, 60);
  fire("pointerup", 140, 60);
  assert.deepEqual(spans()[0], [0, 100, "pour"]);
  assert.deepEqual(only("seek").at(-1), [77]);
  drag(100, 100);
  fire("pointerdown", 100, 60);
  fire("pointermove", 130, 60);
  fire("pointermove", 100, 60);
  fire("pointerup", 100, 60);
  assert.deepEqual(only("commit"), []);
});

test("a drag in a gap draws a segment that stays in the gap", () => {
  const { drag, spans, only } = bench();
  drag(250, 300);
  assert.deepEqual(spans()[2], [250, 300, "drink"]);
  assert.deepEqual(only("commit"), [["insert"]]);
  drag(350, 450);
  assert.deepEqual(spans()[3], [350, 400, "drink"], "and not over its neighbour");
  const without = bench(null);
  without.drag(250, 300);
  assert.deepEqual(without.only("commit"), []);
  assert.deepEqual(without.only("pan"), [[-25], [-25]]);
});

test("Ctrl moves a segment with the neighbours that touch it", () => {
  const { drag, spans } = bench();
  drag(150, 170, 60, { ctrlKey: true });
  assert.deepEqual(spans().slice(0, 2), [[0, 120, "pour"], [120, 220, "stir"]]);
});

test("a double click splits a segment, but no gap and no other row", () => {
  const { fire, spans, only } = bench();
  fire("dblclick", 40, 60);
  assert.deepEqual(spans().slice(0, 2), [[0, 40, "pour"], [40, 100, "pour"]]);
  fire("dblclick", 300, 60);
  fire("dblclick", 40, 120);
  assert.equal(only("commit").length, 1);
});

test("a click selects and seeks, Shift extends, a gap selects nothing", () => {
  const { click, only } = bench();
  click(50);
  click(450, 60, { shiftKey: true });
  click(300);
  click(30, 120);
  assert.deepEqual(only("select"), [[0, 0], [0, 2], [null, null]]);
  assert.deepEqual(only("seek"), [[50], [300], [30]]);
});

test("a main row that is not editable is selected from, but not edited", () => {
  const { click, drag, fire, only, canvas } = bench("drink", false);
  click(150);
  assert.deepEqual(only("select"), [[1, 1]]);
  drag(100, 120);
  drag(250, 300);
  fire("dblclick", 40, 60);
  assert.deepEqual(only("commit"), []);
  fire("pointermove", 150, 60);
  assert.equal(canvas.style.cursor, "pointer");
});

test("dragging the axis scrubs, other rows pan, the overview jumps", () => {
  const { drag, only } = bench();
  drag(500, 520, 10);
  assert.deepEqual(only("seek"), [[500], [510], [520]]);
  drag(500, 520, 120);
  assert.deepEqual(only("pan"), [[-10], [-10]]);
  drag(500, 520, 170);
  assert.deepEqual(only("overview"), [[500], [510], [520]]);
  drag(100, 120, 60, { button: 1 });
  assert.equal(only("pan").length, 4, "the middle button pans everywhere");
});

test("the wheel zooms about the pointer, sideways it pans", () => {
  const { fire, only } = bench();
  fire("wheel", 300, 60, { deltaY: -100 });
  fire("wheel", 300, 60, { deltaY: 100, deltaMode: 1 });
  const [[near, x], [far]] = only("zoom");
  assert(near > 1.2 && near < 1.3 && x === 300 && far < 0.1);
  fire("wheel", 300, 60, { deltaX: 40, deltaY: 3 });
  fire("wheel", 300, 60, { deltaY: 50, shiftKey: true });
  assert.deepEqual(only("pan"), [[40], [50]]);
  fire("wheel", 300, 60, { deltaY: -10, ctrlKey: true });
  assert.equal(only("zoom").length, 3);
});

test("two fingers pinch, and end what one of them began", () => {
  const { fire, only, spans } = bench();
  const touch = (id) => ({ pointerId: id, pointerType: "touch" });
  fire("pointerdown", 100, 60, touch(1));
  fire("pointermove", 120, 60, touch(1));
  fire("pointerdown", 220, 60, touch(2));
  fire("pointermove", 320, 60, touch(2));
  assert.deepEqual(only("zoom"), [[2, 220]]);
  assert.deepEqual(only("pan"), [[-50]]);
  fire("pointerup", 320, 60, touch(2));
  fire("pointerup", 120, 60, touch(1));
  assert.deepEqual(only("commit"), []);
  assert.deepEqual(spans()[0], [0, 100, "pour"]);
});

test("a finger in a gap pans", () => {
  const { drag, only } = bench();
  drag(250, 300, 60, { pointerType: "touch" });
  assert.deepEqual(only("commit"), []);
  assert.equal(only("pan").length, 2);
});

test("the menu of a place says what is there", () => {
  const { fire, only } = bench();
  fire("contextmenu", 150, 60, { clientX: 5, clientY: 6 });
  assert.deepEqual(only("select"), [[1, 1]]);
  const [[at]] = only("context");
  assert.deepEqual([at.row, at.index, at.frame, at.x, at.y], ["correction", 1, 150, 5, 6]);
});

test("the pointer's shape says what a drag would do", () => {
  const { fire, canvas } = bench();
  const shape = (x, y, more) => (fire("pointermove", x, y, more), canvas.style.cursor);
  assert.equal(shape(102, 60), "ew-resize");
  assert.equal(shape(150, 60), "pointer");
  assert.equal(shape(150, 60, { ctrlKey: true }), "move");
  assert.equal(shape(300, 60), "crosshair");
  assert.equal(shape(300, 120), "grab");
  assert.equal(shape(300, 10), "col-resize");
});

test("nothing is heard after destroy", () => {
  const { gestures, click, log } = bench();
  gestures.destroy();
  click(50);
  assert.deepEqual(log, []);
});
