/** The signs on buttons, drawn as lines in a square of 24. */

import { drawing } from "./elements.js";

const PATHS = {
  play: "M7 4.5v15l12-7.5z",
  pause: "M8 5v14M16 5v14",
  "frame-back": "M15 6l-6 6 6 6",
  "frame-on": "M9 6l6 6-6 6",
  "previous-segment": "M6 5v14M18 6l-8 6 8 6z",
  "next-segment": "M18 5v14M6 6l8 6-8 6z",
  "next-uncertain": "M9 9a3 3 0 1 1 4.2 2.7c-.8.4-1.2 1-1.2 1.8v.5M12 17.6v.4M3 12a9 9 0 1 0 18 0a9 9 0 1 0-18 0",
  loop: "M4 11a5 5 0 0 1 5-5h9l-3-3M20 13a5 5 0 0 1-5 5H6l3 3",
  undo: "M8 5L4 9l4 4M4 9h9.500a5.500 5.500 0 0 1 0 11H10",
  redo: "M16 5l4 4-4 4M20 9h-9.500a5.500 5.500 0 0 0 0 11H14",
  split: "M12 3v18M9 8l-5 4 5 4M15 8l5 4-5 4",
  merge: "M12 3v5M12 16v5M3 12h6l-3-3M9 12l-3 3M21 12h-6l3-3M15 12l3 3",
  insert: "M12 6v12M6 12h12",
  delete: "M5 7h14M10 7V4.500h4V7M7 7l1 13h8l1-13",
  accept: "M5 12.500l4.500 4.500L19 7.500",
  copy: "M8 8h11v12H8zM5 16V4h11",
  "label-by-name": "M4 5h8l8 8-7 7-8-8zM8 9v.2",
  "zoom-in": "M10.500 4a6.500 6.500 0 1 0 0 13a6.500 6.500 0 1 0 0-13M15.500 15.500L21 21M7.500 10.500h6M10.500 7.500v6",
  "zoom-out": "M10.500 4a6.500 6.500 0 1 0 0 13a6.500 6.500 0 1 0 0-13M15.500 15.500L21 21M7.500 10.500h6",
  "zoom-all": "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  "start-here": "M8 4v16M8 12h12M16 8l4 4-4 4",
  "end-here": "M16 4v16M16 12H4M8 8l-4 4 4 4",
  sun: "M12 8a4 4 0 1 0 0 8a4 4 0 1 0 0-8M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.400 1.400M17.600 17.600L19 19M5 19l1.400-1.400M17.600 6.400L19 5",
  moon: "M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500z",
};

/** A sign by the name of its command. */
export function icon(name) {
  return drawing("svg", { viewBox: "0 0 24 24", class: "sign", "aria-hidden": "true" }, drawing("path", { d: PATHS[name] }));
}
