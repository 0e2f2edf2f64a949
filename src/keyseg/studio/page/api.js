/** The server's interface: requests that fail with its own words, and the stream of events. */

/** The server answered with an error. status: 0 if it could not be reached. body: what it answered. */
export class ApiError extends Error {
  constructor(message, status, body = {}) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

const AWAY = "The server does not answer. It may have been stopped; start it again with the same folder.";

/**
 * Send a request and return the JSON of the answer; null if the server is still making what was asked for.
 * @param {"GET"|"POST"|"PATCH"|"DELETE"} method
 * @param {string} path below /api
 * @param {object|FormData} [body]
 */
export async function request(method, path, body) {
  const form = body instanceof FormData;
  const headers = body && !form ? { "content-type": "application/json" } : {};
  let answer;
  try {
    answer = await fetch(`/api/${path}`, { method, headers, body: form || !body ? body : JSON.stringify(body) });
  } catch {
    throw new ApiError(AWAY, 0);
  }
  const type = answer.headers.get("content-type") ?? "";
  const content = type.includes("json") ? await answer.json().catch(() => ({})) : {};
  if (answer.status === 202) return null;
  if (answer.ok) return content;
  throw new ApiError(inWords(answer.status, content), answer.status, content);
}

function inWords(status, content) {
  if (status === 401 || status === 403) {
    return "This page is no longer signed in. Open the address that keyseg studio printed; unsaved edits are kept.";
  }
  return typeof content.error === "string" ? content.error : `The server answered with status ${status}.`;
}

export const get = (path) => request("GET", path);
export const post = (path, body = {}) => request("POST", path, body);
export const patch = (path, body) => request("PATCH", path, body);
export const remove = (path) => request("DELETE", path);

/** The path of a video's part, for requests and as an address under /api. */
export function ofVideo(id, part = "") {
  return `videos/${encodeURIComponent(id)}${part && "/"}${part}`;
}

/** The path of a row's part. */
export function ofRow(id, row, part) {
  return ofVideo(id, `rows/${encodeURIComponent(row)}/${part}`);
}

/**
 * Listen to the server. The browser connects again by itself; `back` is called each time it has.
 * @param {{saved?: Function, job?: Function, library?: Function, back?: Function, away?: Function}} handlers
 */
export function listen(handlers) {
  const stream = new EventSource("/api/events");
  for (const kind of ["saved", "job", "library"]) {
    stream.addEventListener(kind, (event) => handlers[kind]?.(JSON.parse(event.data)));
  }
  stream.addEventListener("open", () => handlers.back?.());
  stream.addEventListener("error", () => handlers.away?.());
  return stream;
}
