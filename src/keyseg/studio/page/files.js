/** Export, import by button or by drop, and the report page. */

import { ofVideo, request } from "./api.js";
import { ask, attempt, field, notice } from "./dialogs.js";
import { byId, counted, element } from "./elements.js";

/** Ask for the format and rows, and download. @param {{id: string, name: string, rows: string[]}|null} video null for all */
export async function exportTimelines(formats, video) {
  const format = choice(formats, localStorage.getItem("keyseg-format"));
  const rows = video?.rows ?? [];
  const row = choice(rows, rows.includes("correction") ? "correction" : rows.at(-1));
  const all = element("input", { type: "checkbox", checked: !video, disabled: !video });
  const parts = [field("Format", format), video && rows.length > 0 && field("Timeline", row),
    field("All corrected videos, as a zip", all)].filter(Boolean);
  const answer = await ask("Export", parts, [{ text: "Export", value: "export", primary: true }, { text: "Cancel", value: "" }]);
  if (answer !== "export") return;
  localStorage.setItem("keyseg-format", format.value);
  const wanted = new URLSearchParams({ format: format.value });
  if (all.checked) return download(`export?${wanted}`, `timelines-${format.value}.zip`);
  if (!rows.length) return notice("This video has no timeline yet.", { error: true });
  wanted.set("row", row.value);
  return download(ofVideo(video.id, `export?${wanted}`), `${video.name}.${format.value}`);
}

function choice(values, chosen) {
  return element("select", {}, ...values.map((value) => element("option", { value, selected: value === chosen }, value)));
}

/** Fetch first, so that an error is shown here and not as a broken file. */
function download(path, fallback) {
  return attempt(async () => {
    const answer = await fetch(`/api/${path}`);
    if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error ?? `The export failed (${answer.status}).`);
    const stated = /filename\*?=(?:UTF-8'')?"?([^";]+)"?/i.exec(answer.headers.get("content-disposition") ?? "");
    const link = element("a", { href: URL.createObjectURL(await answer.blob()), download: decoded(stated?.[1] ?? fallback) });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    notice(`Exported ${link.download}.`);
  });
}

function decoded(name) {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** Let the person choose files and import them. */
export function chooseFiles(target) {
  const input = element("input", { type: "file", multiple: !target.video, onchange: () => importFiles([...input.files], target) });
  input.click();
}

/**
 * Import files: into the open video, or, in the list, each to the video with its name.
 * @param {File[]} files
 * @param {{video: object|null, author: string, replace: Function, done: () => void}} target
 */
export async function importFiles(files, { video, author, replace, done }) {
  if (!files.length) return;
  if (video && files.length > 1) return notice("Drop one file on a video, or several on the list of videos.", { error: true });
  const rows = choice(["correction", "reference"], "correction");
  const into = video ? `Import ${files[0].name} into ${video.name}` : `Import ${counted(files.length, "file")}`;
  const answer = await ask(into, [field("As", rows), element("p", { class: "hint" },
    "A correction is what you edit: it replaces the present one, which undo brings back. A reference is shown to compare.")],
  [{ text: "Import", value: "import", primary: true }, { text: "Cancel", value: "" }]);
  if (answer !== "import") return;
  const form = new FormData();
  for (const file of files) form.append(video ? "file" : "files", file, file.name);
  const path = video ? ofVideo(video.id, "import") : "import";
  const send = () => attempt(() => request("POST", `${path}?${new URLSearchParams({ row: rows.value, author })}`, form));
  let result;
  if (video && rows.value === "correction") await replace("import", async () => (result = await send())?.rows[video.id]);
  else result = await send();
  if (!result) return;
  for (const failure of result.failures ?? []) notice(failure.error ?? String(failure), { error: true });
  notice(`Imported ${counted(files.length - (result.failures?.length ?? 0), "file")}.`);
  done();
}

/** Accept files dropped anywhere on the page. `target()` says where they go. */
export function acceptDrops(target) {
  const cover = byId("drop");
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    cover.hidden = false;
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) cover.hidden = true; });
  document.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    cover.hidden = true;
    importFiles([...event.dataTransfer.files], target());
  });
}
