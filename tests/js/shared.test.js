import assert from "node:assert/strict";
import { test } from "node:test";
import { everyNode, isSameNode, listenTo, nodePath } from "../../web/js/shared/graph.js";
import { imageUrl, messageOf } from "../../web/js/shared/server.js";
import { isSameFile } from "../../web/js/shared/file_names.js";
import { followWidget, inputSlot, linkInto, offer, setWidget } from "../../web/js/shared/widgets.js";
import { app } from "./support/app.js";
import { makeGraph, makeNode, setRoot } from "./support/graphs.js";

function nested() {
  const inner = makeNode({ id: 3, type: "Inner" });
  const middle = { ...makeNode({ id: 5, type: "Sub" }), subgraph: makeGraph("deep", inner) };
  const outer = { ...makeNode({ id: 7, type: "Sub" }), subgraph: makeGraph("sub", middle) };
  setRoot(outer, makeNode({ id: 8 }));
  return { inner, middle, outer };
}

test("an execution id names a path through subgraphs", () => {
  const { inner, middle, outer } = nested();
  assert.deepEqual(nodePath("7:5:3"), [outer, middle, inner]);
  assert.deepEqual(nodePath(7), [outer]);
  for (const id of ["9", "7:9", "8:1", "", null, undefined, {}]) assert.deepEqual(nodePath(id), []);
});

test("every node of a subgraph is visited", () => {
  nested();
  assert.deepEqual([...everyNode()].map(({ id }) => id), [7, 5, 3, 8]);
});

test("nodes are compared by id and graph, since the front end hands out proxies", () => {
  const { inner, middle } = nested();
  assert.ok(isSameNode(inner, new Proxy(inner, {})));
  assert.ok(!isSameNode(inner, middle));
  assert.ok(!isSameNode(inner, { ...inner, graph: { id: "other" } }));
});

test("listeners run before a node's own callback, which keeps its result", () => {
  const calls = [];
  const node = { onExecuted: (output) => calls.push(`own ${output}`) };
  listenTo(node, "onExecuted", (output) => calls.push(`first ${output}`));
  listenTo(node, "onExecuted", (output) => calls.push(`second ${output}`));
  assert.equal(node.onExecuted("x"), 3);
  assert.deepEqual(calls, ["second x", "first x", "own x"]);
  listenTo(node, "onRemoved", () => calls.push("removed"));
  node.onRemoved();
  assert.equal(calls.at(-1), "removed");
});

test("an equal value changes no widget; another one calls its callback", () => {
  const node = makeNode({ widgets: { size: 1 } });
  setWidget(node, "size", 1);
  setWidget(node, "unknown", 1);
  assert.deepEqual(node.calls, []);
  setWidget(node, "size", 2);
  assert.deepEqual(node.calls, [["size", 2, app.canvas, node]]);
});

test("a widget that had nothing to choose takes the first of other choices; others keep theirs", () => {
  for (const [value, chosen] of [
    ["nobody saved yet - use InstantID Save Identity", "anna"],
    ["none saved yet - use InstantID Learn Direction", "anna"],
    [undefined, "anna"],
    ["bo", "bo"],
    ["a file that is gone", "a file that is gone"],
  ]) {
    const node = makeNode({ widgets: { file: value } });
    node.widgets[0].options = {};
    offer(node, "file", ["anna", "bo"]);
    assert.deepEqual([node.widgets[0].options.values, node.widgets[0].value], [["anna", "bo"], chosen]);
    offer(node, "file", []);
    assert.deepEqual(node.widgets[0].options.values, ["anna", "bo"], "an answer without any");
    offer(node, "unknown", ["anna"]);
  }
});

test("a widget is followed after its own callback, whose result it keeps", () => {
  const calls = [];
  const widget = { name: "size", callback: (value) => calls.push(`own ${value}`) };
  const node = { widgets: [widget] };
  followWidget(node, "size", () => calls.push("listener"));
  followWidget(node, "unknown", () => calls.push("never"));
  assert.equal(widget.callback(3), 1);
  assert.deepEqual(calls, ["own 3", "listener"]);
});

test("an input has a number, and none if it is not there", () => {
  const node = { inputs: [{ name: "a" }, { name: "b" }] };
  assert.deepEqual([inputSlot(node, "b"), inputSlot(node, "c"), inputSlot({}, "a")], [1, -1, -1]);
});

test("names that differ in separators mean one file", () => {
  assert.ok(isSameFile("people\\anna.safetensors", "people/anna.safetensors"));
  assert.ok(!isSameFile("people/anna.safetensors", "anna.safetensors"));
});

test("a link is found by the input's name or its widget's, link 0 included", () => {
  const inputs = [{ name: "a", link: 0 }, { name: "b", link: null }, { name: "c", widget: { name: "d" }, link: 5 }];
  const links = ["a", "b", "d", "e"].map((name) => linkInto({ inputs }, name));
  assert.deepEqual(links, [0, null, 5, null]);
  assert.equal(linkInto({}, "a"), null);
});

test("addresses of images are encoded", () => {
  const image = { filename: "a&b.png", subfolder: "x/y", type: "temp" };
  assert.equal(imageUrl(image), "/api/view?filename=a%26b.png&subfolder=x%2Fy&type=temp");
});

test("anything thrown has a message", () => {
  assert.deepEqual([new Error("Bad."), "text"].map(messageOf), ["Bad.", "text"]);
});
