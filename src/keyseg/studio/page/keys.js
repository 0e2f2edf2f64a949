/** The keyboard: one table of commands, from which the keys are bound and the `?` sheet is made. */

import { element } from "./elements.js";

const video = "video";
const library = "library";
const both = "everywhere";

/**
 * Every command: where it works, its keys as `name` writes them, and what it does in words.
 * @type {{id: string, where: string, group: string, keys: string[], title: string, repeats?: boolean}[]}
 */
export const COMMANDS = [
  { id: "play", where: video, group: "Playing", keys: ["Space", "k"], title: "Play or pause" },
  { id: "frame-back", where: video, group: "Playing", keys: ["ArrowLeft"], title: "One frame back", repeats: true },
  { id: "frame-on", where: video, group: "Playing", keys: ["ArrowRight"], title: "One frame on", repeats: true },
  { id: "second-back", where: video, group: "Playing", keys: ["Shift+ArrowLeft"], title: "One second back", repeats: true },
  { id: "second-on", where: video, group: "Playing", keys: ["Shift+ArrowRight"], title: "One second on", repeats: true },
  { id: "to-start", where: video, group: "Playing", keys: ["Home"], title: "To the start of the video" },
  { id: "to-end", where: video, group: "Playing", keys: ["End"], title: "To the end of the video" },
  { id: "slower", where: video, group: "Playing", keys: [","], title: "Play more slowly" },
  { id: "faster", where: video, group: "Playing", keys: ["."], title: "Play faster" },
  { id: "loop", where: video, group: "Playing", keys: ["l"], title: "Loop the segment, or stop looping" },

  { id: "previous-segment", where: video, group: "Finding", keys: ["ArrowUp"], title: "Previous segment", repeats: true },
  { id: "next-segment", where: video, group: "Finding", keys: ["ArrowDown"], title: "Next segment", repeats: true },
  { id: "next-uncertain", where: video, group: "Finding", keys: ["u"], title: "Least certain segment not yet seen" },
  { id: "zoom-in", where: video, group: "Finding", keys: ["+", "="], title: "Zoom in", repeats: true },
  { id: "zoom-out", where: video, group: "Finding", keys: ["-"], title: "Zoom out", repeats: true },
  { id: "zoom-all", where: video, group: "Finding", keys: ["f"], title: "Show the whole video" },

  { id: "copy", where: video, group: "Correcting", keys: ["c"], title: "Start the correction from the prediction or proposal" },
  { id: "label", where: video, group: "Correcting", keys: ["1-9"], title: "Label the segment with class 1 to 9" },
  { id: "label-by-name", where: video, group: "Correcting", keys: ["t"], title: "Label the segment by typing a name" },
  { id: "accept", where: video, group: "Correcting", keys: ["a"], title: "Accept the segment as right, to the next uncertain one" },
  { id: "split", where: video, group: "Correcting", keys: ["s"], title: "Split the segment at the playhead" },
  { id: "merge", where: video, group: "Correcting", keys: ["m"], title: "Merge the segment with the next one" },
  { id: "start-here", where: video, group: "Correcting", keys: ["["], title: "Let the segment start at the playhead" },
  { id: "end-here", where: video, group: "Correcting", keys: ["]"], title: "Let the segment end at the playhead" },
  { id: "insert", where: video, group: "Correcting", keys: ["i"], title: "Insert a segment at the playhead" },
  { id: "delete", where: video, group: "Correcting", keys: ["Delete", "Backspace"], title: "Delete the segment" },
  { id: "undo", where: video, group: "Correcting", keys: ["Mod+z"], title: "Undo", repeats: true },
  { id: "redo", where: video, group: "Correcting", keys: ["Mod+Shift+z", "Mod+y"], title: "Redo", repeats: true },
  { id: "new-class", where: video, group: "Correcting", keys: ["n"], title: "New class" },

  { id: "checked", where: video, group: "Videos", keys: ["d"], title: "Mark as checked, to the next video" },
  { id: "unchecked", where: video, group: "Videos", keys: ["Shift+d"], title: "Mark as not checked" },
  { id: "next-video", where: video, group: "Videos", keys: ["PageDown"], title: "Next video of the list" },
  { id: "previous-video", where: video, group: "Videos", keys: ["PageUp"], title: "Previous video of the list" },
  { id: "to-library", where: video, group: "Videos", keys: ["Escape"], title: "Back to the list" },

  { id: "row-down", where: library, group: "The list", keys: ["ArrowDown"], title: "Next video", repeats: true },
  { id: "row-up", where: library, group: "The list", keys: ["ArrowUp"], title: "Previous video", repeats: true },
  { id: "open", where: library, group: "The list", keys: ["Enter"], title: "Open the video" },
  { id: "select", where: library, group: "The list", keys: ["x"], title: "Select the video, or not" },
  { id: "select-all", where: library, group: "The list", keys: ["Shift+x"], title: "Select all videos shown, or none" },
  { id: "search", where: library, group: "The list", keys: ["/"], title: "Search" },

  { id: "predict", where: both, group: "Everywhere", keys: ["p"], title: "Predict this video, or the selected ones" },
  { id: "jobs", where: both, group: "Everywhere", keys: ["j"], title: "Show or hide the jobs" },
  { id: "export", where: both, group: "Everywhere", keys: ["e"], title: "Export" },
  { id: "import", where: both, group: "Everywhere", keys: ["Shift+i"], title: "Import annotations" },
  { id: "theme", where: both, group: "Everywhere", keys: ["Shift+t"], title: "Light or dark" },
  { id: "keys", where: both, group: "Everywhere", keys: ["?"], title: "This sheet" },
];

