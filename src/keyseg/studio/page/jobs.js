/** Jobs: predicting, training again, proposals; their progress, the curve of a training, and what came of it. */

import { get, post, remove } from "./api.js";
import { curves, scores } from "./curves.js";
import { ask, attempt, field, notice } from "./dialogs.js";
import { button, byId, counted, element } from "./elements.js";

const NAMES = { predict: "Predict", retrain: "Train", propose: "Propose", proxy: "Make a copy that plays" };
const OPEN = new Set(["queued", "running"]);

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
      job.message && job.message !== job.state && element("p", { class: "message" }, job.message),
      job.curve?.length > 1 && curves(job.curve),
      job.kind === "retrain" && job.state === "done" && job.result && this.#outcome(job));
  }

  /** What a training came to: scores of the former and the new bundle, which one predicts, and the way to the other. */
  #outcome({ result }) {
    const { bundle, former } = result;
    const active = this.bundles.find((each) => each.active)?.name;
    const offer = (name, text) => name && name !== active && this.bundles.some((each) => each.name === name)
      && button(text, () => this.#activate(name), { class: "primary", "data-focus": name });
    return element("div", {}, scores(result), active && element("p", {}, `${active} predicts now.`),
      element("div", { class: "answers" }, offer(bundle, "Take over the new bundle"), offer(former, "Go back to the former bundle")));
  }
}

function title({ kind, videos }) {
  return `${NAMES[kind] ?? kind}${videos ? `: ${counted(videos.length, "video")}` : ""}`;
}
