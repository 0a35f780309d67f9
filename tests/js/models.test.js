import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import * as missing from "../../web/js/models/missing.js";
import { ModelServer } from "../../web/js/models/server.js";
import { readableSize } from "../../web/js/models/size.js";
import { api } from "./support/api.js";

const server = new ModelServer(api, "No answer.");

beforeEach(() => {
  api.answers.length = api.requests.length = 0;
});

test("requests carry the header that other sites cannot send", async () => {
  api.answers = [[200, { running: true }]];
  assert.deepEqual(await server.download(["adapter"]), { running: true });
  const [{ path, method, body, headers }] = api.requests;
  assert.deepEqual([path, method], ["/instantid_compose/models/download", "POST"]);
  assert.deepEqual(JSON.parse(body), { ids: ["adapter"] });
  assert.equal(headers["X-InstantID-Compose"], "1");
});

test("a refusal is the server's sentence, or the status", async () => {
  api.answers = [[409, { error: "A download is running." }]];
  await assert.rejects(server.cancel(), { message: "A download is running." });
  api.answers = [[500, undefined]];
  await assert.rejects(server.progress(), { message: "No answer. (500)" });
});

test("a server that does not respond is reported with its cause", async () => {
  const cause = new TypeError("Failed to fetch");
  api.answers = [cause];
  await assert.rejects(server.list(), (error) => error.message === "No answer." && error.cause === cause);
});

test("sizes are in powers of ten", () => {
  const sizes = [1_691_134_141, 999_600_000, 360_662_982, 0].map(readableSize);
  assert.deepEqual(sizes, ["1.69 GB", "1000 MB", "361 MB", "0 MB"]);
});

const loader = (value, values) => ({ name: "adapter_name", value, options: { values } });

test("a file is found again under the separators of another system", () => {
  const offered = ["a\\b.bin", "c.bin"];
  assert.equal(missing.sameFileElsewhere(loader("a/b.bin", offered)), "a\\b.bin");
  assert.equal(missing.sameFileElsewhere(loader("c.bin", offered)), undefined);
  assert.equal(missing.sameFileElsewhere(loader("d.bin", offered)), undefined);
  assert.equal(missing.sameFileElsewhere(loader("a/b.bin", () => offered)), undefined);
});

test("an empty list of adapters is recognised by its placeholder", () => {
  assert.ok(missing.isPlaceholder("no file found - see Get InstantID models"));
  assert.ok(!missing.isPlaceholder("ip-adapter.bin"));
  assert.ok(!missing.isPlaceholder(undefined));
});

test("a rejected prompt is about a missing file only for the pack's loaders and IdentityNet", () => {
  const rejected = (class_type, received_value) =>
    missing.isFileMissing({ 1: { class_type, errors: [{ extra_info: { received_value } }, {}] } });
  assert.ok(rejected("InstantIDLoadAdapter"));
  assert.ok(rejected("InstantIDLoadModels"));
  assert.ok(rejected("ControlNetLoader", "x/diffusion_pytorch_model.safetensors"));
  assert.ok(rejected("ControlNetLoader", "InstantID.safetensors"));
  assert.ok(!rejected("ControlNetLoader", "canny.safetensors"));
  assert.ok(!rejected("KSampler"));
  assert.ok(!missing.isFileMissing(null));
});

test("file widgets belong to the loaders of the adapter and of ControlNets", () => {
  const names = ["InstantIDLoadAdapter", "ControlNetLoader", "InstantIDLoadModels", "LoadImage", undefined];
  const found = names.map((comfyClass) => missing.fileWidgetNames({ comfyClass }));
  const both = ["adapter_name", "control_net_name"];
  assert.deepEqual(found, [["adapter_name"], ["control_net_name"], both, [], []]);
});

test("a loaded workflow may name a file that is not there", () => {
  const isMissing = (comfyClass, value, offered) =>
    missing.isMissing({ comfyClass }, loader(value, offered));
  assert.ok(isMissing("InstantIDLoadAdapter", "a.bin", ["b.bin"]));
  assert.ok(isMissing("InstantIDLoadModels", "a.bin", ["no file found - see Get InstantID models"]));
  assert.ok(isMissing("ControlNetLoader", "instantid/x.safetensors", ["canny.safetensors"]));
  assert.ok(!isMissing("ControlNetLoader", "canny.safetensors", ["depth.safetensors"]));
  assert.ok(!isMissing("ControlNetLoader", "canny.safetensors", []));
  assert.ok(!isMissing("InstantIDLoadAdapter", "x/a.bin", ["x\\a.bin"]));
  assert.ok(!isMissing("InstantIDLoadAdapter", "a.bin", ["a.bin"]));
  assert.ok(!isMissing("InstantIDLoadAdapter", "a.bin", () => []));
});

test("a relative that InstantID does not need does not lack", () => {
  const model = (state, optional) => ({ state, optional });
  assert.ok(missing.isLacking(model("missing", false)));
  assert.ok(!missing.isLacking(model("missing", true)));
  assert.ok(!missing.isLacking(model("other", false)));
});

test("a muted or bypassed node lacks no file", () => {
  assert.deepEqual([0, 2, 4, undefined].map((mode) => missing.isOff({ mode })), [false, true, true, false]);
});
