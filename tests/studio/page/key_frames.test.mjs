import assert from "node:assert/strict";
import test from "node:test";
import { spread } from "../../../src/keyseg/studio/page/key_frames.js";

test("the parts cover the view, are as wide as a picture at least, and less than two pictures wide", () => {
  for (const [from, to, frames, pixels] of [[0, 100, 100, 1000], [12.5, 40, 720000, 640], [0, 720000, 720000, 1300], [719000, 720000, 720000, 375]]) {
    const { step, parts } = spread({ from, to }, frames, pixels);
    const width = (step / (to - from)) * pixels;
    assert.ok(width >= 84 && (width < 168 || step === 1), `${width}`);
    assert.ok(parts[0] <= from && parts[0] + step > from);
    assert.ok(parts.at(-1) < Math.min(to, frames) && parts.at(-1) + step >= Math.min(to, frames));
    parts.forEach((part, index) => assert.equal(part, parts[0] + index * step));
  }
});

test("panning keeps the parts that stay in view", () => {
  const before = spread({ from: 100, to: 1100 }, 5000, 900);
  const after = spread({ from: 350, to: 1350 }, 5000, 900);
  assert.equal(after.step, before.step);
  const kept = after.parts.filter((part) => before.parts.includes(part));
  assert.ok(kept.length >= before.parts.length - 4);
});

test("a single frame is one part", () => {
  assert.deepEqual(spread({ from: 0, to: 1 }, 1, 800), { step: 1, parts: [0] });
});
