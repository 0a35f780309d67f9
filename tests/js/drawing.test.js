import assert from "node:assert/strict";
import { test } from "node:test";
import { drawFaces } from "../../web/js/editor/drawing.js";
import { moved } from "../../web/js/editor/edits.js";
import { assertClose, FRONT } from "./support/numbers.js";

/** Records the ellipses that are filled: colour, centre, half axes and angle. */
class Context {
  shapes = [];
  beginPath() {}
  ellipse(x, y, a, b, angle) {
    this.shape = { colour: this.fillStyle, centre: [x, y], axes: [a, b], angle };
  }
  fill() {
    this.shapes.push(this.shape);
  }
}

function draw(faces, ...rest) {
  const context = new Context();
  drawFaces(context, faces, ...rest);
  return context.shapes;
}

test("all sticks lie under all points", () => {
  const shapes = draw([FRONT, moved(FRONT, 40, 0)]);
  assert.equal(shapes.length, 18);
  const isDisc = shapes.map(({ axes: [a, b] }) => a === b);
  assert.deepEqual(isDisc, [...Array(8).fill(false), ...Array(10).fill(true)]);
});

test("sticks are dimmed and lead from each outer point to the nose", () => {
  const [stick] = draw([FRONT]);
  assert.equal(stick.colour, "rgb(153 0 0)");
  assert.deepEqual(stick.centre, [290.5, 190.5]);
  assert.deepEqual(stick.axes, [42.5, 4.5]);
  assertClose(stick.angle, (-135 * Math.PI) / 180);
});

test("brightness dims a part, and 0 leaves the points out", () => {
  assert.equal(draw([FRONT], { limbs: 0.5, points: 0 }).length, 4);
  assert.equal(draw([FRONT], { limbs: 0.5, points: 0 })[0].colour, "rgb(76 0 0)");
  assert.equal(draw([FRONT], { limbs: 0, points: 0.5 })[0].colour, "rgb(0 0 0)");
  assert.equal(draw([FRONT], { limbs: 0, points: 0.5 })[4].colour, "rgb(127 0 0)");
});

test("a smaller copy has smaller points, never below a pixel", () => {
  assert.deepEqual(draw([FRONT], undefined, 0.5).at(-1).axes, [5.5, 5.5]);
  assert.deepEqual(draw([FRONT], undefined, 0.001).at(-1).axes, [1.5, 1.5]);
});
