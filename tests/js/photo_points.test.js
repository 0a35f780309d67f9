import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { watchOpening } from "../../web/js/editor/opened_subgraphs.js";
import { facesInput, findPhotoPose } from "../../web/js/editor/photo_points.js";
import { upstreamSnapshot } from "../../web/js/editor/upstream.js";
import { ancestors } from "../../web/js/shared/partial_run.js";
import { api } from "./support/api.js";
import { app } from "./support/app.js";
import { makeGraph, makeNode, setRoot } from "./support/graphs.js";

const PROMPT = {
  1: { class_type: "LoadImage", inputs: { image: "me.png" } },
  2: { class_type: "InstantIDAnalyzeFaces", inputs: { image: ["1", 0] } },
  3: { class_type: "InstantIDPose", inputs: { faces: ["2", 0] } },
  4: { class_type: "KSampler", inputs: { x: ["3", 0] } },
};

beforeEach(() => {
  api.answers.length = api.requests.length = 0;
  app.locale = "en";
  app.prompt = PROMPT;
});

/** InstantID Pose as node 3 of the root graph. */
function poseNode() {
  const node = makeNode({ id: 3 });
  setRoot(node);
  return node;
}

test("everything upstream belongs to the prompt, nothing else", () => {
  assert.deepEqual(Object.keys(ancestors(PROMPT, "2")), ["1", "2"]);
  const loop = { 1: { class_type: "A", inputs: { a: ["2", 0] } }, 2: { class_type: "B", inputs: { b: ["1", 0] } } };
  assert.deepEqual(Object.keys(ancestors(loop, "1")), ["1", "2"]);
  assert.deepEqual(ancestors(PROMPT, "9"), {});
});

test("a pose is found by a small prompt", async () => {
  const node = poseNode();
  const outputs = { instantid_compose_probe: { instantid_pose: ["the pose"] } };
  api.answers = [[200, { prompt_id: "p" }], [200, {}], [200, { p: { outputs } }]];
  assert.equal(await findPhotoPose(app, node, () => true), "the pose");
  const { prompt } = JSON.parse(api.requests[0].body);
  assert.deepEqual(Object.keys(prompt).sort(), [
    "1",
    "2",
    "instantid_compose_probe",
    "instantid_compose_view",
  ]);
  assert.deepEqual(prompt.instantid_compose_probe.inputs.faces, ["2", 0]);
});

test("each failure is a sentence", async () => {
  const node = poseNode();
  const ask = (...answers) => {
    api.answers = answers;
    return findPhotoPose(app, node, () => true);
  };
  const node_errors = { 1: { errors: [{ details: "no such file" }] } };
  await assert.rejects(ask([400, { error: { message: "Invalid." }, node_errors }]), {
    message: "The server rejected the photo: Invalid. no such file",
  });
  const messages = [["execution_start", {}], ["execution_error", { exception_message: " Bad. " }]];
  await assert.rejects(ask([200, { prompt_id: "p" }], [200, { p: { status: { messages } } }]), {
    message: "Bad.",
  });
  await assert.rejects(ask([200, { prompt_id: "p" }], [200, { p: { outputs: {} } }]), {
    message: "The server found nothing in the photo.",
  });
  api.answers = [[200, { prompt_id: "p" }]];
  await assert.rejects(findPhotoPose(app, node, () => false), /search was stopped/);
});

test("a node that leads nowhere is reported", async () => {
  app.prompt = { 3: { class_type: "InstantIDPose", inputs: { faces: "x" } } };
  await assert.rejects(findPhotoPose(app, poseNode(), () => true), /not connected to a node/);
});

test("in a subgraph with two photos the opened instance decides", () => {
  const inner = makeNode({ id: 5 });
  const subgraph = makeGraph("sub", inner);
  const [one, two] = [10, 11].map((id) => ({ ...makeNode({ id, type: "Sub" }), subgraph }));
  setRoot(one, two);
  const instance = (source) => ({ class_type: "InstantIDPose", inputs: { faces: [source, 0] } });
  const prompt = { "10:5": instance("1"), "11:5": instance("2") };
  assert.throws(() => facesInput(prompt, inner), /used several times/);
  assert.deepEqual(facesInput({ "10:5": instance("1"), "11:5": instance("1") }, inner), ["1", 0]);
  const canvas = new EventTarget();
  watchOpening({ canvas });
  const detail = { fromNode: two, subgraph };
  canvas.dispatchEvent(new CustomEvent("subgraph-opened", { detail }));
  assert.deepEqual(facesInput(prompt, inner), ["2", 0]);
});

test("a snapshot changes with anything upstream, and with nothing else", () => {
  const load = makeNode({ id: 1, type: "LoadImage", widgets: { image: "a.png" } });
  const analyze = makeNode({ id: 2, widgets: { index: 0 }, links: { image: load } });
  const node = makeNode({ id: 3, widgets: { preset: "up" }, links: { faces: analyze } });
  const other = makeNode({ id: 4, widgets: { seed: 1 } });
  setRoot(load, analyze, node, other);
  const before = upstreamSnapshot(node);
  node.widgets[0].value = "down";
  other.widgets[0].value = 2;
  assert.equal(upstreamSnapshot(node), before);
  load.widgets[0].value = "b.png";
  const after = upstreamSnapshot(node);
  assert.notEqual(after, before);
  analyze.mode = 4;
  assert.notEqual(upstreamSnapshot(node), after);
});

test("in a subgraph that is used twice a snapshot is ambiguous", () => {
  const inner = makeNode({ id: 5 });
  const subgraph = makeGraph("sub", inner);
  const instance = (id) => ({ ...makeNode({ id, type: "Sub" }), subgraph });
  setRoot(instance(10));
  assert.equal(typeof upstreamSnapshot(inner), "string");
  setRoot(instance(10), instance(11));
  assert.equal(upstreamSnapshot(inner), null);
});
