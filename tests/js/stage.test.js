import assert from "node:assert/strict";
import { test } from "node:test";
import { moved } from "../../web/js/editor/edits.js";
import { PoseModel } from "../../web/js/editor/model.js";
import { fit, project } from "../../web/js/editor/face_model.js";
import { handlesOf, isInside } from "../../web/js/editor/overlay.js";
import { dragged } from "../../web/js/editor/stage.js";
import { keyHandler, pressKey } from "../../web/js/editor/stage_keys.js";
import { assertClose, FRONT } from "./support/numbers.js";

const VIEWPORT = { width: 400, height: 300, scale: 0.5, toScreen: ([x, y]) => [x / 2, y / 2] };
const HANDLES = handlesOf(FRONT, VIEWPORT);

function drag(target, start, to, isConstrained = false) {
  return dragged({ target, start, from: FRONT, handles: HANDLES }, to, isConstrained, 0.5);
}

test("dragging moves a face or a point by pixels of the frame", () => {
  assertClose(drag({ kind: "face", face: 0 }, [0, 0], [3, -4]), moved(FRONT, 6, -8));
  const point = drag({ kind: "point", face: 0, point: 2 }, [9, 9], [10, 9]);
  assertClose(point[2], [FRONT[2][0] + 2, FRONT[2][1]]);
  assertClose(point[0], FRONT[0]);
});

test("Shift keeps the longer direction, and steps of 15 degrees", () => {
  assertClose(drag({ kind: "face", face: 0 }, [0, 0], [3, -4], true), moved(FRONT, 0, -8));
  const [x, y] = HANDLES.centre;
  const free = drag({ kind: "rotate", face: 0 }, [x, y - 50], [x + 50, y - 40]);
  const snapped = drag({ kind: "rotate", face: 0 }, [x, y - 50], [x + 50, y - 40], true);
  const roll = (face) => Math.atan2(face[1][1] - face[0][1], face[1][0] - face[0][0]);
  assertClose((roll(free) * 180) / Math.PI, (Math.atan2(50, 40) * 180) / Math.PI, 1e-6);
  assertClose((roll(snapped) * 180) / Math.PI, 45, 1e-6);
});

test("a corner scales by its distance from the centre", () => {
  const [x, y] = HANDLES.centre;
  const twice = drag({ kind: "scale", face: 0 }, [x + 10, y], [x, y + 20]);
  assertClose(twice[1][0] - twice[0][0], 2 * (FRONT[1][0] - FRONT[0][0]));
});

test("with Alt a drag turns the head, up to a profile", () => {
  const from = project({ yaw: 10, pitch: 5, roll: 0 }, { size: 100, x: 200, y: 200 });
  const target = { kind: "turn", face: 0 };
  const turned = (way) => fit(dragged({ target, start: [0, 0], from, handles: HANDLES }, way, false, 0.5)).view;
  assertClose(turned([50, 0]).yaw, 30, 0.1);
  assertClose(turned([0, -25]).pitch, 15, 0.1);
  assertClose(turned([-9000, 0]).yaw, -85, 0.5);
});

test("handles surround a face, turn with it, and have a smallest size", () => {
  assert.ok(isInside(HANDLES, HANDLES.centre));
  assert.ok(!isInside(HANDLES, HANDLES.rotate));
  assert.ok(HANDLES.rotate[1] < HANDLES.top[1]);
  const tiny = handlesOf(FRONT.map(([x, y]) => [x / 1000, y / 1000]), VIEWPORT);
  assert.deepEqual([tiny.halfWidth, tiny.halfHeight], [16, 20]);
});

function pressed(keys, faces = [FRONT, moved(FRONT, 50, 0)]) {
  const model = new PoseModel({ width: 640, height: 480 }, faces);
  const used = keys.map((key) => {
    const [, shift, name] = /^(Shift\+)?(.*)$/s.exec(key);
    return pressKey(model, { key: name, shiftKey: Boolean(shift) });
  });
  return { model, used };
}

test("arrows move a face, or the selected point, by 1 or 10 pixels", () => {
  assertClose(pressed(["ArrowLeft", "Shift+ArrowDown"]).model.selected, moved(FRONT, -1, 10));
  const { model } = pressed(["3", "ArrowUp"]);
  assertClose(model.selected[2], [FRONT[2][0], FRONT[2][1] - 1]);
  assertClose(model.selected[0], FRONT[0]);
});

test("digits, N, P, 0 and Escape select", () => {
  assert.deepEqual([pressed(["n", "5"]).model.face, pressed(["n", "5"]).model.point], [1, 4]);
  assert.equal(pressed(["P"]).model.face, 1);
  assert.equal(pressed(["4", "0"]).model.point, null);
  assert.deepEqual(pressed(["4", "Escape", "Escape"]).used, [true, true, false]);
});

test("letters add, remove and mirror faces, signs resize and rotate", () => {
  assert.equal(pressed(["a"]).model.faces.length, 3);
  assert.equal(pressed(["Delete", "Backspace"]).model.faces.length, 0);
  assertClose(pressed(["m", "M"]).model.selected, FRONT);
  assertClose(pressed(["+", "-", "=", "-", "[", "]"]).model.selected, FRONT, 1e-6);
});

test("other keys, and digits without a face, keep their effect", () => {
  assert.deepEqual(pressed(["Tab", "x", "6", "F5"]).used, [false, false, false, false]);
  assert.deepEqual(pressed(["1", "ArrowLeft"], []).used, [false, true]);
});

test("a used key is not passed on; with Ctrl no key is used", () => {
  const model = new PoseModel({ width: 640, height: 480 }, [FRONT]);
  const handle = keyHandler(model);
  const press = (event) => {
    let isPrevented = false;
    handle({ ...event, preventDefault: () => (isPrevented = true) });
    return isPrevented;
  };
  assert.equal(press({ key: "a" }), true);
  assert.equal(press({ key: "a", ctrlKey: true }), false);
  assert.equal(model.faces.length, 2);
});
