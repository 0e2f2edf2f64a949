/** The classes: their palette with the number keys, choosing one by typing, new ones, new names and colours. */

import { patch, post } from "./api.js";
import { nextColour } from "./colours.js";
import { ask, attempt, field } from "./dialogs.js";
import { button, element } from "./elements.js";
import { hint } from "./keys.js";

/** The classes that fit what was typed: those that begin with it, those with a word that does, those that contain it. */
export function suggestions(classes, typed) {
  const wanted = typed.trim().toLowerCase();
  const rank = ({ name }) => {
    const lower = name.toLowerCase();
    if (lower.startsWith(wanted)) return 0;
    if (lower.split(/[\s_-]+/).some((word) => word.startsWith(wanted))) return 1;
    return lower.includes(wanted) ? 2 : 3;
  };
  return classes.filter((each) => rank(each) < 3).sort((one, other) => rank(one) - rank(other));
}

/** A square in a class's colour. */
export function swatch(colour) {
  const square = element("span", { class: "swatch", "aria-hidden": "true" });
  square.style.backgroundColor = colour;
  return square;
}

/** Draw the palette. `use(name)` labels the selected segment; `changed()` is called after a change of the classes. */
export function showPalette(host, classes, { use, changed, author, counts }) {
  const rows = classes.map((each, i) =>
    element("li", {},
      element("button", { type: "button", class: "class", onclick: () => use(each.name), title: each.name },
        i < 9 ? element("kbd", {}, String(i + 1)) : element("span", { class: "nokey" }),
        swatch(each.colour), element("span", { class: "class-name" }, each.name),
        element("span", { class: "count" }, String(counts.get(each.name) ?? ""))),
      button("…", () => changeClass(each, author).then((done) => done && changed()),
        { class: "quiet icon more", "aria-label": `Change class ${each.name}`, title: "Name and colour" })));
  const add = button("+ New class", () => newClass(classes).then((name) => name && changed()), { class: "quiet add", title: hint("new-class") });
  host.replaceChildren(element("h2", {}, "Classes"),
    rows.length ? element("ol", {}, ...rows) : element("p", { class: "empty" }, "No classes yet."), add);
}

/** Ask for a new class and save it. Returns its name, or null. */
export async function newClass(classes, proposed = "") {
  const name = element("input", { type: "text", value: proposed, required: true, maxLength: 200, autocomplete: "off" });
  const colour = element("input", { type: "color", value: nextColour(classes) });
  const answer = await ask("New class", [field("Name", name), field("Colour", colour)],
    [{ text: "Add", value: "add", primary: true }, { text: "Cancel", value: "" }]);
  const wanted = name.value.trim();
  if (answer !== "add" || !wanted) return null;
  const made = await attempt(() => post("classes", { name: wanted, colour: colour.value }));
  return made && wanted;
}

/** Ask for another name and colour of a class, in all videos. Returns whether it was changed. */
export async function changeClass({ name: old, colour: oldColour }, author) {
  const name = element("input", { type: "text", value: old, required: true, maxLength: 200, autocomplete: "off" });
  const colour = element("input", { type: "color", value: oldColour });
  const answer = await ask("Change the class", [field("Name", name), field("Colour", colour),
    element("p", { class: "hint" }, "A new name is given to it in all videos.")],
  [{ text: "Save", value: "save", primary: true }, { text: "Cancel", value: "" }]);
  const wanted = name.value.trim();
  if (answer !== "save" || !wanted) return false;
  const change = { author, ...(wanted !== old && { name: wanted }), ...(colour.value !== oldColour && { colour: colour.value }) };
  if (!change.name && !change.colour) return false;
  return Boolean(await attempt(() => patch(`classes/${encodeURIComponent(old)}`, change)));
}

/** Choose a class by typing. Returns its name, of a new one too, or null. */
export async function chooseClass(classes) {
  const input = element("input", { type: "text", role: "combobox", autocomplete: "off", "aria-expanded": "true",
    "aria-controls": "class-options", "aria-label": "Class", spellcheck: false });
  const list = element("ul", { id: "class-options", role: "listbox", class: "options", "aria-label": "Classes" });
  let at = 0;
  let options = [];
  const draw = () => {
    const typed = input.value.trim();
    options = suggestions(classes, typed).slice(0, 50);
    if (typed && !classes.some(({ name }) => name === typed)) options.push({ name: typed, fresh: true });
    at = Math.min(at, Math.max(options.length - 1, 0));
    list.replaceChildren(...options.map((each, i) => element("li", { id: `class-option-${i}`, role: "option",
      "aria-selected": String(i === at), onclick: () => { at = i; list.closest("form").requestSubmit(); } },
    each.fresh ? element("span", { class: "swatch" }) : swatch(each.colour), each.fresh ? `New class “${each.name}”` : each.name)));
    input.setAttribute("aria-activedescendant", options.length ? `class-option-${at}` : "");
    list.children[at]?.scrollIntoView({ block: "nearest" });
  };
  input.addEventListener("input", () => { at = 0; draw(); });
  input.addEventListener("keydown", (event) => {
    const way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!way) return;
    event.preventDefault();
    at = (at + way + options.length) % Math.max(options.length, 1);
    draw();
  });
  draw();
  const answer = await ask("Label the segment", [input, list], [{ text: "Label", value: "label", primary: true }, { text: "Cancel", value: "" }]);
  const chosen = options[at];
  if (answer !== "label" || !chosen) return null;
  return chosen.fresh ? newClass(classes, chosen.name) : chosen.name;
}
