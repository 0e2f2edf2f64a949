/** The keyboard, the list, the classes, the film's clock and the curves: what needs no browser. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { suggestions } from "../../../src/keyseg/studio/page/classes.js";
import { ACTIONS, uncertain, keyOf } from "../../../src/keyseg/studio/page/commands.js";
import { percent } from "../../../src/keyseg/studio/page/elements.js";
import { accept, openRow } from "../../../src/keyseg/studio/page/edits.js";
import { comparedRows, polyline, series } from "../../../src/keyseg/studio/page/curves.js";
import { COMMANDS, commandOf, hint, name, sheet } from "../../../src/keyseg/studio/page/keys.js";
import { matching, ordered } from "../../../src/keyseg/studio/page/library.js";
import { SPEEDS, frameOfClock, frameOfStamp, nextSpeed } from "../../../src/keyseg/studio/page/player.js";
import { clock } from "../../../src/keyseg/studio/page/times.js";

const press = (key, more = {}) => name({ key, shiftKey: false, ctrlKey: false, metaKey: false, ...more });

test("no key is bound twice in a place, and no command twice", () => {
  for (const place of ["video", "library"]) {
    const keys = COMMANDS.filter(({ where }) => where === place || where === "everywhere").flatMap((command) => command.keys);
    assert.deepEqual(keys.filter((key, i) => keys.indexOf(key) !== i), []);
  }
  assert.equal(new Set(COMMANDS.map(({ id }) => id)).size, COMMANDS.length);
});

test("the sheet has every command once", () => {
  const listed = sheet().flatMap(({ members }) => members);
  assert.deepEqual(new Set(listed), new Set(COMMANDS));
  assert.equal(listed.length, COMMANDS.length);
  assert(COMMANDS.every(({ title, group, keys }) => title && group && keys.length));
});

test("every command of the open video does something, and nothing else does", () => {
  const main = readFileSync(new URL("../../../src/keyseg/studio/page/main.js", import.meta.url), "utf8");
  const everywhere = main.slice(main.indexOf("const everywhere = {"), main.indexOf("};", main.indexOf("const everywhere = {")));
  const elsewhere = COMMANDS.filter(({ id }) => !(id in ACTIONS));
  for (const { id } of elsewhere) assert.match(everywhere, new RegExp(`^  "?${id}"?:`, "m"));
  const known = new Set(COMMANDS.map(({ id }) => id));
  assert.deepEqual(Object.keys(ACTIONS).filter((id) => !known.has(id)), []);
});

test("keys are named as the table writes them, on any keyboard", () => {
  assert.equal(press(" "), "Space");
  assert.equal(press("ArrowLeft", { shiftKey: true }), "Shift+ArrowLeft");
  assert.equal(press("Z", { ctrlKey: true, shiftKey: true }), "Mod+Shift+z");
  assert.equal(press("z", { metaKey: true }), "Mod+z");
  assert.equal(press("?", { shiftKey: true }), "?");
  assert.equal(press("/", { shiftKey: true }), "/");
  assert.equal(press("K"), "k"); // caps lock
  assert.equal(commandOf("7", "video").id, "label");
  assert.equal(commandOf("0", "video"), undefined);
  assert.equal(commandOf("s", "library"), undefined);
  assert.equal(commandOf("ArrowDown", "library").id, "row-down");
  assert.equal(commandOf("ArrowDown", "video").id, "next-segment");
  assert.equal(hint("second-back"), "One second back (Shift ←)");
});

const VIDEOS = [
  { id: "a", name: "day 10/tea.mp4", state: "checked", confidence: 0.9, priority: null },
  { id: "b", name: "day 2/tea.mp4", state: "predicted", confidence: 0.7, priority: 2 },
  { id: "c", name: "day 2/Salad.mp4", state: "predicted", confidence: 0.4, priority: 1 },
  { id: "d", name: "day 2/rest.mp4", state: "unlabelled", confidence: null, priority: null },
];
const ids = (videos) => videos.map(({ id }) => id).join("");

test("the list is ordered by what to check first, name, state or confidence", () => {
  assert.equal(ids(ordered(VIDEOS, "priority")), "cbda");
  assert.equal(ids(ordered(VIDEOS, "name")), "dcba");
  assert.equal(ids(ordered(VIDEOS, "state")), "cbda");
  assert.equal(ids(ordered(VIDEOS, "confidence")), "cbad");
  assert.equal(ids(VIDEOS), "abcd");
});

test("search finds all words in any case, in a state", () => {
  assert.equal(ids(matching(VIDEOS, "TEA day")), "ab");
  assert.equal(ids(matching(VIDEOS, "", "predicted")), "bc");
  assert.equal(ids(matching(VIDEOS, "(")), "");
  assert.equal(ids(matching(VIDEOS, "  ")), "abcd");
});

test("typing a class finds beginnings first, then words, then parts", () => {
  const classes = ["close lid", "open lid", "pour oil", "lift", "slide"].map((each) => ({ name: each }));
  assert.deepEqual(suggestions(classes, "LI").map((each) => each.name), ["lift", "close lid", "open lid", "slide"]);
  assert.deepEqual(suggestions(classes, "x"), []);
  assert.equal(suggestions(classes, "").length, 5);
});

test("the least certain segment comes first, and each is seen once", () => {
  const segments = [0.9, 0.2, undefined, 0.5].map((confidence, i) => ({ start_frame: i, end_frame: i + 1, label: "a", confidence }));
  assert.deepEqual(uncertain(segments, new Set()), [1, 3, 0]);
  assert.deepEqual(uncertain(segments, new Set([keyOf(segments[1])])), [3, 0]);
});

test("accepting takes the confidence off, as an edit", () => {
  const segment = { start_frame: 3, end_frame: 9, label: "a", confidence: 0.5 };
  const { splice, state } = accept(openRow({ segments: [segment], revision: 2 }, 10), 0);
  assert.deepEqual(splice, { at: 0, removed: [segment], inserted: [{ start_frame: 3, end_frame: 9, label: "a" }] });
  assert.equal(state.revision, 3);
  assert.equal(accept(state, 0), null);
});

test("frames and times agree at every frame of exact and odd rates", () => {
  for (const fps of [30000 / 1001, 25, 10, 240]) {
    for (let frame = 0; frame < 20000; frame += 7) {
      assert.equal(frameOfStamp(frame / fps, fps), frame);
      assert.equal(frameOfClock((frame + 0.5) / fps, fps), frame);
      assert.equal(frameOfClock(Math.round((frame / fps) * 1e6) / 1e6, fps), frame);
    }
  }
});

test("speeds go from a tenth to four times, one at a time, and stay there", () => {
  assert.deepEqual([SPEEDS[0], SPEEDS.at(-1)], [0.1, 4]);
  let speed = 1;
  for (let i = 0; i < 20; i++) speed = nextSpeed(speed, 1);
  assert.equal(speed, 4);
  for (let i = 0; i < 20; i++) speed = nextSpeed(speed, -1);
  assert.equal(speed, 0.1);
});

test("times and shares as people read them", () => {
  assert.equal(clock(59.999), "1:00");
  assert.equal(clock(59.994, 2), "0:59.99");
  assert.equal(clock(59.996, 2), "1:00.00");
  assert.equal(clock(3754), "1:02:34");
  assert.equal(clock(7), "0:07");
  assert.equal(percent(0), "0 %");
  assert.equal(percent(null), "");
});

test("a curve fills its box, with gaps left out", () => {
  assert.equal(polyline([2, 1, 0], 10, 4), "0,0 5,2 10,4");
  assert.equal(polyline([1, NaN, 1], 10, 4), "0,2 10,2");
  assert.equal(polyline([3], 10, 4), "0,2");
  const curve = [{ epoch: 1, loss: 2 }, { epoch: 2, loss: 1, f1: 0.5 }];
  assert.deepEqual(series(curve).map((each) => each.name), ["loss", "f1"]);
});

test("the comparison shows both bundles, the difference and its interval", () => {
  const rows = comparedRows({ a: { "f1@50": 40, acc: 70.04 }, b: { "f1@50": 45.5, acc: 69 }, difference: { "f1@50": 5.5, acc: -1.04 },
    intervals: { "f1@50": [-0.5, 11] } });
  assert.deepEqual(rows, [["F1@50", "40.0", "45.5", "+5.5 (−0.5 to +11.0)"], ["Accuracy", "70.0", "69.0", "−1.0"]]);
});

test("no module writes HTML, a style attribute, or is longer than 300 lines", () => {
  const page = new URL("../../../src/keyseg/studio/page/", import.meta.url);
  for (const file of ["main", "api", "library", "player", "session", "sessions", "keys", "classes", "jobs", "curves", "disputes", "files", "dialogs", "workbench", "commands", "toolbars", "elements", "icons", "thumbnails"]) {
    const text = readFileSync(new URL(`${file}.js`, page), "utf8");
    assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|style:|https?:\/\/(?!www\.w3\.org)/, file);
    assert(text.split("\n").length <= 300, file);
  }
  const html = readFileSync(new URL("index.html", page), "utf8");
  assert.doesNotMatch(html, /\son\w+=|style=|<script>|<style|https?:/);
});
