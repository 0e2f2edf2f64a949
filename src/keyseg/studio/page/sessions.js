/** The sessions of all videos whose edits are not saved yet, also of those that were closed in the meantime. */

import { get, ofRow, ofVideo, post } from "./api.js";
import { notice } from "./dialogs.js";
import { settleConflict, settleRefusal } from "./disputes.js";
import { Session } from "./session.js";

const DISPUTED = new Set(["conflict", "refused"]);

/** Events: `state` when a session's state changes, `row` when the segments of the open video do, `go` {id} to a video. */
export class Sessions extends EventTarget {
  /**
   * @param {() => string} author who edits here
   * @param {(id: string) => string} key where unsaved edits of a video are kept
   */
  constructor(author, key) {
    super();
    Object.assign(this, { author, key, open: null, closed: new Map() });
  }

  /** All of them, that of the open video first. @returns {Session[]} */
  get all() {
    return [this.open?.session, ...this.closed.values()].filter(Boolean);
  }

  /**
   * Edit a video, where it was left if its edits are not all saved. @param {object} row as the server has it
   * @param {{kept: object, forget: () => void}|undefined} left edits that an earlier page could not save
   */
  begin(video, row, left) {
    const session = this.closed.get(video.id) ?? this.#made(video, row);
    if (this.closed.delete(video.id)) session.update(row);
    this.open = { session, video };
    if (left) {
      session.resume(left.kept);
      left.forget();
      notice("Edits that were not saved before have been taken up.");
    }
    this.#settle();
    this.#tell("state");
    return session;
  }

  /** Leave the open video; its edits are still saved. */
  leave() {
    if (this.open?.session.unsaved) this.closed.set(this.open.video.id, this.open.session);
    this.open = null;
  }

  #made({ id, name, frames }, row) {
    const send = (edit) => post(ofRow(id, "correction", "edits"), { ...edit, author: this.author() });
    const session = new Session({ row, frames, send, storage: localStorage, key: this.key(id) });
    session.addEventListener("row", () => this.open?.session === session && this.#tell("row"));
    session.addEventListener("state", ({ detail: { state } }) => {
      if (this.open?.session === session) this.#settle();
      else if (state === "saved") this.closed.delete(id);
      else if (DISPUTED.has(state)) notice(`Edits of ${name} are not saved yet.`, { action: { text: "Open it", run: () => this.#tell("go", { id }) } });
      this.#tell("state");
    });
    session.addEventListener("notice", ({ detail }) => notice(detail.message, { error: true }));
    return session;
  }

  /** Let the person decide where edits of the open video cannot be saved as they are. */
  #settle() {
    const { session, video } = this.open;
    if (session.state === "conflict") settleConflict(session, session.message);
    if (session.state === "refused") settleRefusal(session, session.message, () => get(ofVideo(video.id)));
  }

  #tell(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
