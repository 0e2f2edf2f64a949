/** One open video: film, timeline and classes, and the session that saves its correction. */

import { get, ofVideo, post } from "./api.js";
import { showPalette } from "./classes.js";
import { ACTIONS, labelWith } from "./commands.js";
import { ask, attempt, notice } from "./dialogs.js";
import { button, byId, element } from "./elements.js";
import { KeyFrames } from "./key_frames.js";
import { badge } from "./library.js";
import { Player } from "./player.js";
import { Sessions } from "./sessions.js";
import { createTimeline } from "./timeline.js";
import { clock } from "./times.js";
import { Toolbars, inWords } from "./toolbars.js";

const CORRECTION = "correction";
const EMPTY = { revision: 0, segments: [], details: {} };

/** Events: `saving` when the session's state changes; `go` {id} to open another video, null for the list. */
export class Workbench extends EventTarget {
  /**
   * @param {object} outside
   * @param {() => string} outside.author who edits here
   * @param {(id: string) => string} outside.key where unsaved edits of a video are kept
   * @param {(id: string) => Promise<object|undefined>} outside.leftBehind edits that an earlier page could not save
   * @param {(id: string, way: number) => object|undefined} outside.neighbour the next or previous video of the list
   * @param {(id: string) => object|undefined} outside.next the one to check after this one
   * @param {(kind: string, videos: string[]) => void} outside.start starts a job
   */
  constructor(outside) {
    super();
    Object.assign(this, outside, { video: null, rows: {}, session: null, selected: -1, last: -1, classes: [], bundles: [], replacing: false });
    this.sessions = new Sessions(this.author, this.key);
    this.sessions.addEventListener("state", () => this.dispatchEvent(new CustomEvent("saving")));
    this.sessions.addEventListener("row", () => this.session && this.#edited());
    this.sessions.addEventListener("go", ({ detail }) => this.#go(detail.id));
    this.seen = new Set();
    this.lastLabel = null;
    this.player = new Player(byId("film"), byId("still"));
    this.keyFrames = new KeyFrames(byId("key-frames"), (frame) => this.player.seek(frame));
    this.timeline = createTimeline(byId("timeline"), this.#listeners());
    this.toolbars = new Toolbars(this);
    this.player.addEventListener("frame", ({ detail }) => this.#showFrame(detail.frame));
    this.player.addEventListener("change", () => this.toolbars.update());
    this.player.addEventListener("broken", () => this.#open(false));
    byId("film").addEventListener("click", () => this.run("play"));
  }

  /** Open a video; its film, its rows, and edits that an earlier page could not save. */
  async open(id) {
    this.close();
    const opening = this.opening = {};
    const [video, left] = await Promise.all([get(ofVideo(id)), this.leftBehind(id)]);
    if (this.opening !== opening) return; // another one was opened in the meantime
    this.video = video;
    this.rows = video.rows;
    this.seen = new Set();
    this.session = this.sessions.begin(video, this.rows[CORRECTION] ?? EMPTY, left);
    this.timeline.setVideo(video);
    this.keyFrames.setVideo(video);
    this.timeline.setClasses(this.classes);
    this.#showRows();
    this.#open(video.playable || video.proxy === "ready");
    this.showState(video);
    this.showClasses(this.classes);
    this.#loadWaveform(opening);
  }

  close() {
    this.sessions.leave();
    Object.assign(this, { opening: null, session: null, video: null, selected: -1, last: -1 });
    this.keyFrames.setVideo(null);
    this.player.close();
  }

  /** Run a command of the keyboard or of a button. */
  async run(id, digit) {
    if (!this.video) return;
    try {
      await ACTIONS[id](this, digit);
    } catch (error) {
      notice(error.message, { error: !(error.name === "AbortError") });
    }
    this.toolbars.update();
  }

  /** The row whose segments are walked through: the correction, or what there is to begin it from. */
  shown() {
    const name = this.#hasCorrection() ? CORRECTION : this.#source() ?? CORRECTION;
    const row = name === CORRECTION ? { ...this.rows[name], segments: this.session?.segments ?? [] } : this.rows[name];
    return { name, segments: row.segments };
  }

  predicted() {
    const name = this.#source();
    return name ? this.rows[name] : null;
  }

  /** Whether there is a correction to edit; says how to begin one if not. An unlabelled video is begun by editing. */
  editable() {
    if (this.#hasCorrection() || !this.#source()) return true;
    notice("Press C to start the correction from the prediction.", { action: { text: "Start", run: () => this.run("copy") } });
    return false;
  }

  take(result) {
    if (!this.session?.take(result)) return false;
    this.toolbars.update();
    return true;
  }

  /** Select a segment of the shown row, or those to `last`; go to its start if asked. */
  choose(index, go = false, last = index) {
    const { segments } = this.shown();
    this.selected = segments[index] ? index : -1;
    this.last = this.selected < 0 ? -1 : Math.min(last, segments.length - 1);
    this.timeline.select(this.#hasCorrection() && this.selected >= 0 ? this.selected : null, this.last);
    const segment = segments[this.selected];
    if (go && segment) this.player.seek(segment.start_frame);
    if (this.player.loop && segment) this.player.setLoop([segment.start_frame, segment.end_frame]);
    this.#showSegment();
  }

  /** Begin the correction as the copy of the prediction or proposal. */
  async startCorrection() {
    const from = this.#source();
    if (!from) return notice("There is no prediction yet. Press P to predict, or label from nothing.");
    if (this.#hasCorrection() && this.session.segments.length) {
      const answer = await ask("Start again?", [element("p", {}, "The prediction replaces the present correction; undo brings it back.")],
        [{ text: "Start again", value: "yes", primary: true }, { text: "Keep it", value: "" }]);
      if (answer !== "yes") return;
    }
    if (this.session.waiting.length) return notice("Wait until your edits are saved.");
    const body = { from, revision: this.session.saved.revision, author: this.author() };
    const row = await this.replace("copy", () => attempt(() => post(ofVideo(this.video.id, "rows/correction/copy"), body)));
    if (row) notice("Correction started. Press U for the least certain segment.");
  }

  /**
   * Let the server replace the correction, as an import does; undo takes that back.
   * @param {string} action in words
   * @param {() => Promise<object|undefined>} work gives the new row
   */
  async replace(action, work) {
    const { session } = this;
    this.replacing = true;
    const row = await work();
    this.replacing = false;
    if (!row || this.session !== session) return undefined;
    this.rows[CORRECTION] = row;
    session.update(row, action);
    this.#showRows();
    return row;
  }

  /** Mark the video as checked, or not, and go on to the next if it is. */
  async mark(checked) {
    const { id, name } = this.video;
    if (checked && !this.#hasCorrection()) return notice("Start the correction first (C), then mark it as checked.");
    if (!(await attempt(() => post(ofVideo(id, "checked"), { checked, author: this.author() })))) return;
    notice(`${name}: ${checked ? "checked" : "no longer marked as checked"}.`);
    this.dispatchEvent(new CustomEvent("marked", { detail: { id, checked } }));
    if (checked) this.#go(this.next(id)?.id ?? null);
  }

  toNeighbour(way) {
    const video = this.neighbour(this.video.id, way);
    if (video) this.#go(video.id);
  }

  /** Something was saved, by anybody. */
  async saved({ video, row, revision, author }) {
    if (video !== this.video?.id) return;
    if (row === CORRECTION && (this.replacing || this.session.waiting.length || revision <= this.session.saved.revision)) return;
    await this.reload();
    if (row === CORRECTION && author !== this.author()) notice(`${author || "Somebody"} edited this timeline.`);
  }

  /** Fetch the rows again, such as after a prediction or when the server is back. */
  async reload() {
    const { id } = this.video;
    const video = await attempt(() => get(ofVideo(id)));
    if (!video || this.video?.id !== id) return;
    this.rows = video.rows;
    if (this.rows[CORRECTION]) this.session.update(this.rows[CORRECTION]);
    this.#showRows();
    this.showState(video);
  }

  /** @param {object} video of the library, whose state may have changed */
  showState(video) {
    if (!this.video) return;
    const before = this.video.proxy;
    Object.assign(this.video, { state: video.state, proxy: video.proxy, playable: video.playable, missing: video.missing, name: video.name });
    byId("video-name").textContent = video.name;
    document.title = `${video.name} – keyseg studio`;
    const { state, seconds, fps, frames } = this.video;
    byId("video-state").replaceChildren(badge(this.video));
    byId("video-facts").textContent = `${clock(seconds)} · ${frames.toLocaleString("en")} frames · ${Math.round(this.player.fps * 100) / 100 || fps} per second`;
    if (before !== "ready" && this.video.proxy === "ready" && !this.player.plays) this.#open(true);
    byId("workbench").dataset.state = state;
  }

  showClasses(classes) {
    this.classes = classes;
    this.timeline.setClasses(classes);
    const counts = new Map();
    for (const { label } of this.shown().segments) counts.set(label, (counts.get(label) ?? 0) + 1);
    showPalette(byId("classes"), classes, { counts, author: this.author(), use: (name) => this.#use(name), changed: () => {} });
  }

  #use(name) {
    labelWith(this, name);
    this.toolbars.update();
  }

  #go(id) {
    this.dispatchEvent(new CustomEvent("go", { detail: { id } }));
  }

  #hasCorrection() {
    return Boolean(this.session && (this.session.model.revision > 0 || this.session.segments.length));
  }

  /** The row to begin a correction from: the prediction of the active bundle, another one, or the proposal. */
  #source() {
    const active = this.bundles.find((bundle) => bundle.active)?.name;
    const names = Object.keys(this.rows).filter((name) => name.startsWith("prediction:"));
    return names.find((name) => name === `prediction:${active}`) ?? names.at(-1) ?? (this.rows.proposal ? "proposal" : null);
  }

  #listeners() {
    return {
      onEdit: (result) => this.take(result),
      onSeek: (frame) => this.player.seek(frame),
      onSelect: (index, last) => this.choose(index ?? -1, false, last ?? -1),
      onView: (view) => this.keyFrames.show(view),
      onContext: ({ index }) => index !== null && this.run("label-by-name"),
      newLabel: () => this.lastLabel ?? this.classes[0]?.name ?? null,
    };
  }

  #edited() {
    this.#showRows();
    this.showClasses(this.classes);
  }

  /** Show all rows: first the one that is edited. */
  #showRows() {
    const { session } = this;
    const others = Object.keys(this.rows).filter((name) => name !== CORRECTION).map((name) => ({ name, ...this.rows[name] }));
    this.timeline.setRows([{ name: CORRECTION, segments: session.segments, state: session.model, editable: true }, ...others]);
    this.choose(this.selected, false, this.last);
  }

  /** Show the shape of the sound once the server has measured it. */
  async #loadWaveform(opening) {
    if (this.opening !== opening) return;
    const sound = await get(ofVideo(this.video.id, "waveform")).catch(({ status }) => (status ? { peaks: [] } : null));
    if (this.opening !== opening) return;
    if (sound) this.timeline.setWaveform(sound.peaks);
    else setTimeout(() => this.#loadWaveform(opening), 1000);
  }

  /** Show the film, or pictures of single frames where it cannot be played. */
  #open(plays) {
    const { video } = this;
    this.player.show(video, plays && !video.missing);
    const box = byId("film-notice");
    box.hidden = plays && !video.missing;
    box.replaceChildren();
    if (box.hidden) return;
    if (!video.frames) box.textContent = `This is not shown: ${video.error}`;
    else if (video.missing) box.textContent = "The file is missing. Its timelines are kept: put it back to see it.";
    else if (video.proxy === "making") box.textContent = "A copy that this browser can play is being made. Frames can be stepped through.";
    else box.append("This browser cannot play the video; frames can be stepped through. ",
      button("Make a copy that plays", () => this.start("proxy", [video.id])));
  }

  #showFrame(frame) {
    this.timeline.setPlayhead(frame, this.player.playing);
    this.toolbars.showTime(frame);
    if (this.selected < 0) this.#showSegment(); // of the one under the playhead
  }

  #showSegment() {
    const [line, words] = [byId("segment"), inWords(this)];
    if (line.textContent !== words) line.textContent = words; // the same again would be read out again
  }
}
