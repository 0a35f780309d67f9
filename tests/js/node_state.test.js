import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { connectedEdits, readNode, restoreDefaults, writeNode } from "../../web/js/editor/node_state.js";
import { parseImageName, photoOf, takesPhoto } from "../../web/js/editor/photo_source.js";
import { writePose } from "../../web/js/editor/pose_text.js";
import { app } from "./support/app.js";
import { makeNode } from "./support/graphs.js";
import { assertClose, FRONT } from "./support/numbers.js";

const FRAME = { width: 640, height: 480 };
const TEXT = writePose([FRONT], FRAME);
const WIDGETS = {
  preset: "front",
  width: 640,
  height: 480,
  face_height: 0.53,
  eye_line: 0.34,
  center_x: 0.5,
  scale: 1,
  rotate: 0,
  mirror: false,
  limb_opacity: 1,
  point_opacity: 1,
  pose_json: "",
};
const pose = (widgets = {}, links = {}) => makeNode({ widgets: { ...WIDGETS, ...widgets }, links });

beforeEach(() => {
  app.locale = "en";
});

test("a new node starts from its preset", () => {
  const { frame, faces, notices, style } = readNode(pose());
  assert.deepEqual(frame, FRAME);
  assert.deepEqual([faces.length, notices, style], [1, [], { limbs: 1, points: 1 }]);
  assertClose((faces[0][0][0] + faces[0][1][0]) / 2, 320, 1e-3);
  assertClose(faces[0][0][1], 0.34 * 480, 1e-3);
});

test("a saved pose is read with the node's edits, and reset ignores it", () => {
  const text = writePose([FRONT.map(([x, y]) => [x - 100, y])], FRAME);
  const start = readNode(pose({ pose_json: text, mirror: true, scale: 2 }));
  assertClose(start.faces[0][1][0] - start.faces[0][0][0], 240, 1e-3);
  assertClose(start.faces[0][2][0], 420, 1e-3);
  const reset = start.reset();
  assert.notDeepEqual(reset, start.faces);
  assertClose(reset[0][1][0] - reset[0][0][0], 2 * 0.3594 * 0.53 * 480, 1e-2);
});

test("a text that is not a pose is reported, and the preset is used", () => {
  const { faces, notices } = readNode(pose({ pose_json: "{" }));
  assert.equal(faces.length, 1);
  assert.deepEqual(notices, [
    "The pose is not valid JSON. The editor starts from the node's preset instead.",
  ]);
});

test("sides that cannot be used are reported", () => {
  for (const width of [0, -5, 9000, "x", null]) {
    const { frame, notices } = readNode(pose({ width }));
    assert.equal(frame.width, 1016);
    assert.match(notices[0], /^The width of the frame is .+; 1016 is used instead\.$/);
  }
  const { notices } = readNode(pose({}, { height: null }));
  assert.match(notices[0], /^The height is connected/);
});

test("placement and opacity that are no numbers become the default", () => {
  const usual = readNode(pose());
  const odd = readNode(pose({ eye_line: "x", center_x: null, limb_opacity: "x", point_opacity: 7 }));
  assert.deepEqual(odd.faces, usual.faces);
  assert.deepEqual(odd.style, { limbs: 1, points: 1 });
  assert.deepEqual(readNode(pose({ preset: "unknown" })).faces, usual.faces);
});

test("a photo's faces are used once they are known, without them a notice says so", () => {
  const node = pose({}, { faces: null });
  assert.match(readNode(node).notices[0], /takes its faces from a photo/);
  const { faces, notices } = readNode(node, TEXT);
  assertClose(faces, [FRONT], 1e-3);
  assert.deepEqual(notices, []);
  assert.notDeepEqual(readNode(pose(), TEXT).faces, faces, "the connection is gone");
});

test("writing a pose takes over the node's edits; an empty one leaves them", () => {
  const node = pose({ scale: 2, rotate: 30, mirror: true });
  writeNode(node, TEXT);
  const values = Object.fromEntries(node.widgets.map(({ name, value }) => [name, value]));
  assert.deepEqual(
    [values.pose_json, values.scale, values.rotate, values.mirror],
    [TEXT, 1, 0, false],
  );
  assert.deepEqual(node.calls.map(([name]) => name), ["pose_json", "scale", "rotate", "mirror"]);
  assert.deepEqual(node.calls[0].slice(2), [app.canvas, node]);
  const other = pose({ scale: 2, pose_json: TEXT });
  writeNode(other, "");
  assert.deepEqual(other.calls.map(([name, value]) => [name, value]), [["pose_json", ""]]);
});

test("values that would stop the graph go to their defaults, each with a sentence", () => {
  const node = pose({ width: 0, height: null, pose_json: "[]" });
  const sentences = restoreDefaults(node);
  assert.equal(sentences.length, 3);
  assert.match(sentences[1], /height of the frame is nothing/);
  assert.match(sentences[2], /pose_json was cleared/);
  assert.deepEqual(node.calls.map(([name, value]) => [name, value]), [
    ["width", 1016],
    ["height", 1016],
    ["pose_json", ""],
  ]);
  assert.deepEqual(restoreDefaults(node), []);
});

test("sound values, blank texts and connected texts stay", () => {
  const sound = pose({ pose_json: TEXT });
  const blank = pose({ pose_json: " \n" });
  const connected = pose({ pose_json: "{" }, { pose_json: null });
  for (const node of [sound, blank, connected]) {
    assert.deepEqual([restoreDefaults(node), node.calls], [[], []]);
  }
});

test("a widget's own limits decide which side is sound", () => {
  const node = pose({ width: 32 });
  node.widgets.find(({ name }) => name === "width").options = { min: 16, max: 100 };
  assert.deepEqual(restoreDefaults(node).length, 0);
});

test("connected edits are listed", () => {
  assert.deepEqual(connectedEdits(pose({}, { scale: null, faces: null })), ["scale"]);
});

test("the photo is that of the nearest Load Image upstream of faces", () => {
  const load = makeNode({ type: "LoadImage", widgets: { image: "a/b/me.png [output]" } });
  const analyze = makeNode({ type: "InstantIDAnalyzeFaces", links: { analyzer: null, image: load } });
  const node = pose({}, { faces: analyze });
  assert.ok(takesPhoto(node));
  assert.deepEqual(photoOf(node), { filename: "me.png", subfolder: "a/b", type: "output" });
  assert.equal(photoOf(pose()), null);
  let far = load;
  for (let i = 0; i < 5; i++) far = makeNode({ type: "Reroute", links: { x: far } });
  assert.equal(photoOf(pose({}, { faces: far })), null);
});

test("names of images have folder and type", () => {
  assert.deepEqual(parseImageName("me.png"), { filename: "me.png", subfolder: "", type: "input" });
  const odd = { filename: "x [1] y.png", subfolder: "", type: "temp" };
  assert.deepEqual(parseImageName("x [1] y.png [temp]"), odd);
});
