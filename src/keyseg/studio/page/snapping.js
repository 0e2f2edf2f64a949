/** Where a dragged boundary goes: to a whole frame, or to a keypoint, another row's cut or the playhead nearby. */

/** Frames to snap to, in order and once each: the other rows' cuts and the boundary keypoints of predictions. */
export function snapTargets(rows, edited) {
  const frames = new Set();
  for (const row of rows) {
    for (const frame of row.details?.boundaries ?? []) frames.add(Math.round(frame));
    if (row.name === edited) continue;
    for (const segment of row.segments) frames.add(segment.start_frame).add(segment.end_frame);
  }
  return Int32Array.from(frames).sort();
}

/** The nearest of sorted frames, by halving; null if there are none. The earlier one of two equally near. */
export function nearest(sorted, frame) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < frame) low = middle + 1;
    else high = middle;
  }
  const [before, after] = [sorted[low - 1], sorted[low]];
  if (before === undefined) return after ?? null;
  if (after === undefined) return before;
  return frame - before <= after - frame ? before : after;
}

/**
 * The frame where a boundary goes that is dragged to `frame` (with fractions).
 * @param {{targets: Int32Array, playhead: number|null, reach: number}} to reach: frames, 0 snaps to whole frames alone.
 * @returns {{frame: number, snapped: boolean}}
 */
export function snap(frame, { targets, playhead = null, reach }) {
  let best = null;
  for (const target of [nearest(targets, frame), playhead]) {
    if (target === null || Math.abs(target - frame) > reach) continue;
    if (best === null || Math.abs(target - frame) < Math.abs(best - frame)) best = target;
  }
  return best === null ? { frame: Math.round(frame), snapped: false } : { frame: Math.round(best), snapped: reach > 0 };
}
