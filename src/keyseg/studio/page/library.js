/** The list of videos: what to check first, search, states, and the selection that jobs are given. */

import { ofVideo } from "./api.js";
import { button, byId, counted, element, percent } from "./elements.js";
import { Thumbnails } from "./thumbnails.js";
import { clock } from "./times.js";

export const STATES = ["predicted", "unlabelled", "corrected", "checked"];
const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const byName = (one, other) => collator.compare(one.name, other.name);
const last = (number) => number ?? Infinity;

const ORDERS = {
  priority: (one, other) => difference(last(one.priority), last(other.priority)) || byState(one, other),
  name: byName,
  state: (one, other) => byState(one, other),
  confidence: (one, other) => difference(last(one.confidence), last(other.confidence)) || byName(one, other),
};

const difference = (one, other) => (one === other ? 0 : one - other);

function byState(one, other) {
  return STATES.indexOf(one.state) - STATES.indexOf(other.state)
    || difference(last(one.confidence), last(other.confidence)) || byName(one, other);
}

/** The videos in an order: "priority", "name", "state" or "confidence" (the lowest first). */
export function ordered(videos, order) {
  return [...videos].sort(ORDERS[order]);
}

/** The videos whose name has all words of the search, in a state (null for any). */
export function matching(videos, search, state = null) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return videos.filter((video) =>
    (!state || video.state === state) && words.every((word) => video.name.toLowerCase().includes(word)));
}

