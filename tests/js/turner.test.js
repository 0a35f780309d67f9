import assert from "node:assert/strict";
import { test } from "node:test";
import { moved } from "../../web/js/editor/edits.js";
import { project } from "../../web/js/editor/face_model.js";
import { PoseModel } from "../../web/js/editor/model.js";
import { Turner } from "../../web/js/editor/turner.js";
import { assertClose, FRONT } from "./support/numbers.js";

const FRAME = { width: 640, height: 480 };

function start(...faces) {
  const model = new PoseModel(FRAME, faces);
  return { model, turner: new Turner(model) };
}

test("turning there and back restores the face", () => {
  const { model, turner } = start(FRONT);
  const { yaw } = turner.current.view;
  turner.turn({ yaw: 50 }, "turn yaw");
  assert.notDeepEqual(model.selected, FRONT);
  turner.turn({ yaw }, "turn yaw");
  assertClose(model.selected, FRONT, 1e-6);
  assert.equal(model.past.length, 1);
});

test("the view stays what was asked for, without a new fit", () => {
  const { turner } = start(FRONT);
  turner.turn({ pitch: 59 });
  const fitted = turner.current;
  assert.equal(fitted.view.pitch, 59);
  turner.turn({ roll: 12 });
  assert.equal(turner.current.view.pitch, 59);
  assert.equal(turner.current.residual, fitted.residual);
});

test("a face that has changed otherwise is fitted again", () => {
  const { model, turner } = start(FRONT, moved(FRONT, 50, 0));
  const first = turner.current;
  assert.equal(turner.current, first);
  model.editSelected((face) => moved(face, 10, 0));
  assertClose(turner.current.place.x, first.place.x + 10, 1e-6);
  model.select(1);
  assertClose(turner.current.place.x, first.place.x + 50, 1e-6);
});

test("a preset brings back the shape of the model, in place", () => {
  const bent = FRONT.map(([x, y], i) => [x, y + 9 * (i % 2)]);
  const { model, turner } = start(bent);
  const { place } = turner.current;
  turner.applyPreset("quarter_left");
  assertClose(model.selected, project({ yaw: -40, pitch: 0, roll: 0 }, place), 1e-9);
});

test("without a face there is nothing to turn", () => {
  const { model, turner } = start();
  turner.turn({ yaw: 5 });
  turner.applyPreset("up");
  assert.deepEqual([turner.current, model.canUndo], [null, false]);
});
