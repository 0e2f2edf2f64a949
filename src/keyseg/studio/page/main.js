/** The start of the page: the list and the open video, what is shown by the address, the keyboard, the server's news. */

import { get, listen } from "./api.js";
import { ask, attempt, field, notice, tell } from "./dialogs.js";
import { button, byId, counted, element } from "./elements.js";
import { acceptDrops, chooseFiles, exportTimelines } from "./files.js";
import { icon } from "./icons.js";
import { Jobs } from "./jobs.js";
import { bind, drawnSheet, hint } from "./keys.js";
import { Library } from "./library.js";
import { keptKey, leftBehind } from "./session.js";
import { Workbench } from "./workbench.js";

const page = crypto.getRandomValues(new Uint32Array(2)).join("");
const lock = (id) => `keyseg-page-${id}`;
let folder = { folder: "", classes: [], videos: [], bundles: [], formats: [] };

const library = new Library();
const jobs = new Jobs();
const bench = new Workbench({
  author,
  key: (id) => keptKey(folder.folder, id, page),
  leftBehind: takeLeft,
  neighbour: (id, way) => library.neighbour(id, way),
  next: (id) => library.next(id),
  start: (kind, videos) => jobs.start(kind, videos),
});

const videoOfAddress = () => decodeURIComponent(/^#\/video\/(.+)$/.exec(location.hash)?.[1] ?? "");
const place = () => (videoOfAddress() ? "video" : "library");

function author() {
  return localStorage.getItem("keyseg-author") || "";
}

/** The edits of a video that an earlier page kept and did not save; `forget` is called once another has taken them up. */
async function takeLeft(id) {
  const left = leftBehind(localStorage, folder.folder, await openPages()).find(({ video }) => video === id);
  return left && { kept: JSON.parse(localStorage.getItem(left.key)), forget: () => localStorage.removeItem(left.key) };
}

/** Names of the pages that are open: each holds a lock, so that its unsaved edits are not taken for left behind. */
async function openPages() {
  if (!navigator.locks) return new Set([page]); // only on this machine, and over https
  const { held } = await navigator.locks.query();
  return new Set(held.map(({ name }) => name.replace(lock(""), "")));
}

async function load() {
  folder = await get("library");
  byId("folder").textContent = folder.folder;
  byId("folder").title = folder.folder;
  library.show(folder.videos);
  jobs.showBundles(folder.bundles);
  bench.bundles = folder.bundles;
  bench.showClasses(folder.classes);
  const open = folder.videos.find(({ id }) => id === bench.video?.id);
  if (open) bench.showState(open);
}

async function route() {
  const id = videoOfAddress();
  library.reveal(!id);
  byId("workbench").hidden = !id;
  document.body.dataset.place = place();
  if (!id) {
    const last = bench.video?.id;
    bench.close();
    document.title = `${folder.folder} – keyseg studio`;
    showSaving();
    if (last) library.focus(last);
    return;
  }
  library.current = id;
  const opened = await attempt(() => bench.open(id).then(() => true));
  if (!opened && videoOfAddress() === id) location.hash = "#/";
}

const SAVING = {
  saved: () => "All saved",
  saving: () => "Saving…",
  away: (session) => `Server away: ${counted(session.unsaved, "edit")} kept in this browser`,
  conflict: (session) => `Two versions: ${counted(session.unsaved, "edit")} not saved`,
  refused: (session) => `Not saved: ${session.message}`,
};

function showSaving() {
  const { all } = bench.sessions;
  const session = all.find(({ unsaved }) => unsaved) ?? all[0];
  const state = session?.state ?? (away ? "away" : "");
  byId("saving").className = `saving ${state}`;
  byId("saving").textContent = session ? SAVING[state](session) : away ? "Server away" : "";
}

const selected = () => (bench.video ? [bench.video.id] : library.selected.size ? [...library.selected] : null);

const target = () => ({ video: bench.video, author: author(), replace: (...args) => bench.replace(...args), done: reload });

const everywhere = {
  predict: () => (selected() || folder.videos.length < 2 ? jobs.start("predict", selected()) : predictAll()),
  jobs: () => jobs.toggle(),
  export: () => exportTimelines(folder.formats, bench.video && { ...bench.video, rows: Object.keys(bench.rows) }),
  import: () => chooseFiles(target()),
  theme: switchTheme,
  keys: () => tell("Keyboard", [element("div", { class: "sheet" }, ...drawnSheet())]),
  "to-library": () => { location.hash = "#/"; },
  "row-down": () => library.move(1),
  "row-up": () => library.move(-1),
  open: () => { location.hash = `#/video/${encodeURIComponent(library.current ?? library.shown[0]?.id ?? "")}`; },
  select: () => library.toggle(),
  "select-all": () => library.selectAll(),
  search: () => library.search.focus(),
};

async function predictAll() {
  const answer = await ask("Predict all videos?", [element("p", {}, `No video is selected, so all ${folder.videos.length} would be predicted.`)],
    [{ text: "Predict all", value: "all", primary: true }, { text: "Cancel", value: "" }]);
  if (answer) jobs.start("predict", null);
}

async function reload() {
  await attempt(load);
  if (bench.video) await bench.reload();
}

function actions() {
  const chosen = () => (library.selected.size ? ` ${library.selected.size}` : " all");
  const next = library.next();
  byId("library-actions").replaceChildren(
    button(`Predict${chosen()}`, () => jobs.start("predict", selected()), { title: hint("predict") }),
    button(`Propose${chosen()}`, () => jobs.start("propose", selected()), { title: "Draft timelines without training" }),
    button("Train", () => jobs.start("retrain", null), { title: "Learn from the corrections" }),
    button("Import", everywhere.import, { title: hint("import") }),
    button("Export", everywhere.export, { title: hint("export") }),
    button("Check next", () => { location.hash = `#/video/${encodeURIComponent(next.id)}`; }, { class: "primary", disabled: !next }));
}

function videoActions() {
  byId("video-actions").append(
    button("Predict", everywhere.predict, { title: hint("predict") }),
    button("Propose", () => jobs.start("propose", selected()), { title: "A draft timeline without training" }),
    button("Import", everywhere.import, { title: hint("import") }),
    button("Export", everywhere.export, { title: hint("export") }),
    button("Report", () => window.open(`/api/videos/${encodeURIComponent(bench.video.id)}/report`, "_blank", "noopener"), { title: "The report page, in a new tab" }),
    button("Checked, next", () => bench.run("checked"), { class: "primary", title: hint("checked") }));
}

/** The theme that was chosen, or else the system's. */
function showTheme() {
  const chosen = localStorage.getItem("keyseg-theme");
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  byId("theme").replaceChildren(icon(dark ? "sun" : "moon"));
  byId("theme").setAttribute("aria-label", dark ? "Light colours" : "Dark colours");
}

function switchTheme() {
  localStorage.setItem("keyseg-theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  showTheme();
}

function showAuthor() {
  byId("author").textContent = author() || "Your name";
  byId("author").title = "The name under which your edits are saved";
}

async function askAuthor() {
  const name = element("input", { type: "text", value: author(), maxLength: 100, autocomplete: "name" });
  const answer = await ask("Your name", [field("Others see it beside your edits", name)],
    [{ text: "Save", value: "save", primary: true }, { text: "Cancel", value: "" }]);
  if (answer === "save") localStorage.setItem("keyseg-author", name.value.trim());
  showAuthor();
}

let away = false;
let waiting = null;

/** Load the list again soon, once for many events. */
function loadSoon() {
  waiting ??= setTimeout(() => {
    waiting = null;
    attempt(load);
  }, 200);
}

function hear() {
  listen({
    saved: (event) => { bench.saved(event); loadSoon(); },
    job: (job) => jobs.update(job),
    library: loadSoon,
    away: () => { away = true; showSaving(); },
    back: () => {
      if (away) {
        away = false;
        reload();
        attempt(() => jobs.load());
      }
      for (const session of bench.sessions.all) session.retry();
      showSaving();
    },
  });
}

async function start() {
  showTheme();
  showAuthor();
  videoActions();
  library.addEventListener("selection", actions);
  bench.addEventListener("saving", showSaving);
  bench.addEventListener("marked", loadSoon);
  bench.addEventListener("go", ({ detail }) => { location.hash = detail.id ? `#/video/${encodeURIComponent(detail.id)}` : "#/"; });
  jobs.addEventListener("done", () => reload());
  byId("theme").addEventListener("click", switchTheme);
  byId("keys").addEventListener("click", everywhere.keys);
  byId("keys").title = hint("keys");
  byId("jobs-button").title = hint("jobs");
  byId("author").addEventListener("click", askAuthor);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);
  bind(place, (id, digit) => (everywhere[id] ? everywhere[id]() : bench.run(id, digit)));
  acceptDrops(target);
  window.addEventListener("hashchange", route);
  window.addEventListener("beforeunload", (event) => { if (bench.sessions.all.some(({ unsaved }) => unsaved)) event.preventDefault(); });
  navigator.locks?.request(lock(page), () => new Promise(() => {}));
  if ((await attempt(() => load().then(() => true))) === undefined) return;
  attempt(() => jobs.load());
  hear();
  await route();
  for (const { video } of leftBehind(localStorage, folder.folder, await openPages())) {
    const found = folder.videos.find(({ id }) => id === video);
    if (found) notice(`Edits of ${found.name} are not saved yet.`, { action: { text: "Open it", run: () => { location.hash = `#/video/${encodeURIComponent(video)}`; } } });
  }
}

start();
