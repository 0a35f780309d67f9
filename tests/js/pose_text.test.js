import assert from "node:assert/strict";
import { test } from "node:test";
import { asWritten, PoseTextError, readPose, writePose } from "../../web/js/editor/pose_text.js";
import { assertClose, FRONT, NUMBERS } from "./support/numbers.js";

const FRAME = { width: 640, height: 480 };
const document = (parts) =>
  JSON.stringify({ version: 1, extent: [640, 480], faces: [], ...parts });

test("texts and faces are the server's", () => {
  for (const { faces, document: wanted, read } of NUMBERS.texts) {
    const frame = { width: wanted.extent[0], height: wanted.extent[1] };
    const text = writePose(faces, frame);
    assert.deepEqual(JSON.parse(text), wanted);
    assert.deepEqual(asWritten(faces, frame), read);
    assert.deepEqual(readPose(text, frame), read);
    assertClose(read, faces, 1e-3);
  }
});

test("a pose of another frame is placed as the server places it", () => {
  for (const { document: pose, placed } of NUMBERS.texts) {
    for (const [name, faces] of Object.entries(placed)) {
      const [width, height] = name.split(" x ").map(Number);
      assertClose(readPose(JSON.stringify(pose), { width, height }), faces, 1e-4);
    }
  }
});

test("what the server refuses is refused with a sentence", () => {
  for (const text of NUMBERS.refused) {
    assert.throws(
      () => readPose(text, FRAME),
      (error) => error instanceof PoseTextError && /^[A-Z].*\.$/.test(error.message),
      text,
    );
  }
});

test("writing what was read changes nothing", () => {
  const text = writePose([FRONT, FRONT.map(([x, y]) => [x / 3, -y])], FRAME);
  assert.equal(writePose(readPose(text, FRAME), FRAME), text);
  assert.deepEqual(readPose(writePose([], FRAME), FRAME), []);
});

test("points far outside are written as far as the server reads them", () => {
  const [face] = asWritten([FRONT.map(() => [1e9, -1e9])], FRAME);
  assert.deepEqual(face[0], [64000, -48000]);
  assert.doesNotThrow(() => readPose(writePose([face], FRAME), FRAME));
});

test("long values are shortened in messages", () => {
  const faces = "x".repeat(500);
  assert.throws(() => readPose(document({ faces }), FRAME), (error) => error.message.length < 150);
});

test("a text longer than the server reads is refused", () => {
  const text = document({}).padEnd((1 << 20) + 1);
  assert.throws(() => readPose(text, FRAME), PoseTextError);
  assert.deepEqual(readPose(text.slice(0, 1 << 20), FRAME), []);
});