/** Events: `selection` when other videos are selected. */
export class Library extends EventTarget {
  constructor() {
    super();
    Object.assign(this, { videos: [], shown: [], state: null, rows: new Map(), selected: new Set(), current: null });
    this.thumbnails = new Thumbnails();
    this.host = byId("videos");
    this.search = byId("search");
    this.order = byId("sort");
    this.search.addEventListener("input", () => this.#arrange());
    this.order.addEventListener("change", () => this.#arrange());
    this.all = element("input", { type: "checkbox", "aria-label": "Select all videos shown", onchange: () => this.selectAll() });
    this.header = element("div", { class: "video header", role: "row" },
      ...[this.all, "", "Video", "Length", "State", "Confidence", "Next"].map((title) =>
        element("span", { role: "columnheader" }, title)));
    this.body = element("div", { role: "rowgroup" });
    this.host.append(element("div", { role: "rowgroup" }, this.header), this.body);
  }

  /** @param {object[]} videos of the server's library */
  show(videos) {
    this.videos = videos;
    const ids = new Set(videos.map(({ id }) => id));
    for (const id of this.rows.keys()) if (!ids.has(id)) this.rows.delete(id);
    for (const id of this.selected) if (!ids.has(id)) this.selected.delete(id);
    for (const video of videos) this.#fill(video);
    this.#arrange();
    this.#tellSelection();
  }

  /** The video `way` places after the one with this id, in the order shown; undefined at the end. */
  neighbour(id, way) {
    const at = this.shown.findIndex((video) => video.id === id);
    return at < 0 ? this.shown[0] : this.shown[at + way];
  }

  /** The one to check next: the first by priority that is not checked, other than `id`. */
  next(id = null) {
    return ordered(this.videos, "priority").find((video) => video.state !== "checked" && video.id !== id && video.frames && !video.missing);
  }

  /** Move the focus among the rows. */
  move(way) {
    const video = this.current ? this.neighbour(this.current, way) : this.shown[0];
    if (video) this.focus(video.id);
  }

  /** Show or hide the list. */
  reveal(shown) {
    byId("library").hidden = !shown;
    this.thumbnails.hold(!shown);
  }

  focus(id = this.current) {
    const row = this.rows.get(id) ?? this.rows.get(this.shown[0]?.id);
    row?.querySelector("a").focus();
    row?.scrollIntoView({ block: "nearest" });
  }

  toggle(id = this.current ?? this.shown[0]?.id) {
    if (!this.rows.has(id)) return;
    if (!this.selected.delete(id)) this.selected.add(id);
    this.#tellSelection();
  }

  /** Select all that are shown, or none if they are. */
  selectAll() {
    const every = this.shown.every(({ id }) => this.selected.has(id));
    for (const { id } of this.shown) every ? this.selected.delete(id) : this.selected.add(id);
    this.#tellSelection();
  }

  #fill(video) {
    const row = this.rows.get(video.id) ?? this.#made(video.id);
    const shown = JSON.stringify(video);
    if (row.dataset.shown === shown) return;
    row.dataset.shown = shown;
    const [pick, , name, length, state, confidence, next] = row.children;
    const link = name.firstChild;
    link.textContent = video.name;
    pick.firstChild.setAttribute("aria-label", `Select ${video.name}`);
    link.title = video.error ? `${video.name}: ${video.error}` : video.name;
    length.textContent = video.frames ? clock(video.seconds) : "";
    state.replaceChildren(badge(video));
    confidence.replaceChildren(...bar(video.confidence));
    next.textContent = video.priority ?? "";
    row.classList.toggle("missing", Boolean(video.missing));
  }

  #made(id) {
    const cell = (name, ...children) => element("span", { class: name, role: "cell" }, ...children);
    const box = element("input", { type: "checkbox", onclick: (event) => this.#picked(id, event) });
    const picture = element("img", { decoding: "async", alt: "", width: 80, height: 45,
      "data-src": `/api/${ofVideo(id, "thumbnail")}`, onerror: (event) => event.target.classList.add("none") });
    const link = element("a", { href: `#/video/${encodeURIComponent(id)}`, onfocus: () => { this.current = id; } });
    const row = element("div", { class: "video", role: "row" }, cell("pick", box), cell("picture", picture), cell("name", link),
      cell("length"), cell("of-state"), cell("confidence"), cell("next"));
    row.addEventListener("click", (event) => { if (!event.target.closest("a, input")) link.click(); });
    this.thumbnails.watch(picture);
    this.rows.set(id, row);
    return row;
  }

  #picked(id, event) {
    const from = this.shown.findIndex((video) => video.id === this.picked);
    const to = this.shown.findIndex((video) => video.id === id);
    const range = event.shiftKey && from >= 0 ? this.shown.slice(Math.min(from, to), Math.max(from, to) + 1) : [{ id }];
    for (const each of range) event.target.checked ? this.selected.add(each.id) : this.selected.delete(each.id);
    this.picked = id;
    this.#tellSelection();
  }

  #arrange() {
    const found = matching(this.videos, this.search.value);
    this.shown = ordered(matching(found, "", this.state), this.order.value);
    const rows = this.shown.map(({ id }) => this.rows.get(id));
    const { children } = this.body;
    const same = rows.length === children.length && rows.every((row, at) => row === children[at]);
    if (!same) this.body.replaceChildren(...rows); // a row that is taken out loses the focus, and a click under way
    const states = byId("states");
    const choices = [null, ...STATES].map((state) => {
      const number = state ? found.filter((video) => video.state === state).length : found.length;
      return button(`${state ?? "all"} ${number}`, () => { this.state = state; this.#arrange(); },
        { "aria-pressed": String(this.state === state) });
    });
    const focused = [...states.children].indexOf(document.activeElement);
    states.replaceChildren(...choices);
    states.children[focused]?.focus();
    const empty = byId("library-empty");
    empty.hidden = this.shown.length > 0;
    empty.textContent = this.videos.length ? "No video matches." : "No videos yet. Put video files into the folder; they appear here.";
    this.host.hidden = !this.shown.length;
  }

  #tellSelection() {
    for (const [id, row] of this.rows) {
      const selected = this.selected.has(id);
      row.firstChild.firstChild.checked = selected;
      row.classList.toggle("selected", selected);
    }
    const every = this.shown.length > 0 && this.shown.every(({ id }) => this.selected.has(id));
    this.all.checked = every;
    this.all.indeterminate = !every && this.selected.size > 0;
    this.dispatchEvent(new CustomEvent("selection", { detail: { text: counted(this.selected.size, "video") } }));
  }
}

/** The state of a video as a small label. */
export function badge(video) {
  const text = video.missing ? "missing" : !video.frames ? "unreadable" : video.proxy === "making" ? "converting" : video.state;
  return element("span", { class: `state ${text}`, title: video.error || null }, text);
}

function bar(confidence) {
  if (confidence === null || confidence === undefined) return [];
  return [element("meter", { min: 0, max: 1, low: 0.6, high: 0.8, optimum: 1, value: confidence, "aria-hidden": "true" }), percent(confidence)];
}
