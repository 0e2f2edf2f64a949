/** The session: edits are saved in order, kept while the server is away, and never lost or put over somebody else's. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { insert, relabel, split } from "../../../src/keyseg/studio/page/edits.js";
import { Session, keptKey, leftBehind } from "../../../src/keyseg/studio/page/session.js";

class Storage extends Map {
  getItem(key) { return this.get(key) ?? null; }
  setItem(key, value) { this.set(key, value); }
  removeItem(key) { this.delete(key); }
  key(i) { return [...this.keys()][i]; }
  get length() { return this.size; }
}

const POUR = { start_frame: 0, end_frame: 40, label: "pour", confidence: 0.5 };
const STIR = { start_frame: 40, end_frame: 90, label: "stir" };
const failure = (status, body = {}) => Object.assign(new Error(`status ${status}`), { status, body });
const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

/** A server of one row, as the real one answers, whose next answers can be planned. */
function serverOf(segments = [POUR, STIR], revision = 4) {
  const server = {
    row: { revision, segments }, seen: [], plans: [],
    async send({ splice, action, revision: against }) {
      server.seen.push(action);
      const plan = server.plans.shift();
      if (plan === "away") throw failure(0);
      if (plan === "invalid") throw failure(422);
      if (against !== server.row.revision) throw failure(409, { author: "Anna", row: server.row });
      const { at, removed, inserted } = splice;
      const there = server.row.segments.slice(at, at + removed.length);
      if (JSON.stringify(there) !== JSON.stringify(removed)) throw failure(400);
      const after = [...server.row.segments.slice(0, at), ...inserted, ...server.row.segments.slice(at + removed.length)];
      server.row = { revision: server.row.revision + 1, segments: after };
      if (plan === "answer lost") throw failure(0);
      return { revision: server.row.revision };
    },
  };
  return server;
}

function sessionOf(server, storage = new Storage()) {
  const timers = [];
  const session = new Session({ row: server.row, frames: 100, send: server.send, storage, key: "kept", later: (run) => timers.push(run) });
  const heard = [];
  session.addEventListener("state", ({ detail }) => detail.state === "conflict" && heard.push(detail.message));
  const tick = async () => { timers.splice(0).forEach((run) => run()); await settled(); };
  return { session, storage, heard, timers, tick };
}

test("edits arrive in their order, one at a time, and nothing is kept once they are saved", async () => {
  const server = serverOf();
  const { session, storage } = sessionOf(server);
  session.take(split(session.model, 10));
  session.take(relabel(session.model, 0, "wipe"));
  session.take(split(session.model, 60));
  assert.equal(session.unsaved, 3);
  assert.equal(storage.size, 1);
  await settled();
  assert.deepEqual(server.seen, ["split", "relabel", "split"]);
  assert.deepEqual(server.row.segments, session.segments);
  assert.equal(session.state, "saved");
  assert.equal(storage.size, 0);
});

test("nothing is sent for an edit that changes nothing", () => {
  const { session } = sessionOf(serverOf());
  assert.equal(session.take(null), false);
  assert.equal(session.unsaved, 0);
});

test("while the server is away edits are kept and tried again, with one timer", async () => {
  const server = serverOf();
  server.plans = ["away", "away"];
  const { session, storage, timers, tick } = sessionOf(server);
  session.take(split(session.model, 10));
  await settled();
  assert.equal(session.state, "away");
  session.take(split(session.model, 20));
  await settled();
  assert.equal(timers.length, 1);
  assert.equal(JSON.parse(storage.get("kept")).edits.length, 2);
  await tick();
  assert.equal(session.state, "saved");
  assert.deepEqual(server.row.segments, session.segments);
});

test("an edit whose answer was lost is not made twice", async () => {
  const server = serverOf();
  server.plans = ["answer lost"];
  const { session, heard, tick } = sessionOf(server);
  session.take(split(session.model, 10));
  session.take(split(session.model, 20));
  await settled();
  await tick();
  assert.deepEqual(heard, []);
  assert.equal(session.state, "saved");
  assert.equal(server.row.revision, 6);
  assert.deepEqual(server.row.segments, session.segments);
});

test("a page that is closed leaves its edits to the next one", async () => {
  const server = serverOf();
  server.plans = ["away"];
  const first = sessionOf(server);
  first.session.take(split(first.session.model, 10));
  await settled();
  assert.equal(server.row.revision, 4); // and its timers are never run again
  const left = JSON.parse(first.storage.get("kept"));
  const second = sessionOf(server);
  await second.session.resume(left);
  await settled();
  assert.equal(server.row.segments.length, 3);
  assert.deepEqual(server.row.segments, second.session.segments);
  assert.equal(second.session.undo(), "undo split");
});

test("edits that were left behind and had arrived after all are not made twice", async () => {
  const server = serverOf();
  server.plans = ["answer lost"];
  const first = sessionOf(server);
  first.session.take(split(first.session.model, 10));
  await settled();
  const second = sessionOf(server);
  await second.session.resume(JSON.parse(first.storage.get("kept")));
  assert.equal(second.session.state, "saved");
  assert.equal(server.row.revision, 5);
});

