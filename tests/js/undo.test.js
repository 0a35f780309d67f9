import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { acceptSize, asOneStep } from "../../web/js/shared/undo.js";
import { app } from "./support/app.js";
import { makeGraph, makeNode, setRoot } from "./support/graphs.js";

const manager = app.extensionManager;

afterEach(() => {
  app.extensionManager = manager;
});

function withState(activeState) {
  app.extensionManager = { ...manager, workflow: { activeWorkflow: { changeTracker: { activeState } } } };
  return activeState;
}

test("a node's size becomes part of the state that undo compares with", () => {
  const node = { ...makeNode({ id: 3 }), size: new Float32Array([320, 200]) };
  setRoot(node);
  const state = withState({ nodes: [{ id: 2, size: [1, 1] }, { id: "3", size: [200, 60] }] });
  acceptSize(node);
  assert.deepEqual(state.nodes.map(({ size }) => size), [[1, 1], [320, 200]]);
});

test("in a subgraph it is the subgraph's state", () => {
  const node = { ...makeNode({ id: 3 }), size: [320, 200] };
  setRoot();
  node.graph = makeGraph("inner", node);
  const inner = { id: "inner", nodes: [{ id: 3, size: [200, 60] }] };
  const state = withState({ nodes: [{ id: 3, size: [1, 1] }], definitions: { subgraphs: [inner] } });
  acceptSize(node);
  assert.deepEqual(inner.nodes[0].size, [320, 200]);
  assert.deepEqual(state.nodes[0].size, [1, 1]);
});

test("without a history, or a node in it, nothing happens", () => {
  const node = { ...makeNode({ id: 3 }), size: [320, 200] };
  setRoot(node);
  acceptSize(node);
  withState({ nodes: [] });
  acceptSize(node);
});

test("a change is announced before and after, as one step", () => {
  const { canvas } = app;
  const calls = [];
  app.canvas = {
    emitBeforeChange: () => calls.push("before"),
    emitAfterChange: () => calls.push("after"),
  };
  asOneStep(() => calls.push("change"));
  app.canvas = canvas;
  assert.deepEqual(calls, ["before", "change", "after"]);
});
