/** Dialogs and notices. */

import { button, byId, element } from "./elements.js";

/**
 * Ask something in a modal dialog.
 * @param {string} title
 * @param {Node[]} content
 * @param {{text: string, value: string, primary?: boolean}[]} answers Escape and the last answer mean the same
 * @returns {Promise<string>} the value of the answer; the form's fields are those of `content`
 */
export function ask(title, content, answers) {
  const last = answers.at(-1).value;
  const buttons = answers.map(({ text, value, primary }) =>
    element("button", { type: primary ? "submit" : "button", value, class: primary ? "primary" : "" }, text));
  const heading = element("h2", { id: "dialog-title" }, title);
  const form = element("form", { method: "dialog" }, heading, ...content, element("div", { class: "answers" }, ...buttons));
  const dialog = element("dialog", { "aria-labelledby": "dialog-title" }, form);
  return new Promise((resolve) => {
    for (const each of buttons) {
      if (each.type === "button") each.addEventListener("click", () => dialog.close(each.value));
    }
    form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.target.matches("select")) form.requestSubmit(); // as from any other field
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      dialog.close((event.submitter ?? buttons.find(({ type }) => type === "submit")).value);
    });
    dialog.addEventListener("cancel", () => { dialog.returnValue = last; });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue || last);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Show something long to read in a modal dialog. */
export function tell(title, content) {
  const asked = ask(title, content, [{ text: "Close", value: "close", primary: true }]);
  const dialog = document.querySelector("dialog[open]");
  dialog.classList.add("wide");
  const heading = dialog.querySelector("h2");
  heading.tabIndex = -1;
  heading.focus(); // and not the button, which is at the end
  return asked;
}

/** A labelled field for a dialog. */
export function field(label, input) {
  return element("label", { class: "field" }, element("span", {}, label), input);
}

const SHOWN_FOR = 6000; // ms

/** A short notice in the corner; an error stays until it is closed. */
export function notice(message, { error = false, action = null } = {}) {
  const box = element("div", { class: error ? "notice error" : "notice", role: error ? "alert" : null },
    element("span", {}, message),
    action && button(action.text, () => { box.remove(); action.run(); }, { class: "quiet" }),
    button("×", () => box.remove(), { class: "quiet icon", "aria-label": "Close" }));
  const host = byId("notices");
  for (const old of host.children) if (old.firstChild.textContent === message) old.remove();
  host.append(box);
  if (!error && !action) setTimeout(() => box.remove(), SHOWN_FOR);
}

/** Run something that may fail, and show why it did. Returns undefined then. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    notice(error.message, { error: true });
    return undefined;
  }
}
