import assert from "node:assert/strict";
import { test } from "node:test";
import { COLOURS, POINT_RADIUS } from "../../web/js/editor/drawing.js";
import * as model from "../../web/js/editor/face_model.js";
import { DEFAULT_PLACEMENT, DEFAULT_SIDE, VIEWS } from "../../web/js/editor/presets.js";
import { assertClose, FRONT, NUMBERS } from "./support/numbers.js";

test("tables are the server's", () => {
  const { model: wanted } = NUMBERS;
  assert.deepEqual(model.FACE_MODEL, wanted.face);
  assert.deepEqual(model.PIVOT, wanted.pivot);
  assert.deepEqual(model.MIRRORED_ORDER, wanted.mirrored_order);
  assert.deepEqual(VIEWS, wanted.views);
  assert.deepEqual(Object.keys(VIEWS), Object.keys(wanted.views));
  assert.deepEqual(DEFAULT_PLACEMENT, wanted.placement);
  assert.equal(DEFAULT_SIDE, wanted.side);
  assert.deepEqual(COLOURS, wanted.colours);
  assert.equal(POINT_RADIUS, wanted.point_radius);
});

test("projections are the server's", () => {
  for (const { view, place, points } of NUMBERS.projections) {
    assertClose(model.project(view, place), points);
  }
});

test("a rotation keeps lengths and right angles", () => {
  const [x, y, z] = model.rotation({ yaw: 33, pitch: -12, roll: 140 });
  const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  assertClose([dot(x, x), dot(y, y), dot(z, z)], [1, 1, 1], 1e-12);
  assertClose([dot(x, y), dot(y, z), dot(z, x)], [0, 0, 0], 1e-12);
});

test("a fit finds view and place of a projection", () => {
  for (const { view, place, points } of NUMBERS.projections) {
    const found = model.fit(points);
    for (const name of ["yaw", "pitch", "roll"]) assertClose(found.view[name], view[name], 0.1);
    assertClose(found.place.size, place.size, 1e-3 * place.size);
    assertClose(found.residual.flat(), Array(10).fill(0), 1e-3);
  }
});

test("the fitted face in its own view is the face, whatever its shape", () => {
  for (const face of [FRONT, ...NUMBERS.ovals.map(({ points }) => points)]) {
    const fitted = model.fit(face);
    assertClose(model.rotatedFace(fitted, fitted.view), face, 1e-6);
  }
});

test("the residual turns with the face", () => {
  const dent = FRONT.map(([x, y], i) => [x, y + (i === 2 ? 15 : 0)]);
  const fitted = model.fit(dent);
  const turned = model.rotatedFace(fitted, { ...fitted.view, roll: fitted.view.roll + 90 });
  const back = turned.map((point) => model.rotate(point, -90));
  const shift = [0, 1].map((i) => dent[0][i] - back[0][i]);
  assertClose(back.map(([x, y]) => [x + shift[0], y + shift[1]]), dent, 1e-6);
});

test("five equal points have a fit of finite numbers", () => {
  const { view, place, residual } = model.fit(FRONT.map(() => [7, 7]));
  const numbers = [...Object.values(view), ...Object.values(place), ...residual.flat()];
  assert.ok(numbers.every(Number.isFinite));
  assert.ok(place.size > 0);
});

test("positive angles rotate clockwise on screen", () => {
  assertClose(model.rotate([1, 0], 90), [0, 1]);
  assertClose(model.degrees(model.radians(-37)), -37);
});
