/** The controls for faces: selection, rotation, size and mirroring. */

import { button, element } from "../shared/dom.js";
import { texts } from "../texts/texts.js";
import { countOutside, mirrored, mirroredInPlace, movedInside, reshaped } from "./edits.js";
import { group, Slider } from "./slider.js";

/**
 * @typedef {import("./model.js").PoseModel} PoseModel
 * @typedef {import("./turner.js").Turner} Turner
 */

const ANGLES = /** @type {const} */ ({ yaw: 85, pitch: 60, roll: 180 });
/** Heights of a face in percent of the frame's. */
const SMALLEST = 2;
const LARGEST = 200;

/**
 * The groups of controls.
 * @param {PoseModel} model @param {Turner} turner
 * @param {() => boolean} isDragging whether the canvas is changing the face
 */
export function faceControls(model, turner, isDragging) {
  const t = texts().editor;
  const faces = facePicker(model);
  const angles = Object.entries(ANGLES).map(([name, limit]) =>
    angleSlider(/** @type {keyof ANGLES} */ (name), limit, model, turner),
  );
  const size = sizeSlider(model, turner);
  const refresh = () => {
    faces.refresh();
    for (const { slider } of [...angles, { slider: size }]) slider.enable(Boolean(model.selected));
    if (isDragging() || !turner.current) return;
    const { view, place } = turner.current;
    for (const { name, slider } of angles) slider.set(view[name]);
    size.set((place.size / model.frame.height) * 100);
  };
  model.listen(refresh);
  refresh();
  return [
    faces.element,
    group(t.turn, ...angles.map(({ slider }) => slider.element)),
    group(t.size, size.element, mirrorButtons(model)),
  ];
}

/**
 * @param {keyof ANGLES} name @param {number} limit in degrees
 * @param {PoseModel} model @param {Turner} turner
 */
function angleSlider(name, limit, model, turner) {
  const slider = new Slider({
    name: texts().editor[name],
    min: -limit,
    max: limit,
    step: 1,
    unit: "\u00b0",
    oninput: (value) => turner.turn({ [name]: value }, `turn ${name}`),
    onchange: () => model.endSeries(),
  });
  return { name, slider };
}

/** @param {PoseModel} model @param {Turner} turner */
function sizeSlider(model, turner) {
  return new Slider({
    name: texts().editor.height,
    min: SMALLEST,
    max: LARGEST,
    step: 0.5,
    unit: " %",
    oninput: (value) => {
      if (!turner.current) return;
      const factor = ((value / 100) * model.frame.height) / turner.current.place.size;
      model.editSelected((face) => reshaped(face, factor, 0), "size");
    },
    onchange: () => model.endSeries(),
  });
}

/** @param {PoseModel} model */
function mirrorButtons(model) {
  const t = texts().editor;
  const axis = model.frame.width / 2;
  const mirrorAll = () => model.edit(model.faces.map((face) => mirrored(face, axis)));
  return element(
    "div",
    { className: "row" },
    button(t.mirrorFace, () => model.editSelected(mirroredInPlace)),
    button(t.mirrorAll, mirrorAll),
  );
}

/**
 * Buttons that select, add and remove faces, and move points into the frame.
 * @param {PoseModel} model
 */
function facePicker(model) {
  const t = texts().editor;
  const label = { className: "row faces", role: "group", "aria-label": t.faces };
  const list = element("div", label);
  const add = button(t.add, () => model.addFace());
  const remove = button(t.remove, () => model.removeSelected(), { "aria-label": t.removeName });
  const outside = element("span", { role: "status" });
  const moveInside = button(t.bringBack, () =>
    model.edit(model.faces.map((face) => movedInside(face, model.frame))),
  );
  const refresh = () => {
    showFaces(list, model);
    remove.disabled = !model.selected;
    const count = countOutside(model.faces, model.frame);
    moveInside.hidden = !count;
    outside.textContent = count ? t.outside(count) : "";
  };
  const tools = element("div", { className: "row" }, add, remove);
  const warning = element("div", { className: "row" }, outside, moveInside);
  return { element: group(t.faces, list, tools, warning), refresh };
}

/**
 * One button for each face. Existing buttons are reused, so that one with the focus keeps it.
 * @param {HTMLElement} list @param {PoseModel} model
 */
function showFaces(list, model) {
  while (list.children.length > model.faces.length) list.lastElementChild?.remove();
  while (list.children.length < model.faces.length) {
    const index = list.children.length;
    const label = { className: "face", "aria-label": texts().editor.face(index + 1) };
    list.append(button(String(index + 1), () => model.select(index), label));
  }
  [...list.children].forEach((one, i) =>
    one.setAttribute("aria-pressed", String(i === model.face)),
  );
}
