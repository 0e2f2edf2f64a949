/** Jobs: predicting, training again, proposals; their progress, the curve of a training, and what came of it. */

import { get, post, remove } from "./api.js";
import { ask, attempt, field, notice } from "./dialogs.js";
import { button, byId, counted, drawing, element, percent } from "./elements.js";

const NAMES = { predict: "Predict", retrain: "Train again", propose: "Propose", proxy: "Make a copy that plays" };
const OPEN = new Set(["queued", "running"]);

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

/** Events: `done` {job} when a job ends. */
export class Jobs extends EventTarget {
  constructor() {
    super();
    this.host = byId("jobs");
    this.button = byId("jobs-button");
    this.jobs = new Map();
    this.bundles = [];
    this.button.addEventListener("click", () => this.toggle());
  }

  async load() {
    const jobs = await get("jobs");
    this.jobs = new Map(jobs.reverse().map((job) => [job.id, job])); // the oldest first
    this.#draw();
  }

  /** @param {object[]} bundles of the library */
  showBundles(bundles) {
    this.bundles = bundles;
    this.#draw();
  }

  toggle(open = this.host.hidden) {
    this.host.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
    if (open) this.#draw();
  }

  /** A job as the server tells of it. */
  update(job) {
    const before = this.jobs.get(job.id);
    const merged = { ...before, ...job };
    this.jobs.set(job.id, merged);
    this.#draw();
    if (OPEN.has(merged.state) || (before && !OPEN.has(before.state))) return;
    if (merged.state === "failed") notice(`${title(merged)} failed: ${merged.message}`, { error: true });
    if (merged.state === "done" && merged.kind !== "proxy") notice(`${title(merged)}: done.`);
    this.dispatchEvent(new CustomEvent("done", { detail: { job: merged } }));
  }

  /** Start a job. @param {string[]|null} videos null for all */
  async start(kind, videos, more = {}) {
    const job = await attempt(() => post("jobs", { kind, videos, ...more }));
    if (!job) return;
    this.toggle(true);
    this.update(job);
  }

  async #cancel(job) {
    const answer = await attempt(() => remove(`jobs/${encodeURIComponent(job.id)}`));
    if (answer?.id) this.update(answer);
  }

  async #activate(name) {
    if (await attempt(() => post(`bundles/${encodeURIComponent(name)}/activate`))) notice(`${name} predicts from now on.`);
  }

  async #add() {
    const path = element("input", { type: "text", required: true, autocomplete: "off", spellcheck: false });
    const answer = await ask("Add a bundle", [field("Folder of the bundle, on the server's machine", path)],
      [{ text: "Add", value: "add", primary: true }, { text: "Cancel", value: "" }]);
    if (answer === "add" && path.value.trim()) await attempt(() => post("bundles", { path: path.value.trim() }));
  }

  #draw() {
    const open = [...this.jobs.values()].filter(({ state }) => OPEN.has(state));
    this.button.textContent = open.length ? `Jobs ${open.length}` : "Jobs";
    this.button.classList.toggle("running", open.length > 0);
    if (this.host.hidden) return;
    const focused = this.host.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
    const jobs = [...this.jobs.values()].reverse().sort((one, other) => OPEN.has(other.state) - OPEN.has(one.state));
    this.host.replaceChildren(
      element("header", {}, element("h2", {}, "Jobs"),
        button("×", () => this.toggle(false), { class: "quiet icon", "aria-label": "Hide the jobs", "data-focus": "close" })),
      this.#drawnBundles(),
      jobs.length ? element("ul", {}, ...jobs.slice(0, 50).map((job) => this.#drawn(job)))
        : element("p", { class: "empty" }, "Nothing runs. Predict, propose or train from the list of videos."));
    if (focused) [...this.host.querySelectorAll("[data-focus]")].find((each) => each.dataset.focus === focused)?.focus();
  }

  #drawnBundles() {
    const select = element("select", { "data-focus": "bundle", onchange: () => this.#activate(select.value) },
      ...this.bundles.map(({ name, active }) => element("option", { value: name, selected: active }, name)));
    return element("div", { class: "bundles" },
      this.bundles.length ? field("Bundle that predicts", select) : element("p", { class: "hint" }, "No bundle yet: add one, or train from corrections."),
      button("Add a bundle", () => this.#add(), { "data-focus": "add" }));
  }

  #drawn(job) {
    const open = OPEN.has(job.state);
    return element("li", { class: `job ${job.state}` },
      element("div", { class: "job-title" }, element("b", {}, title(job)), element("span", { class: `state ${job.state}` }, job.state),
        open && button("Cancel", () => this.#cancel(job), { class: "quiet", "data-focus": job.id })),
      open && element("progress", { value: job.state === "queued" ? null : job.done ?? 0, max: 1, "aria-label": `${title(job)}, progress` }),
      job.message && element("p", { class: "message" }, job.message),
      job.curve?.length > 1 && curves(job.curve),
      job.kind === "retrain" && job.state === "done" && this.#comparison(job));
  }

  #comparison({ result = {} }) {
    const { bundle, comparison } = result;
    const active = this.bundles.find((each) => each.active)?.name;
    const offer = bundle && (active === bundle ? element("p", { class: "hint" }, `${bundle} predicts.`)
      : element("div", { class: "answers" }, button("Take over the new one", () => this.#activate(bundle), { class: "primary", "data-focus": bundle })));
    return element("div", {}, comparison && compared(comparison), offer);
  }
}

function title({ kind, videos, request }) {
  const chosen = videos ?? request?.videos;
  return `${NAMES[kind] ?? kind}${chosen ? `: ${counted(chosen.length, "video")}` : ""}`;
}

/** The old and the new score with the interval of the difference. */
function compared({ metric, old, new: fresh, interval, videos, verdict }) {
  const number = (value) => (typeof value === "number" ? value.toFixed(1) : "–");
  const cells = [["Before", number(old)], ["Now", number(fresh)],
    ["Difference", `${number(fresh - old)} [${(interval ?? []).map(number).join(", ")}]`]];
  return element("div", { class: "comparison" },
    element("p", { class: "hint" }, `${metric ?? "Score"} on ${counted(videos ?? 0, "held-out video")}`),
    element("dl", {}, ...cells.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
    verdict && element("p", {}, verdict));
}

const [WIDTH, HEIGHT] = [260, 48];

function curves(curve) {
  const drawn = series(curve).slice(0, 4).map(({ name, values }) => {
    const now = values.findLast(Number.isFinite);
    return element("figure", { class: "curve" },
      drawing("svg", { viewBox: `0 -2 ${WIDTH} ${HEIGHT + 4}`, preserveAspectRatio: "none", role: "img",
        "aria-label": `${name} over ${values.length} epochs, now ${now}` },
      drawing("polyline", { points: polyline(values, WIDTH, HEIGHT), "vector-effect": "non-scaling-stroke" })),
      element("figcaption", {}, element("span", {}, name), element("b", {}, Math.abs(now) <= 1 && name !== "loss" ? percent(now) : now.toPrecision(3))));
  });
  return element("div", { class: "curves" }, ...drawn);
}
