/** The buttons of the open video, from the table of commands, and what is selected in words. */

import { chosen, lastOf } from "./commands.js";
import { byId, element, percent } from "./elements.js";
import { icon } from "./icons.js";
import { hint } from "./keys.js";
import { SPEEDS } from "./player.js";
import { clock, spanned } from "./times.js";

const PLAYING = ["previous-segment", "frame-back", "play", "frame-on", "next-segment", "loop", "next-uncertain"];
const CORRECTING = ["undo", "redo", null, "split", "merge", "insert", "label-by-name", "delete", null, "start-here", "end-here", null, "accept", "copy"];
const VIEW = ["zoom-out", "zoom-in", "zoom-all"];
const NAMED = { accept: "Accept", copy: "Start correcting", "next-uncertain": "Next uncertain" };

/** The segment that is selected, or under the playhead, in words. */
export function inWords(bench) {
  const { name, segments } = bench.shown();
  const at = chosen(bench);
  const segment = segments[at];
  const to = Math.min(lastOf(bench, at), segments.length - 1);
  if (segment && to > at) return `${at + 1} to ${to + 1} of ${segments.length.toLocaleString("en")} · ${spanned(segment.start_frame, segments[to].end_frame, bench.player.fps)}`;
  if (!segment) return segments.length ? `${segments.length.toLocaleString("en")} segments` : "No segments yet";
  const { start_frame: start, end_frame: end, label, confidence } = segment;
  const { fps } = bench.player;
  const times = `${spanned(start, end, fps)}, ${((end - start) / fps).toFixed(2)} s`;
  const second = bench.rows[name]?.details?.second?.[at];
  const sure = confidence === undefined || confidence === null ? "" : ` · ${percent(confidence)} certain${second ? `, or ${second}` : ""}`;
  return `${at + 1} of ${segments.length.toLocaleString("en")} · ${label} · ${times}${sure}`;
}

/** The toolbars of the workbench. */
export class Toolbars {
  /** @param {import("./workbench.js").Workbench} bench */
  constructor(bench) {
    this.bench = bench;
    this.buttons = new Map();
    this.speed = element("select", { "aria-label": "Speed", title: hint("faster"), onchange: () => { bench.player.speed = Number(this.speed.value); } },
      ...SPEEDS.map((speed) => element("option", { value: speed }, `${speed}×`)));
    this.time = byId("now");
    this.clock = element("span", { class: "clock" });
    byId("transport").append(...PLAYING.map((id) => this.#button(id)), this.speed, this.clock);
    byId("edit-tools").append(...CORRECTING.map((id) => this.#button(id)), element("span", { class: "space" }), ...VIEW.map((id) => this.#button(id)));
    for (const id of ["transport", "edit-tools", "classes"]) {
      // The focus stays where it was, so that Space goes on playing after a click on a tool.
      byId(id).addEventListener("mousedown", (event) => { if (event.target.closest("button")) event.preventDefault(); });
    }
  }

  /** Show what can be done now. */
  update() {
    const { player, session } = this.bench;
    if (!session) return;
    this.#sign("play", player.playing ? "pause" : "play");
    this.buttons.get("loop").setAttribute("aria-pressed", String(Boolean(player.loop)));
    this.buttons.get("undo").disabled = !session.model.undo.length;
    this.buttons.get("redo").disabled = !session.model.redo.length;
    this.buttons.get("copy").hidden = !this.bench.predicted() || this.bench.shown().name === "correction";
    this.buttons.get("play").disabled = !player.plays;
    this.speed.value = String(player.speed);
    this.showTime(player.frame);
  }

  showTime(frame) {
    const { player } = this.bench;
    const total = player.frames / player.fps;
    this.clock.textContent = `${clock(frame / player.fps, 2)} / ${clock(total, 2)} · frame ${frame}`;
    const { segments } = this.bench.shown();
    const under = segments.findLast((segment) => segment.start_frame <= frame);
    this.time.textContent = under && frame < under.end_frame ? under.label : "";
    this.time.hidden = !this.time.textContent;
  }

  #button(id) {
    if (!id) return element("span", { class: "bar" });
    const made = element("button", { type: "button", class: NAMED[id] ? "named" : "icon", "aria-label": NAMED[id] ? null : hint(id), title: hint(id),
      onclick: () => this.bench.run(id) }, icon(id), NAMED[id]);
    this.buttons.set(id, made);
    return made;
  }

  #sign(id, name) {
    const made = this.buttons.get(id);
    if (made.dataset.sign === name) return;
    made.dataset.sign = name;
    made.firstChild.replaceWith(icon(name));
  }
}
