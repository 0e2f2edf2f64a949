/**
 * The timeline that a person edits: every edit is saved at once, in order, and none is lost.
 *
 * Edits wait in a queue, which local storage keeps too. One is sent at a time; while the server is away they are tried
 * again. If somebody else saved in the meantime, the queue stops until the person chooses what happens.
 */
import { openRow, rebase, redo, replaceAll, same, spliced, undo } from "./edits.js";

const LONGEST_WAIT = 8000; // ms between two tries
const KEPT = "keyseg-unsaved:";

/** The text under which the unsaved edits of a row are kept, and those that were left behind by other pages. */
export const keptKey = (folder, video, page) => `${KEPT}${JSON.stringify([folder, video, page])}`;

/** Keys of edits of this folder that no open page holds. `held`: names of the pages that are open. */
export function leftBehind(storage, folder, held) {
  const found = [];
  for (let i = 0; i < storage.length; i++) {
    const key = storage.key(i);
    if (!key.startsWith(KEPT)) continue;
    const [where, video, page] = JSON.parse(key.slice(KEPT.length));
    if (where === folder && !held.has(page)) found.push({ key, video });
  }
  return found;
}

const alike = (some, others) => some.length === others.length && some.every((segment, i) => same(segment, others[i]));

/**
 * Events: `row` (the segments changed), `state` ({state, message}: saved, saving, away, conflict or refused; message: why,
 * of a conflict the other person), `notice` ({message}).
 */
export class Session extends EventTarget {
  /**
   * @param {object} options
   * @param {{revision: number, segments: object[]}} options.row as the server has it
   * @param {number} options.frames of the video
   * @param {(edit: object) => Promise<{revision: number}>} options.send rejects with {status, body, message}
   * @param {Storage} options.storage where unsaved edits are kept
   * @param {string} options.key their key
   * @param {(callback: () => void, ms: number) => any} [options.later] for tests
   */
  constructor({ row, frames, send, storage, key, later = (callback, ms) => setTimeout(callback, ms) }) {
    super();
    Object.assign(this, { frames, send, storage, key, later, saved: row, waiting: [], state: "saved", message: "" });
    this.model = openRow(row, frames);
    this.theirs = null;
    this.scheduled = false;
    this.wait = 0;
    this.busy = false;
  }

  get segments() {
    return this.model.segments;
  }

  /** How many edits only this browser has. */
  get unsaved() {
    return this.waiting.length;
  }

  /** Take up the edits that an earlier page left behind. @param {{base: object, edits: object[]}} left */
  resume({ base, edits }) {
    this.saved = base;
    this.model = openRow(base, this.frames);
    for (const { splice, action } of edits) {
      const { segments, revision, undo: done } = this.model;
      this.model = { ...this.model, segments: spliced(segments, splice), revision: revision + 1, undo: [...done, { splice, action }] };
    }
    this.waiting = edits;
    this.#keep();
    this.#tell("row");
    return this.#sendNext();
  }

  /** Make an edit. @param {import("./edits.js").Result|null} result of a function of edits.js on `model` */
  take(result) {
    if (!result) return false;
    this.model = result.state;
    this.waiting.push({ splice: result.splice, action: result.action });
    this.#keep();
    this.#tell("row");
    this.#sendNext();
    return true;
  }

  /** What was undone in words, or null if there is nothing. */
  undo() {
    return this.#step(undo(this.model));
  }

  redo() {
    return this.#step(redo(this.model));
  }

  /**
   * Show what somebody else saved. Unsaved edits stay: the server's answer to them tells of the conflict.
   * @param {string} [action] of this person, such as an import: undo takes it back, unless there was nothing before
   */
  update(row, action = "") {
    if (row.revision <= this.saved.revision || this.waiting.length) return false;
    if (action && this.segments.length) this.model = replaceAll(this.model, row.segments, action)?.state ?? this.model;
    this.#stand(row, []);
    return true;
  }

  /** The answer to a conflict: their version alone. */
  takeTheirs(row = this.theirs) {
    this.#stand(row, []);
    this.#become("saved");
  }

  /** The answer to a conflict: my edits again, on top of theirs. Returns how many do not fit any more. */
  putMineOnTop() {
    const lost = this.#stand(this.theirs, this.waiting);
    this.#become("saving");
    this.#sendNext();
    return lost.length;
  }

  /** Try again now, such as when the event stream is back. */
  retry() {
    this.wait = 0;
    return this.#sendNext();
  }

  #stand(row, edits) {
    const { state, reapplied, lost } = rebase(this.model, row, edits);
    this.model = state;
    this.saved = row;
    this.waiting = reapplied;
    this.theirs = null;
    this.#keep();
    this.#tell("row");
    return lost;
  }

  #step(result) {
    return this.take(result) ? result.action : null;
  }

  async #sendNext() {
    if (this.busy || this.state === "conflict" || this.state === "refused") return;
    const [edit] = this.waiting;
    if (!edit) return this.#become("saved");
    this.busy = true;
    if (this.state !== "away") this.#become("saving");
    try {
      const { revision } = await this.send({ ...edit, revision: this.saved.revision });
      this.#arrived(edit, revision);
    } catch (error) {
      this.#failed(error, edit);
    }
    this.busy = false;
    if (this.state === "saving") await this.#sendNext();
  }

  #arrived(edit, revision) {
    this.waiting.shift();
    this.saved = { revision, segments: spliced(this.saved.segments, edit.splice) };
    this.wait = 0;
    this.#keep();
    this.#become("saving");
  }

  #failed(error, edit) {
    const row = error.body?.row;
    if (error.status === 409 && row) {
      // The answer to an earlier try was lost: what the server has is what this edit makes.
      if (alike(row.segments, spliced(this.saved.segments, edit.splice))) return this.#arrived(edit, row.revision);
      this.theirs = row;
      return this.#become("conflict", error.body.author);
    }
    if ([400, 404, 422].includes(error.status)) return this.#become("refused", error.message);
    this.#tryLater();
    this.#become("away", error.message);
  }

  #tryLater() {
    this.wait = Math.min(Math.max(this.wait * 2, 500), LONGEST_WAIT);
    if (this.scheduled) return;
    this.scheduled = true;
    this.later(() => {
      this.scheduled = false;
      this.#sendNext();
    }, this.wait);
  }

  #keep() {
    try {
      if (this.waiting.length) this.storage.setItem(this.key, JSON.stringify({ base: this.saved, edits: this.waiting }));
      else this.storage.removeItem(this.key);
    } catch {
      this.#tell("notice", { message: "This browser's storage is full: keep the page open until all is saved." });
    }
  }

  #become(state, message = "") {
    this.state = state;
    this.message = message;
    this.#tell("state", { state, message });
  }

  #tell(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
