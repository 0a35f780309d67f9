import assert from "node:assert/strict";
import { test } from "node:test";
import { byUrgency, countOf } from "../../web/js/doctor/findings.js";
import { Board } from "../../web/js/messages/board.js";
import { helpFor, isOwn, isSentence, nameOf } from "../../web/js/messages/errors.js";

const message = (text, node = "1") => ({ node, text, severity: "warning", help: null });

test("a message stays with the workflow that queued its run", () => {
  const board = new Board();
  board.queued("run", "a.json");
  assert.equal(board.workflowOf("run", "b.json"), "a.json");
  assert.equal(board.workflowOf("of another page", "b.json"), "b.json");
  board.add("a.json", message("small"));
  assert.deepEqual(board.of("b.json"), []);
  assert.deepEqual(board.of("a.json").map(({ text }) => text), ["small"]);
});

test("messages are kept once each, until the next run", () => {
  const board = new Board();
  for (const one of [message("small"), message("small"), message("small", "2")]) board.add("a", one);
  assert.deepEqual(board.of("a").map(({ node }) => node), ["1", "2"]);
  board.clear("a");
  assert.deepEqual(board.of("a"), []);
});

test("runs that were queued long ago are forgotten", () => {
  const board = new Board();
  for (let run = 0; run <= 1000; run++) board.queued(`${run}`, "a");
  assert.equal(board.workflowOf("0", "b"), "b");
  assert.equal(board.workflowOf("1", "b"), "a");
});

const error = (type, text = "", node = "InstantIDApply") => ({
  exception_type: type,
  exception_message: text,
  node_type: node,
});

test("errors of this pack are those of its nodes, and its own in the nodes of others", () => {
  assert.ok(isOwn(error("RuntimeError")));
  assert.ok(isOwn(error("InstantID.ImageError", "", "KSampler")));
  assert.ok(!isOwn(error("RuntimeError", "", "KSampler")));
  assert.ok(!isOwn(error("RuntimeError", "", "InstantIDlike")));
  assert.ok(!isOwn({}));
});

test("only sentences of the pack are shown as they are", () => {
  assert.ok(isSentence(error("InstantID.NoFaceError")));
  assert.ok(!isSentence(error("torch.OutOfMemoryError")));
  assert.equal(nameOf(error("torch.OutOfMemoryError")), "OutOfMemoryError");
  assert.equal(nameOf(error("")), "Error");
});

test("a button is offered where it helps", () => {
  const pip = "insightface cannot be imported: run /python -m pip install insightface.";
  assert.equal(helpFor(error("InstantID.FaceModelError", pip)), "check");
  assert.equal(helpFor(error("InstantID.FaceModelError", "It is cut short.")), "models");
  assert.equal(helpFor(error("InstantID.CheckpointError", "It is cut short.")), "models");
  const none = "Found none. Use Get InstantID models in ComfyUI's menu.";
  assert.equal(helpFor(error("InstantID.IncompatibleModelError", none)), "models");
  assert.equal(helpFor(error("InstantID.NoFaceError", "No face was found.")), null);
  assert.equal(helpFor(error("RuntimeError", "Get InstantID models")), "check");
});

test("the Doctor's problems come first, the rest in its own order", () => {
  const findings = ["ok", "note", "problem", "ok", "problem"].map((state, check) => ({ state, check }));
  assert.deepEqual(byUrgency(findings).map(({ check }) => check), [2, 4, 1, 0, 3]);
  assert.equal(countOf(findings, "problem"), 2);
  assert.equal(findings[0].state, "ok", "the given list stays as it is");
});
