/** The bands of the timeline: where each is, and what it is called. */

export const AXIS = 26; // pixels, as all here
const CAPTION = 17;
export const GAP = 7;
const HEIGHTS = { waveform: 38, confidence: 22, editable: 46, row: 24, overview: 18 };

/**
 * The bands of the timeline from top to bottom, and the height of all.
 * @param {{name: string, editable: boolean, details: object}[]} rows
 */
export function layout(rows, waveform) {
  const bands = [{ kind: "axis", y: 0, height: AXIS, caption: "" }];
  let y = AXIS + 2;
  const add = (kind, height, caption, more = {}) => {
    bands.push({ kind, y: y + (caption ? CAPTION : 0), height, caption, ...more });
    y += (caption ? CAPTION : 0) + height + GAP;
  };
  if (waveform) add("waveform", HEIGHTS.waveform, "Sound");
  const sure = rows.find((row) => row.details?.strip?.length);
  if (sure) add("confidence", HEIGHTS.confidence, "Confidence", { strip: sure.details.strip });
  for (const row of rows) add("row", row.editable ? HEIGHTS.editable : HEIGHTS.row, caption(row.name), { row });
  y += GAP;
  add("overview", HEIGHTS.overview, "", { row: mainRow(rows) });
  return { bands, height: y };
}

/** The row whose segments can be selected: the editable one, else the first. */
export function mainRow(rows) {
  return rows.find((row) => row.editable) ?? rows[0];
}

/** A row's name as people read it: "prediction:rats" is "Prediction · rats". */
export function caption(name) {
  const [kind, ...more] = name.split(":");
  const title = kind.charAt(0).toUpperCase() + kind.slice(1);
  return more.length ? `${title} · ${more.join(":")}` : title;
}
