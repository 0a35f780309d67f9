/** The panel beside the canvas: which face, how it is turned, how large, mirrored. */

import { broughtInside, countOutside, mirrored, mirroredInPlace, reshaped } from "./edits.js";
import { button, group, make, slider } from "./elements.js";
import { fit, turnedFace } from "./face_model.js";
import { VIEWS } from "./presets.js";
import { texts } from "../texts/texts.js";

const TURNS = [
  { part: "yaw", limit: 85 },
  { part: "pitch", limit: 60 },
  { part: "roll", limit: 180 },
];
/** Largest face, of the frame's height in per cent. */
const LARGEST = 200;

/**
 * Turns the chosen face and tells how it is turned.
 *
 * The angles of five points are found by fitting the model, which takes milliseconds: it is done
 * when the points have changed otherwise, not while a slider moves.
 */
export class Turner {
  /** @param {import("./model.js").PoseModel} model */
  constructor(model) {
    this.model = model;
    this.points = null;
    this.fitted = null;
  }

  /** The fit of the chosen face, or null. */
  get current() {
    const face = this.model.chosen;
    if (face !== this.points) {
      this.points = face;
      this.fitted = face ? fit(face) : null;
    }
    return this.fitted;
  }

  /** @param {Partial<import("./face_model.js").View>} change degrees */
  turn(change, mergeKey = null) {
    const fitted = this.current;
    if (!fitted) return;
    const view = { ...fitted.view, ...change };
    this.model.editChosen(() => {
      this.points = turnedFace(fitted, view);
      this.fitted = { ...fitted, view };
      return this.points;
    }, mergeKey);
  }

  /** Puts the model's own shape in place of the face, seen from a preset view. */
  preset(name) {
    const fitted = this.current;
    if (!fitted) return;
    const upright = { ...fitted, rest: fitted.rest.map(() => [0, 0]) };
    this.model.editChosen(() => turnedFace(upright, VIEWS[name]));
  }
}

/**
 * The panel's groups for faces.
 * @param {import("./model.js").PoseModel} model
 * @param {Turner} turner
 * @param {() => boolean} isDragging whether the canvas changes the face at this moment
 */
export function faceControls(model, turner, isDragging) {
  const t = texts().editor;
  const faces = facePicker(model);
  const turns = TURNS.map(({ part, limit }) => ({
    part,
    ...slider({
      name: t[part],
      min: -limit,
      max: limit,
      step: 1,
      unit: "\u00b0",
      input: (value) => turner.turn({ [part]: value }, `turn ${part}`),
      change: () => model.settle(),
    }),
  }));
  const size = sizeSlider(model, turner);
  const mirrors = make(
    "div",
    { className: "row" },
    button(t.mirrorFace, () => model.editChosen(mirroredInPlace)),
    button(t.mirrorPicture, () => mirrorPicture(model)),
  );
  const refresh = () => {
    faces.refresh();
    for (const control of [...turns, size]) control.enable(Boolean(model.chosen));
    if (isDragging() || !turner.current) return;
    for (const { part, set } of turns) set(turner.current.view[part]);
    size.set((turner.current.place.size / model.frame.height) * 100);
  };
  model.listen(refresh);
  refresh();
  return [
    faces.element,
    group(t.turn, ...turns.map(({ row }) => row)),
    group(t.size, size.row, mirrors),
  ];
}

function sizeSlider(model, turner) {
  return slider({
    name: texts().editor.height,
    min: 2,
    max: LARGEST,
    step: 0.5,
    unit: " %",
    input: (value) => {
      if (!turner.current) return;
      const factor = ((value / 100) * model.frame.height) / turner.current.place.size;
      model.editChosen((face) => reshaped(face, factor, 0), "size");
    },
    change: () => model.settle(),
  });
}

function mirrorPicture(model) {
  model.edit(model.faces.map((face) => mirrored(face, model.frame.width / 2)));
}

/** Buttons that choose, add and remove faces, and bring lost points back. */
function facePicker(model) {
  const t = texts().editor;
  const list = make("div", { className: "row faces", role: "group", "aria-label": t.faces });
  const remove = button(t.remove, () => model.removeChosen(), { "aria-label": t.removeName });
  const add = button(t.add, () => model.addFace());
  const lost = make("span", { role: "status" });
  const back = button(t.bringBack, () =>
    model.edit(model.faces.map((face) => broughtInside(face, model.frame))),
  );
  const refresh = () => {
    // Kept where the number is right, or the focus would be lost with the button that has it.
    while (list.children.length > model.faces.length) list.lastChild.remove();
    while (list.children.length < model.faces.length) list.append(faceButton(model, list));
    [...list.children].forEach((one, i) => one.setAttribute("aria-pressed", i === model.face));
    remove.disabled = !model.chosen;
    const count = countOutside(model.faces, model.frame);
    back.hidden = !count;
    lost.textContent = count ? t.outside(count) : "";
  };
  const tools = make("div", { className: "row" }, add, remove);
  const element = group(t.faces, list, tools, make("div", { className: "row" }, lost, back));
  return { element, refresh };
}

function faceButton(model, list) {
  const index = list.children.length;
  return button(String(index + 1), () => model.choose(index), {
    className: "face",
    "aria-label": texts().editor.face(index + 1),
  });
}
