import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { facesOfRuns, findFaces, findFacesFor, rememberedRuns } from "../../web/js/panels/find_faces.js";
import { api } from "./support/api.js";
import { app } from "./support/app.js";
import { makeNode, setRoot } from "./support/graphs.js";

const PROMPT = {
  1: { class_type: "LoadImage", inputs: { image: "me.png" } },
  2: { class_type: "InstantIDAnalyzeFaces", inputs: { image: ["1", 0], select: "largest", min_score: 0.5 } },
  3: { class_type: "KSampler", inputs: { faces: ["2", 0] } },
};
const FOUND = { 2: { instantid_faces: ["[]"] } };
const run = (number, outputs = FOUND, prompt = PROMPT) => ({ prompt: [number, "id", prompt], outputs });

/** The graph of PROMPT. */
function graph({ photo = "me.png", select = "largest", minimum = 0.5 } = {}) {
  const source = makeNode({ id: 1, type: "LoadImage", widgets: { image: photo } });
  const node = makeNode({
    id: 2,
    type: "InstantIDAnalyzeFaces",
    widgets: { select, min_score: minimum },
    links: { image: source },
  });
  setRoot(source, node);
  return node;
}

beforeEach(() => {
  api.answers.length = api.requests.length = 0;
  app.prompt = PROMPT;
});

test("the analysis alone is run, with something that wants its result", async () => {
  const node = graph();
  api.answers = [[200, { prompt_id: "p" }], [200, { p: { outputs: FOUND } }]];
  assert.deepEqual(await findFaces(app, node, () => true), ["[]"]);
  const { prompt } = JSON.parse(api.requests[0].body);
  assert.deepEqual(Object.keys(prompt), ["1", "2", "instantid_compose_count"]);
  assert.deepEqual(prompt.instantid_compose_count.inputs.source, ["2", 3]);
});

test("a release that sends nothing for a cached node is asked for the run before", async () => {
  const node = graph();
  const outputs = { instantid_compose_count: { text: ["1"] } };
  api.answers = [[200, { prompt_id: "p" }], [200, { p: { outputs } }], [200, { q: run(1) }]];
  assert.deepEqual(await findFaces(app, node, () => true), ["[]"]);
  api.answers = [[200, { prompt_id: "p" }], [200, { p: { outputs } }], [500, {}]];
  await assert.rejects(findFaces(app, node, () => true), /run the workflow/);
});

test("a node that does not run is a sentence", async () => {
  const node = graph();
  app.prompt = {};
  await assert.rejects(findFaces(app, node, () => true), /does not run/);
});

test("a run is remembered while what it depended on is the same", () => {
  assert.deepEqual(facesOfRuns([run(1)], graph()), ["[]"]);
  assert.deepEqual(facesOfRuns([run(1)], graph({ select: "index" })), ["[]"], "whichever face is chosen");
  for (const other of [{ photo: "other.png" }, { minimum: 0.4 }]) {
    assert.equal(facesOfRuns([run(1)], graph(other)), null, JSON.stringify(other));
  }
  const node = graph();
  node.getInputNode = () => makeNode({ id: 7, type: "LoadImage", widgets: { image: "me.png" } });
  assert.equal(facesOfRuns([run(1)], node), null, "another source");
  assert.equal(facesOfRuns([run(1, {})], graph()), null);
  const muted = graph();
  muted.mode = 2;
  assert.equal(facesOfRuns([run(1)], muted), null);
});

test("the latest run comes first", async () => {
  api.answers = [[200, { a: run(3), b: run(12), c: run(7) }]];
  const runs = await rememberedRuns(api);
  assert.deepEqual(runs.map(({ prompt }) => prompt[0]), [12, 7, 3]);
});

test("a node with a photo of its own gets an analysis of it", async () => {
  const analyzer = { class_type: "InstantIDLoadFaceAnalyzer", inputs: {} };
  const apply = { class_type: "InstantIDApply", inputs: { image: ["1", 0], analyzer: ["5", 0], model: ["9", 0] } };
  const model = { class_type: "CheckpointLoaderSimple", inputs: {} };
  app.prompt = { 1: PROMPT[1], 5: analyzer, 6: apply, 9: model };
  const node = makeNode({ id: 6, type: "InstantIDApply" });
  setRoot(node);
  const outputs = { instantid_compose_faces: { instantid_faces: ["[]"] } };
  api.answers = [[200, { prompt_id: "p" }], [200, { p: { outputs } }]];
  assert.deepEqual(await findFacesFor(app, node, () => true), ["[]"]);
  const { prompt } = JSON.parse(api.requests[0].body);
  assert.deepEqual(Object.keys(prompt).sort(), [
    "1",
    "5",
    "instantid_compose_count",
    "instantid_compose_faces",
  ]);
  delete apply.inputs.image;
  await assert.rejects(findFacesFor(app, node, () => true), /Connect a photo to image/);
});
