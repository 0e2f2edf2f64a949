/** The curves of a training, and its scores beside those of the former bundle. */

import { counted, drawing, element } from "./elements.js";

const [WIDTH, HEIGHT] = [260, 48];
const TITLES = { "f1@10": "F1@10", "f1@25": "F1@25", "f1@50": "F1@50", edit: "Edit", acc: "Accuracy" };

/** Points of a curve, "x,y x,y ...", scaled to a box. @param {number[]} values */
export function polyline(values, width, height) {
  const finite = values.filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const across = values.length > 1 ? width / (values.length - 1) : 0;
  const y = (value) => (high > low ? height - ((value - low) / (high - low)) * height : height / 2);
  return values.flatMap((value, i) => (Number.isFinite(value) ? [`${round(i * across)},${round(y(value))}`] : [])).join(" ");
}

const round = (number) => Math.round(number * 10) / 10;

/** Series of a curve [{epoch, loss, ...}], by name: every number but the epoch. */
export function series(curve) {
  const names = [...new Set(curve.flatMap(Object.keys))].filter((name) => name !== "epoch");
  return names.map((name) => ({ name, values: curve.map((point) => point[name] ?? NaN) }))
    .filter(({ values }) => values.some(Number.isFinite));
}

/** One small drawing for each series of a curve. @param {object[]} curve */
export function curves(curve) {
  const drawn = series(curve).slice(0, 6).map(({ name, values }) => {
    const now = values.findLast(Number.isFinite).toPrecision(3);
    return element("figure", { class: "curve" },
      drawing("svg", { viewBox: `0 -2 ${WIDTH} ${HEIGHT + 4}`, preserveAspectRatio: "none", role: "img",
        "aria-label": `${name} over ${counted(values.length, "epoch")}, now ${now}` },
      drawing("polyline", { points: polyline(values, WIDTH, HEIGHT), "vector-effect": "non-scaling-stroke" })),
      element("figcaption", {}, element("span", {}, name), element("b", {}, now)));
  });
  return element("div", { class: "curves" }, ...drawn);
}

/** Rows of a table: [title, former, new, difference with its interval], of the scores that both have, in percent. */
export function comparedRows({ a, b, difference, intervals = {} }) {
  const number = (value) => value.toFixed(1);
  const signed = (value) => `${value < 0 ? "−" : "+"}${number(Math.abs(value))}`;
  return Object.keys(TITLES).filter((key) => key in a && key in b).map((key) => [TITLES[key], number(a[key]), number(b[key]),
    signed(difference[key]) + (intervals[key] ? ` (${intervals[key].map(signed).join(" to ")})` : "")]);
}

/** The scores of a training on the held-out videos. @param {object} result of the job */
export function scores({ comparison, scores: found, held_out: videos = [], rule }) {
  const on = element("p", { class: "hint", title: rule }, `On ${counted(videos.length, "held-out video")}, with the 95 % interval of the difference`);
  const row = (cells, tag = "td") => element("tr", {}, ...cells.map((cell, i) => element(i ? tag : "th", { scope: i ? null : "row" }, cell)));
  if (comparison) {
    return element("div", { class: "comparison" }, on,
      element("table", {}, element("thead", {}, row(["", "Former", "New", "Difference"], "th")), element("tbody", {}, ...comparedRows(comparison).map((cells) => row(cells)))));
  }
  const alone = Object.entries(found?.new ?? {}).filter(([key]) => key in TITLES).map(([key, value]) => row([TITLES[key], value.toFixed(1)]));
  return element("div", { class: "comparison" }, element("p", { class: "hint" }, `The first bundle, on ${counted(videos.length, "held-out video")}`),
    element("table", {}, element("tbody", {}, ...alone)));
}
