/** A picture with a button over each face. */

import { element } from "./elements.js";
import { texts } from "../texts/texts.js";
import { addressOf } from "./panel.js";

/**
 * Draws a picture of a report.
 * @param {import("./choice.js").Picture & {image: object}} picture
 * @param {string} label for screen readers
 * @param {(number: number, add: boolean) => void} choose
 * @returns {HTMLElement} give it to `mark`
 */
export function makeStage(picture, label, choose) {
  const image = element("img", { src: addressOf(picture.image), alt: "", draggable: "false" });
  const frame = element("div", { class: "iid-picture", role: "group", "aria-label": label }, image);
  frame.style.setProperty("--iid-ratio", String(picture.width / picture.height));
  image.addEventListener("error", () => {
    frame.classList.add("iid-gone");
    image.alt = texts().picker.gone;
  });
  // Smaller faces lie above larger ones, so that each can be clicked.
  const byArea = [...picture.faces].sort((a, b) => extent(b) - extent(a));
  const layer = new Map(byArea.map((face, place) => [face.number, place + 1]));
  for (const face of picture.faces) {
    frame.append(makeBox(face, layer.get(face.number), choose));
  }
  return element("div", { class: "iid-stage" }, frame);
}

/**
 * Shows which faces are chosen.
 * @param {HTMLElement} stage
 * @param {number[]} chosen numbers of faces
 */
export function mark(stage, chosen) {
  for (const box of stage.querySelectorAll(".iid-face")) {
    box.setAttribute("aria-pressed", String(chosen.includes(Number(box.dataset.number))));
  }
}

/**
 * How a face is called.
 * @param {import("./choice.js").Face} face
 * @returns {string} such as `Face 2, score 0.98, 210 px`
 */
export function nameOf(face) {
  return texts().picker.face(face.number, face.score.toFixed(2), face.size);
}

function makeBox(face, layer, choose) {
  const box = element(
    "button",
    {
      type: "button",
      class: "iid-face",
      "data-number": face.number,
      "aria-label": nameOf(face),
      "aria-pressed": "false",
      onclick: (event) => choose(face.number, event.shiftKey),
      onkeydown: (event) => pressed(event, () => choose(face.number, event.shiftKey)),
    },
    element("span", { class: "iid-number", "aria-hidden": "true" }, String(face.number)),
    element("span", { class: "iid-facts", "aria-hidden": "true" }, factsOf(face)),
  );
  const [x0, y0, x1, y1] = face.box.map((edge) => Math.min(1, Math.max(0, edge)));
  // The facts stand under the box, and inside it where the picture ends.
  box.classList.toggle("iid-inside", y1 > 0.88);
  box.classList.toggle("iid-leftward", (x0 + x1) / 2 > 0.5);
  Object.assign(box.style, {
    left: `${x0 * 100}%`,
    top: `${y0 * 100}%`,
    width: `${(x1 - x0) * 100}%`,
    height: `${(y1 - y0) * 100}%`,
    zIndex: String(layer),
  });
  return box;
}

/** Enter with Shift held, which browsers do not all turn into a click that says so. */
function pressed(event, choose) {
  if (event.key !== "Enter" || event.repeat) return;
  event.preventDefault();
  event.stopPropagation();
  choose();
}

function factsOf(face) {
  return `${face.score.toFixed(2)} \u00b7 ${face.size} px`;
}

function extent({ box: [x0, y0, x1, y1] }) {
  return (x1 - x0) * (y1 - y0);
}
