/** Prints random edits, one JSON object per line, for the server's side to apply as well. */

import { openRow } from "../../../src/keyseg/studio/page/edits.js";
import { anyEdit, drawn, random } from "./drawn.mjs";

const FRAMES = 60;

for (let seed = 1; seed <= 40; seed += 1) {
  const next = random(seed);
  let state = openRow({ segments: drawn(next, FRAMES, 6) }, FRAMES);
  for (let step = 0; step < 20; step += 1) {
    const result = anyEdit(state, next);
    if (!result) continue;
    const [before, after] = [state.segments, result.state.segments];
    console.log(JSON.stringify({ frames: FRAMES, before, splice: result.splice, after }));
    state = result.state;
  }
}
