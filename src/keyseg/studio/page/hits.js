/** What lies under the pointer. */

import { indexAt } from "./edits.js";

/**
 * @typedef {{area: string|null, row: string|null, editable: boolean, frame: number, index: number|null,
 *   gap?: [number, number], edge?: "start"|"end", at?: number}} Hit
 *   area: the kind of band; index: of the segment; gap: the frames around if there is none; edge: the edge of `index`
 *   that can be caught, which is at frame `at`
 *
 * @param {{bands: object[], view: {from: number, to: number}, width: number, frames: number}} drawn
 * @param {number} reach pixels around an edge where it can be caught
 * @returns {Hit}
 */
export function hitAt({ bands, view, width, frames }, x, y, reach) {
  const band = bands.find((band) => y >= band.y - (band.caption ? 14 : 5) && y <= band.y + band.height + 5);
  const scale = width / (view.to - view.from);
  const frame = view.from + x / scale;
  const row = band?.kind === "row" ? band.row : null;
  const editable = Boolean(row?.editable);
  const hit = { area: band?.kind ?? null, row: row?.name ?? null, editable, frame, index: null };
  if (!row) return hit;
  const { segments } = row;
  const at = indexAt(segments, frame);
  if (segments[at]?.start_frame <= frame) hit.index = at;
  else hit.gap = [segments[at - 1]?.end_frame ?? 0, segments[at]?.start_frame ?? frames];
  return editable ? { ...hit, ...edgeAt(segments, hit, at, reach / scale) } : hit;
}

/** The edge that can be caught. At most a third of a segment or gap is edge, so that its middle stays free. */
function edgeAt(segments, { frame, gap }, at, reach) {
  const [start, end] = gap ?? [segments[at].start_frame, segments[at].end_frame];
  const limit = Math.min(reach, (end - start) / 3);
  const [atStart, atEnd] = [frame - start <= limit, end - frame <= limit];
  if (gap) {
    if (atStart && segments[at - 1]) return { index: at - 1, edge: "end", at: start };
    return atEnd && segments[at] ? { index: at, edge: "start", at: end } : {};
  }
  if (atStart) return { edge: "start", at: start };
  return atEnd ? { edge: "end", at: end } : {};
}