const SYMBOLS = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", PageDown: "Page down", PageUp: "Page up" };

/** What a key event is called in the table: "Shift+ArrowLeft", "Mod+z" (Ctrl, or the command key), "?". */
export function name(event) {
  const { key } = event;
  const plain = key === " " ? "Space" : key.length === 1 ? key.toLowerCase() : key;
  const letter = key.length > 1 || key.toLowerCase() !== key.toUpperCase();
  // A sign such as ? needs Shift on one keyboard and not on another.
  return `${event.ctrlKey || event.metaKey ? "Mod+" : ""}${event.shiftKey && letter ? "Shift+" : ""}${plain}`;
}

/** The command of a key in a place ("video" or "library"), with the digit of `1-9`; undefined if there is none. */
export function commandOf(key, place) {
  const wanted = /^[1-9]$/.test(key) ? "1-9" : key;
  return COMMANDS.find(({ keys, where }) => keys.includes(wanted) && (where === place || where === both));
}

/** The sheet as groups of commands, in the order of the table. */
export function sheet(commands = COMMANDS) {
  const groups = new Map();
  for (const command of commands) groups.set(command.group, [...(groups.get(command.group) ?? []), command]);
  return [...groups].map(([group, members]) => ({ group, members }));
}

/** A key as people know it: "Shift ←". */
export function shown(key) {
  const parts = key === "+" ? ["+"] : key.split("+");
  const mod = globalThis.navigator?.platform?.startsWith("Mac") ? "⌘" : "Ctrl";
  return parts.map((part) => SYMBOLS[part] ?? (part === "Mod" ? mod : part.length === 1 ? part.toUpperCase() : part)).join(" ");
}

/** The text of a tooltip: the command in words and its first key. */
export function hint(id) {
  const command = COMMANDS.find((each) => each.id === id);
  return `${command.title} (${shown(command.keys[0])})`;
}

/** The content of the sheet. */
export function drawnSheet() {
  const keysOf = ({ keys }) => keys.flatMap((key, i) => [i ? " or " : "", element("kbd", {}, shown(key))]);
  return sheet().map(({ group, members }) =>
    element("section", {}, element("h3", {}, group),
      element("dl", {}, ...members.flatMap((command) => [
        element("dt", {}, ...keysOf(command)), element("dd", {}, command.title)]))));
}

const TYPING = "input:not([type=checkbox]):not([type=range]):not([type=color]), textarea, select, [contenteditable]";
const PRESSES = { Space: "button, a, summary, input[type=checkbox]", Enter: "button, a, summary, select" };

/** Whether the focused element needs this key for itself, as a text field needs letters. */
export function taken(key, target) {
  if (!target?.closest) return false;
  if (target.closest("dialog[open]") || target.closest(TYPING)) return true;
  if (target.closest("input[type=range]") && /^(Arrow|Home|End|Page)/.test(key)) return true;
  return Boolean(PRESSES[key] && target.closest(PRESSES[key]));
}

/**
 * Bind the keys. `run(id, digit)` is called for each command.
 * @param {() => string} place "video" or "library"
 * @param {(id: string, digit: number) => void} run
 */
export function bind(place, run) {
  document.addEventListener("keydown", (event) => {
    const key = name(event);
    if (event.altKey || event.defaultPrevented || document.querySelector("dialog[open]") || taken(key, event.target)) return;
    const command = commandOf(key, place());
    if (!command || (event.repeat && !command.repeats)) return;
    event.preventDefault();
    run(command.id, Number(key));
  });
}
