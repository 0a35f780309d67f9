import assert from "node:assert/strict";
import { test } from "node:test";
import { fitOf, project } from "../../web/js/editor/face_model.js";
import { headLines, headOf } from "../../web/js/editor/head.js";
import { MOST, pinch, Zoom } from "../../web/js/editor/zoom.js";
import { assertClose, FRONT } from "./support/numbers.js";

/** Where a point of the frame, in pixels of the whole view, is shown. */
const shown = ({ factor, middle }, point) => point.map((value, i) => value * factor + middle[i]);

test("what is under the pointer stays there while the frame is enlarged", () => {
  const zoom = new Zoom();
  for (const by of [2, 1.5, 0.5]) {
    const position = [30, -40];
    const point = position.map((value, i) => (value - zoom.middle[i]) / zoom.factor);
    zoom.at(position, by);
    assertClose(shown(zoom, point), position);
  }
  assertClose(zoom.factor, 1.5);
});

test("enlargement has limits, and the smallest is the whole frame", () => {
  const zoom = new Zoom();
  zoom.at([10, 10], 1000);
  assert.equal(zoom.factor, MOST);
  assert.ok(!zoom.isWhole);
  zoom.at([50, 0], 1e-9);
  assert.ok(zoom.isWhole);
});

test("some of the frame stays on the stage", () => {
  const zoom = new Zoom();
  zoom.move([9000, -9000]);
  zoom.keepInside([400, 300], [200, 200]);
  assert.deepEqual(zoom.middle, [260, -210]);
});

test("two fingers enlarge about their middle, one only moves", () => {
  const { by, middle, way } = pinch([[0, 0], [10, 0]], [[0, 0], [20, 0]]);
  assert.deepEqual([by, middle, way], [2, [10, 0], [5, 0]]);
  assert.deepEqual(pinch([[1, 1], [1, 1]], [[4, 5], [4, 5]]), { by: 1, middle: [4, 5], way: [3, 4] });
});

const PLACE = { size: 100, x: 200, y: 200 };
const bounds = (line) => {
  const xs = line.map(([x]) => x);
  return [Math.min(...xs), Math.max(...xs)];
};

test("a head looks where its face does", () => {
  const nose = (yaw) => headLines({ yaw, pitch: 0, roll: 0 }, PLACE)[4][1][0] - PLACE.x;
  assert.ok(nose(40) > 15 && nose(-40) < -15, "the nose goes to its side");
  assertClose(nose(0), 0, 1e-6);
  const middle = (yaw) => bounds(headLines({ yaw, pitch: 0, roll: 0 }, PLACE)[1]);
  assertClose(middle(0), [PLACE.x, PLACE.x], 1);
  assert.ok(middle(60)[1] > PLACE.x + 20, "the line down the face bends with it");
  const ears = (yaw) => headLines({ yaw, pitch: 0, roll: 0 }, PLACE).length - 5;
  assert.deepEqual([ears(0), ears(60), ears(-60)], [2, 1, 1], "the far ear is hidden");
});

test("the outline surrounds the points in every view", () => {
  for (const yaw of [-60, 0, 45]) {
    for (const pitch of [-30, 0, 30]) {
      const view = { yaw, pitch, roll: 20 };
      const [outline] = headLines(view, PLACE);
      const [left, right] = bounds(outline);
      for (const [x] of project(view, PLACE)) assert.ok(x > left - 12 && x < right + 12, `${yaw} ${pitch}`);
    }
  }
});

test("the head of a face is fitted once, and odd points give none or finite ones", () => {
  assert.equal(fitOf(FRONT), fitOf(FRONT));
  assert.ok(Math.abs(fitOf(FRONT).view.yaw) < 1);
  for (const face of [FRONT.map(() => [5, 5]), FRONT.map(() => [NaN, 0])]) {
    for (const point of headOf(face).flat(2)) assert.ok(Number.isFinite(point));
  }
});
