/** The index that rows are drawn from, compared with summing over every frame. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { blend, indexed, reduced, visible } from "../../../src/keyseg/studio/page/columns.js";
import { drawn, random } from "./drawn.mjs";

const RGB = { a: [255, 0, 0], b: [0, 255, 0], c: [0, 0, 255], d: [200, 100, 50] };
const index = (segments) => indexed(segments, (label) => ({ rgb: RGB[label] }));

test("the visible segments are those that overlap the view", () => {
  const next = random(4);
  for (let round = 0; round < 300; round += 1) {
    const segments = drawn(next, 90, 8);
    const from = next(80) + next(10) / 10;
    const view = { from, to: from + 1 + next(20) };
    const [first, last] = visible(index(segments), view);
    const expected = segments.filter((segment) => segment.end_frame > view.from && segment.start_frame < view.to);
    assert.deepEqual(segments.slice(first, last), expected);
  }
});

test("a pixel is the mean colour of its frames, and as opaque as they are labelled", () => {
  const next = random(6);
  for (let round = 0; round < 100; round += 1) {
    const segments = drawn(next, 200, 20);
    const pixels = new Uint8ClampedArray(4 * 20).fill(7);
    assert.deepEqual(blend(index(segments), { from: 0, to: 200 }, pixels, Infinity), []);
    for (let column = 0; column < 20; column += 1) {
      const inside = [];
      for (let frame = 10 * column; frame < 10 * column + 10; frame += 1) {
        const segment = segments.find((one) => one.start_frame <= frame && frame < one.end_frame);
        if (segment) inside.push(RGB[segment.label]);
      }
      const mean = (channel) => inside.reduce((sum, rgb) => sum + rgb[channel], 0) / (inside.length || 1);
      const expected = [mean(0), mean(1), mean(2), (255 * inside.length) / 10];
      const differences = expected.map((value, channel) => Math.abs(pixels[4 * column + channel] - value));
      assert(Math.max(...differences) <= 1, `round ${round}, column ${column}`);
    }
  }
});

test("wide segments are left to be drawn one by one", () => {
  const segments = [
    { start_frame: 0, end_frame: 10, label: "a" },
    { start_frame: 10, end_frame: 12, label: "b" },
    { start_frame: 12, end_frame: 60, label: "c" },
    { start_frame: 60, end_frame: 63, label: "d" },
  ];
  const pixels = new Uint8ClampedArray(4 * 100);
  assert.deepEqual(blend(index(segments), { from: 0, to: 100 }, pixels, 3), [0, 2, 3]);
  assert.deepEqual([...pixels.slice(4 * 9, 4 * 13)], [0, 0, 0, 0, 0, 255, 0, 255, 0, 255, 0, 255, 0, 0, 0, 0]);
});

test("values are reduced to one per pixel, in any view", () => {
  const values = [1, 9, 3, 4, 5, 2, 7, 8];
  assert.deepEqual([...reduced(values, 80, { from: 0, to: 80 }, 4, Math.max)], [9, 4, 5, 8]);
  assert.deepEqual([...reduced(values, 80, { from: 0, to: 80 }, 4, Math.min)], [1, 3, 2, 7]);
  assert.deepEqual([...reduced(values, 80, { from: 10, to: 20 }, 3, Math.max)], [9, 9, 9]);
  assert.deepEqual([...reduced([], 80, { from: 0, to: 80 }, 2, Math.max)], [NaN, NaN]);
});
