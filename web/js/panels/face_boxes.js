/** A picture with a button over each face. */

import { element } from "../shared/dom.js";
import { imageUrl } from "../shared/server.js";
import { texts } from "../texts/texts.js";

/**
 * @typedef {import("./face_choice.js").Face} Face
 * @typedef {import("./face_choice.js").Picture
 *   & {image: import("../shared/server.js").StoredImage}} ShownPicture
 * @typedef {(number: number, isAdded: boolean) => void} Choose
 */

/** Below this share of the height there is no space for text under a box. */
const LOWEST_TEXT = 0.88;

/**
 * The picture and its buttons, none of them pressed.
 * @param {ShownPicture} picture
 * @param {string} label for screen readers
 * @param {Choose} choose
 * @returns {HTMLElement}
 */
export function faceBoxes(picture, label, choose) {
  const image = element("img", { src: imageUrl(picture.image), alt: "", draggable: false });
  const frame = element(
    "div",
    { className: "iid-picture", role: "group", "aria-label": label },
    image,
  );
  frame.style.setProperty("--iid-ratio", String(picture.width / picture.height));
  image.addEventListener("error", () => {
    frame.classList.add("iid-gone");
    image.alt = texts().picker.gone;
  });
  // Smaller faces lie above larger ones, so that each can be clicked.
  const bySize = [...picture.faces].sort((a, b) => boxArea(b) - boxArea(a));
  const layers = new Map(bySize.map((face, place) => [face.number, place + 1]));
  for (const face of picture.faces) {
    frame.append(faceBox(face, layers.get(face.number) ?? 1, choose));
  }
  return element("div", { className: "iid-stage" }, frame);
}

/**
 * Shows the buttons of the selected faces as pressed.
 * @param {HTMLElement} boxes made by `faceBoxes`
 * @param {number[]} selected face numbers
 */
export function markSelected(boxes, selected) {
  for (const box of boxes.querySelectorAll("button")) {
    box.setAttribute("aria-pressed", String(selected.includes(Number(box.dataset.number))));
  }
}

/** @param {Face} face @param {number} layer @param {Choose} choose */
function faceBox(face, layer, choose) {
  const t = texts().picker;
  const box = element(
    "button",
    {
      type: "button",
      className: "iid-face",
      "data-number": face.number,
      "aria-label": t.face(face.number + 1, face.score.toFixed(2), face.size),
      "aria-pressed": "false",
      onclick: (event) => choose(face.number, event.shiftKey),
      onkeydown: (event) => pressEnter(event, () => choose(face.number, event.shiftKey)),
    },
    element("span", { className: "iid-number", "aria-hidden": "true" }, String(face.number + 1)),
    element("span", { className: "iid-facts", "aria-hidden": "true" }, factsOf(face)),
  );
  place(box, face, layer);
  return box;
}

/** @param {HTMLElement} box @param {Face} face @param {number} layer */
function place(box, face, layer) {
  const [x0, y0, x1, y1] = face.box.map((edge) => Math.min(1, Math.max(0, edge)));
  box.classList.toggle("iid-inside", y1 > LOWEST_TEXT);
  box.classList.toggle("iid-leftward", (x0 + x1) / 2 > 0.5);
  Object.assign(box.style, {
    left: `${x0 * 100}%`,
    top: `${y0 * 100}%`,
    width: `${(x1 - x0) * 100}%`,
    height: `${(y1 - y0) * 100}%`,
    zIndex: String(layer),
  });
}

/**
 * Enter pressed on a button: not all browsers report Shift in the click that follows.
 * @param {KeyboardEvent} event @param {() => void} act
 */
function pressEnter(event, act) {
  if (event.key !== "Enter" || event.repeat) return;
  event.preventDefault();
  event.stopPropagation();
  act();
}

/** @param {Face} face */
function factsOf(face) {
  return `${face.score.toFixed(2)} \u00b7 ${face.size} px`;
}

/** @param {Face} face */
function boxArea({ box: [x0, y0, x1, y1] }) {
  return (x1 - x0) * (y1 - y0);
}