async function conflict() {
  const server = serverOf();
  const mine = sessionOf(server);
  await server.send({ ...relabel({ segments: server.row.segments, revision: 4, undo: [] }, 1, "whisk"), revision: 4 });
  const theirs = server.row;
  mine.session.take(split(mine.session.model, 10));
  mine.session.take(relabel(mine.session.model, 2, "cut"));
  await settled();
  return { server, theirs, ...mine };
}

test("a conflict stops the saving, says who, and keeps both versions", async () => {
  const { server, theirs, session, heard, storage } = await conflict();
  assert.deepEqual(heard, ["Anna"]);
  assert.equal(session.state, "conflict");
  assert.deepEqual(server.row, theirs);
  session.take(split(session.model, 70));
  await settled();
  assert.deepEqual(server.row, theirs);
  assert.equal(JSON.parse(storage.get("kept")).edits.length, 3);
  assert.equal(JSON.parse(storage.get("kept")).base.revision, 4);
});

test("theirs: their version alone, and nothing unsaved", async () => {
  const { server, theirs, session, storage } = await conflict();
  session.takeTheirs();
  assert.deepEqual(session.segments, theirs.segments);
  assert.equal(session.state, "saved");
  assert.equal(storage.size, 0);
  session.take(split(session.model, 70));
  await settled();
  assert.equal(server.row.segments.length, 3);
});

test("mine on top: what still fits is saved over theirs, what does not is counted", async () => {
  const { server, session } = await conflict();
  assert.equal(session.putMineOnTop(), 1);
  await settled();
  assert.deepEqual(server.row.segments.map(({ label }) => label), ["pour", "pour", "whisk"]);
  assert.equal(session.state, "saved");
  assert.deepEqual(server.row.segments, session.segments);
});

test("what others save appears, unless edits of mine wait", async () => {
  const server = serverOf();
  const { session } = sessionOf(server);
  assert.equal(session.update({ revision: 4, segments: [] }), false);
  assert.equal(session.update({ revision: 5, segments: [STIR] }), true);
  assert.deepEqual(session.segments, [STIR]);
  server.row = { revision: 5, segments: [STIR] };
  server.plans = ["away"];
  session.take(relabel(session.model, 0, "cut"));
  assert.equal(session.update({ revision: 6, segments: [] }), false);
});

test("what this person did in another way is taken back as one edit, but not to nothing", async () => {
  const server = serverOf();
  const { session } = sessionOf(server);
  const before = session.segments;
  session.update({ revision: 5, segments: [STIR] }, "import");
  server.row = { revision: 5, segments: [STIR] };
  assert.equal(session.undo(), "undo import");
  await settled();
  assert.deepEqual(server.row.segments, before);
  assert.equal(session.redo(), "redo import");
  assert.deepEqual(session.segments, [STIR]);
  const other = sessionOf(serverOf([])).session;
  other.update({ revision: 9, segments: [STIR] }, "copy");
  assert.equal(other.undo(), null);
});

test("undo and redo are saved as edits of their own, without limit", async () => {
  const server = serverOf([]);
  const { session } = sessionOf(server);
  for (let i = 0; i < 40; i++) session.take(insert(session.model, { start_frame: 2 * i, end_frame: 2 * i + 1, label: `class ${i}` }));
  const full = session.segments;
  for (let i = 0; i < 40; i++) assert.match(session.undo(), /^undo /);
  assert.deepEqual(session.segments, []);
  assert.equal(session.undo(), null);
  for (let i = 0; i < 40; i++) assert.match(session.redo(), /^redo /);
  await settled();
  assert.deepEqual(session.segments, full);
  assert.deepEqual(server.row.segments, full);
  assert.equal(server.row.revision, 4 + 120);
});

test("an edit that the server refuses stops the saving until their version is taken", async () => {
  const server = serverOf();
  server.plans = ["invalid"];
  const { session, timers } = sessionOf(server);
  session.take(split(session.model, 10));
  await settled();
  assert.equal(session.state, "refused");
  assert.equal(timers.length, 0);
  session.takeTheirs(server.row);
  session.take(split(session.model, 20));
  await settled();
  assert.equal(session.state, "saved");
});

test("full storage is reported and the edit is saved all the same", async () => {
  const server = serverOf();
  const storage = new Storage();
  storage.setItem = () => { throw new Error("QuotaExceededError"); };
  const { session } = sessionOf(server, storage);
  const notices = [];
  session.addEventListener("notice", ({ detail }) => notices.push(detail.message));
  session.take(split(session.model, 10));
  await settled();
  assert.match(notices[0], /storage is full/);
  assert.equal(server.row.revision, 5);
});

test("edits left behind are those of this folder that no open page holds", () => {
  const storage = new Storage();
  for (const [folder, video, page] of [["toys", "a", "1"], ["toys", "b", "2"], ["other", "a", "3"]]) storage.set(keptKey(folder, video, page), "{}");
  storage.set("keyseg-theme", "dark");
  assert.deepEqual(leftBehind(storage, "toys", new Set(["2"])).map(({ video }) => video), ["a"]);
  assert.deepEqual(leftBehind(storage, "toys", new Set()).map(({ video }) => video), ["a", "b"]);
});
