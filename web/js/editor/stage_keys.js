/** What keys do while the canvas of the editor has the focus; the text `editor.keys` tells people. */

import { mirroredInPlace, moved, reshaped, withPoint } from "./edits.js";

const ARROWS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
const LARGE_STEP = 10;

/**
 * A listener for `keydown`. It stops only keys that it uses, so Tab goes on.
 * @param {import("./model.js").PoseModel} model
 */
export function keysFor(model) {
  return (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (act(model, event)) event.preventDefault();
  };
}

function act(model, { key, shiftKey }) {
  if (ARROWS[key]) return nudge(model, ARROWS[key], shiftKey ? LARGE_STEP : 1);
  if (/^[1-5]$/.test(key) && model.chosen) return did(model.choose(model.face, Number(key) - 1));
  const actions = {
    0: () => model.choose(model.face),
    n: () => model.chooseNext(1),
    p: () => model.chooseNext(-1),
    "+": () => model.editChosen((face) => reshaped(face, 1.02, 0), "larger"),
    "=": () => model.editChosen((face) => reshaped(face, 1.02, 0), "larger"),
    "-": () => model.editChosen((face) => reshaped(face, 1 / 1.02, 0), "smaller"),
    "]": () => model.editChosen((face) => reshaped(face, 1, 1), "clockwise"),
    "[": () => model.editChosen((face) => reshaped(face, 1, -1), "anticlockwise"),
    m: () => model.editChosen(mirroredInPlace),
    a: () => model.addFace(),
    delete: () => model.removeChosen(),
    backspace: () => model.removeChosen(),
  };
  // Escape leaves the point first; only then may it close the dialog.
  if (key === "Escape" && model.point !== null) actions.escape = actions[0];
  const action = actions[key.toLowerCase()];
  return action ? did(action()) : false;
}

function did() {
  return true;
}

function nudge(model, [x, y], step) {
  model.editChosen((face) => {
    if (model.point === null) return moved(face, x * step, y * step);
    const [left, top] = face[model.point];
    return withPoint(face, model.point, [left + x * step, top + y * step]);
  }, "nudge");
  return true;
}
