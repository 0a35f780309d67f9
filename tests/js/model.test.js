import assert from "node:assert/strict";
import { test } from "node:test";
import { moved } from "../../web/js/editor/edits.js";
import { PoseModel } from "../../web/js/editor/model.js";
import { readPose } from "../../web/js/editor/pose_text.js";
import { FRONT } from "./support/numbers.js";

const FRAME = { width: 640, height: 480 };
const OTHER = moved(FRONT, 100, 20);
const right = (face) => moved(face, 1, 0);

test("the first face is selected, if there is one", () => {
  assert.equal(new PoseModel(FRAME, [FRONT, OTHER]).selected, FRONT);
  const empty = new PoseModel(FRAME, []);
  assert.deepEqual([empty.face, empty.selected], [-1, undefined]);
  empty.select(0);
  empty.editSelected(right);
  empty.removeSelected();
  empty.selectNext(1);
  assert.deepEqual([empty.face, empty.canUndo], [-1, false]);
});

test("undo and redo restore faces and selection", () => {
  const model = new PoseModel(FRAME, [FRONT, OTHER]);
  model.select(1, 3);
  model.editSelected(right);
  model.removeSelected();
  assert.deepEqual([model.faces.length, model.face, model.point], [1, 0, null]);
  model.undo();
  assert.deepEqual([model.faces.length, model.face], [2, 1]);
  model.undo();
  assert.deepEqual([model.faces, model.face, model.point], [[FRONT, OTHER], 1, 3]);
  assert.equal(model.canUndo, false);
  model.undo();
  model.redo();
  model.redo();
  assert.equal(model.canRedo, false);
  assert.equal(model.faces.length, 1);
});

test("a new edit after undo drops what could be redone", () => {
  const model = new PoseModel(FRAME, [FRONT]);
  model.editSelected(right);
  model.undo();
  model.editSelected((face) => moved(face, 0, 5));
  assert.equal(model.canRedo, false);
});

test("edits with one key are one step, until something else happens", () => {
  const model = new PoseModel(FRAME, [FRONT, OTHER]);
  const steps = () => model.past.length;
  for (let i = 0; i < 5; i++) model.editSelected(right, "drag");
  assert.equal(steps(), 1);
  model.endSeries();
  model.editSelected(right, "drag");
  assert.equal(steps(), 2);
  model.select(0, 2);
  model.editSelected(right, "drag");
  assert.equal(steps(), 3, "another point");
  model.editSelected(right);
  model.editSelected(right);
  assert.equal(steps(), 5, "without a key each edit is a step");
  model.editSelected(right, "drag");
  model.undo();
  model.editSelected(right, "drag");
  assert.equal(steps(), 6, "undo ends a series");
});

test("the history has a limit, and drops the oldest", () => {
  const model = new PoseModel(FRAME, [FRONT]);
  for (let i = 0; i < 250; i++) model.editSelected(right);
  for (let i = 0; i < 300; i++) model.undo();
  assert.deepEqual(model.selected, moved(FRONT, 50, 0));
});

test("selection stays within the faces and wraps around by steps", () => {
  const model = new PoseModel(FRAME, [FRONT, OTHER, FRONT]);
  model.select(9, 1);
  assert.deepEqual([model.face, model.point], [2, 1]);
  model.selectNext(1);
  assert.deepEqual([model.face, model.point], [0, null]);
  model.selectNext(-1);
  assert.equal(model.face, 2);
  model.edit([FRONT]);
  assert.equal(model.face, 0);
  model.edit([]);
  assert.equal(model.face, -1);
  model.edit([OTHER]);
  assert.equal(model.face, 0);
});

test("added faces are selected, in the frame and apart from each other", () => {
  const model = new PoseModel(FRAME, []);
  for (let i = 0; i < 4; i++) model.addFace();
  assert.equal(model.face, 3);
  const noses = model.faces.map((face) => face[2]);
  for (const [i, [x, y]] of noses.entries()) {
    assert.ok(x > 0 && x < 640 && y > 0 && y < 480);
    for (const [a, b] of noses.slice(i + 1)) assert.ok(Math.hypot(a - x, b - y) > 60);
  }
});

test("listeners hear of every change once", () => {
  const model = new PoseModel(FRAME, [FRONT]);
  let count = 0;
  model.listen(() => count++);
  model.editSelected(right);
  model.select(0, 1);
  model.undo();
  model.redo();
  assert.equal(count, 4);
  model.redo();
  assert.equal(count, 4);
});

test("the text has the faces with the server's precision", () => {
  const model = new PoseModel(FRAME, [FRONT.map(([x, y]) => [x + 1 / 3, y])]);
  assert.deepEqual(readPose(model.text, FRAME), model.written);
});
