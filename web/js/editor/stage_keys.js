/** The keys of the editor's canvas; the text `editor.keys` lists them for the user. */

import { mirroredInPlace, moved, reshaped, withPoint } from "./edits.js";

/**
 * @typedef {import("./model.js").PoseModel} PoseModel
 * @typedef {{key: string, shiftKey: boolean}} Press
 */

/** @type {Record<string, number[]>} */
const ARROWS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
const LARGE_STEP = 10;
const FACTOR = 1.02;

/** @type {Record<string, (model: PoseModel) => void>} by key in lower case */
const ACTIONS = {
  0: (model) => model.select(model.face),
  n: (model) => model.selectNext(1),
  p: (model) => model.selectNext(-1),
  "+": (model) => model.editSelected((face) => reshaped(face, FACTOR, 0), "larger"),
  "=": (model) => model.editSelected((face) => reshaped(face, FACTOR, 0), "larger"),
  "-": (model) => model.editSelected((face) => reshaped(face, 1 / FACTOR, 0), "smaller"),
  "]": (model) => model.editSelected((face) => reshaped(face, 1, 1), "clockwise"),
  "[": (model) => model.editSelected((face) => reshaped(face, 1, -1), "anticlockwise"),
  m: (model) => model.editSelected(mirroredInPlace),
  a: (model) => model.addFace(),
  delete: (model) => model.removeSelected(),
  backspace: (model) => model.removeSelected(),
};

/**
 * A listener for `keydown`. Keys that it does not use, such as Tab, keep their effect.
 * @param {PoseModel} model
 * @returns {(event: KeyboardEvent) => void}
 */
export function keyHandler(model) {
  return (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (pressKey(model, event)) event.preventDefault();
  };
}

/** @param {PoseModel} model @param {Press} press @returns {boolean} whether the key has a meaning */
export function pressKey(model, { key, shiftKey }) {
  const action = actionFor(model, key, shiftKey);
  action?.(model);
  return action !== undefined;
}

/** @param {PoseModel} model @param {string} key @param {boolean} isShift */
function actionFor(model, key, isShift) {
  const arrow = ARROWS[key];
  if (arrow) return () => nudge(model, arrow, isShift ? LARGE_STEP : 1);
  if (/^[1-5]$/.test(key)) {
    return model.selected && (() => model.select(model.face, Number(key) - 1));
  }
  // Escape first deselects the point; only then it closes the dialog.
  if (key === "Escape") return model.point === null ? undefined : ACTIONS[0];
  return ACTIONS[key.toLowerCase()];
}

/** @param {PoseModel} model @param {number[]} direction @param {number} step pixels */
function nudge(model, [x, y], step) {
  model.editSelected((face) => {
    if (model.point === null) return moved(face, x * step, y * step);
    const [left, top] = face[model.point];
    return withPoint(face, model.point, [left + x * step, top + y * step]);
  }, "nudge");
}
