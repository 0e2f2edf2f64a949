/** What a person decides when edits cannot be saved as they are. Nothing is saved or dropped before that. */

import { ask, attempt, notice } from "./dialogs.js";
import { counted, element } from "./elements.js";

/** Somebody else saved the row in the meantime. @param {import("./session.js").Session} session */
export async function settleConflict(session, author) {
  const who = author || "Somebody else";
  const words = `${who} saved this timeline while you edited it. Not saved yet: ${counted(session.unsaved, "edit")} of yours.`;
  const answer = await ask("Two versions", [element("p", {}, words)], [{ text: "Put mine on top", value: "mine", primary: true },
    { text: "Take theirs", value: "theirs" }, { text: "Decide later", value: "" }]);
  if (session.state !== "conflict") return;
  if (answer === "theirs") session.takeTheirs();
  else if (answer === "mine") {
    const lost = session.putMineOnTop();
    if (lost) notice(`${counted(lost, "edit")} of yours no longer fit: ${who} changed the same place.`, { error: true });
  } else notice("Your edits wait until you decide.", { action: { text: "Decide", run: () => settleConflict(session, author) } });
}

/** The server does not take an edit. @param {() => Promise<object>} load gives the video as it is saved */
export async function settleRefusal(session, message, load) {
  const words = `${message} Not saved: ${counted(session.unsaved, "edit")}.`;
  const answer = await ask("An edit was refused", [element("p", {}, words)],
    [{ text: "Load what is saved", value: "load", primary: true }, { text: "Decide later", value: "" }]);
  if (session.state !== "refused") return;
  if (!answer) {
    notice("Nothing more is saved until you decide.", { action: { text: "Decide", run: () => settleRefusal(session, message, load) } });
    return;
  }
  const video = await attempt(load);
  if (video) session.takeTheirs(video.rows.correction ?? { revision: 0, segments: [] });
}
