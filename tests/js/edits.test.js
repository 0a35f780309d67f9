import assert from "node:assert/strict";
import { test } from "node:test";
import * as edits from "../../web/js/editor/edits.js";
import { assertClose, FRONT, NUMBERS } from "./support/numbers.js";

const FRAME = { width: 640, height: 480 };

test("mirror, scale and rotation are the server's", () => {
  for (const { points, scale, rotate, mirror, edited } of NUMBERS.edits) {
    const flipped = mirror ? edits.mirrored(points, FRAME.width / 2) : points;
    assertClose(edits.reshaped(flipped, scale, rotate), edited, 1e-3);
  }
});

test("ovals are the server's", () => {
  for (const wanted of NUMBERS.ovals) {
    const { x, y, halfWidth, halfHeight, angle } = edits.ovalOf(wanted.points);
    assertClose([x, y], wanted.centre, 1e-9);
    assertClose([halfWidth, halfHeight], [wanted.half_width, wanted.half_height], 1e-9);
    assertClose(Math.cos(((angle - wanted.angle) * Math.PI) / 180), 1, 1e-9);
  }
});

test("edits leave the given face as it was", () => {
  const before = structuredClone(FRONT);
  edits.moved(FRONT, 3, 4);
  edits.withPoint(FRONT, 0, [1, 2]);
  edits.reshaped(FRONT, 2, 30);
  edits.mirroredInPlace(FRONT);
  edits.movedInside(FRONT, { width: 100, height: 100 });
  assert.deepEqual(FRONT, before);
});

test("a replaced point is a copy", () => {
  const point = [1, 2];
  const face = edits.withPoint(FRONT, 3, point);
  point[0] = 99;
  assert.deepEqual(face[3], [1, 2]);
  assert.deepEqual(face[2], FRONT[2]);
});

test("mirroring twice restores a face, and eyes stay left before right", () => {
  assertClose(edits.mirrored(edits.mirrored(FRONT, 100), 100), FRONT);
  const turned = edits.moved(FRONT, 0, 0).map(([x, y], i) => (i === 2 ? [x + 30, y] : [x, y]));
  const mirrored = edits.mirroredInPlace(turned);
  assert.ok(mirrored[0][0] < mirrored[1][0]);
  assertClose(edits.mirroredInPlace(mirrored), turned);
});

test("scaling and rotation keep the mean, and never collapse a face", () => {
  const mean = (face) => [0, 1].map((i) => face.reduce((sum, point) => sum + point[i], 0) / 5);
  const spread = (face) =>
    Math.max(...face.map((point) => Math.hypot(...point.map((v, i) => v - mean(face)[i]))));
  assertClose(mean(edits.reshaped(FRONT, 0.3, 77)), mean(FRONT));
  const tiny = edits.reshaped(FRONT, 0, 0);
  assertClose(spread(tiny), 2);
  assertClose(spread(edits.reshaped(tiny, 3, 0)), 6);
  const point = FRONT.map(() => [5, 5]);
  assert.deepEqual(edits.reshaped(point, 2, 45), point);
});

test("an oval without height stands upright or follows the eyes", () => {
  const eyesOnly = [[0, 0], [0, 10], [0, 5], [0, 0], [0, 10]];
  assert.equal(edits.ovalOf(eyesOnly).angle, 90);
  const { halfWidth, angle } = edits.ovalOf(FRONT.map(() => [1, 1]));
  assert.deepEqual([halfWidth, angle], [0, 0]);
});

test("a frame contains its left and upper edge only", () => {
  const corners = [[0, 0], [639.9, 479.9], [640, 0], [0, 480], [-0.1, 5]];
  assert.equal(edits.countOutside([corners, FRONT], FRAME), 3);
});

test("a face is moved inside by the shortest way, and shrunk only if it must be", () => {
  assert.deepEqual(edits.movedInside(FRONT, FRAME), FRONT);
  const left = edits.movedInside(edits.moved(FRONT, -1000, 0), FRAME);
  assertClose(Math.min(...left.map(([x]) => x)), 0.02 * 640);
  assertClose(left.map(([, y]) => y), FRONT.map(([, y]) => y));
  const large = edits.movedInside(edits.reshaped(FRONT, 50, 30), FRAME);
  assert.equal(edits.countOutside([large], FRAME), 0);
  const flat = FRONT.map(() => [-5, -5]);
  assertClose(edits.movedInside(flat, FRAME), FRONT.map(() => [12.8, 9.6]));
});
