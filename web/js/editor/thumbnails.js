/** The preset views as buttons with pictures. */

import { element } from "../shared/dom.js";
import { texts } from "../texts/texts.js";
import { drawFaces } from "./drawing.js";
import { moved } from "./edits.js";
import { project } from "./face_model.js";
import { VIEWS } from "./presets.js";
import { drawHead, headLines } from "./head.js";
import { contextOf } from "./stage.js";

/** Pixels of a thumbnail; it is shown at half that size. */
const SIDE = 112;
const FACE_SIZE = 0.72 * SIDE;
const DRAWING_SCALE = 0.5;

/**
 * A row of buttons, one for each view.
 * @param {(name: string) => void} choose
 */
export function thumbnails(choose) {
  const t = texts().editor;
  /** @type {Record<string, string>} */
  const names = t.view;
  const buttons = Object.entries(VIEWS).map(([name, view]) =>
    element(
      "button",
      { type: "button", className: "thumbnail", onclick: () => choose(name) },
      thumbnail(view),
      element("span", {}, names[name]),
    ),
  );
  const row = { className: "thumbnails", role: "group", "aria-label": t.views };
  return element("div", row, ...buttons);
}

/** @param {import("./face_model.js").View} view */
function thumbnail(view) {
  const face = project(view, { size: FACE_SIZE, x: 0, y: 0 });
  const [outline] = headLines(view, { size: FACE_SIZE, x: 0, y: 0 });
  const [x, y] = [0, 1].map((axis) => {
    const values = [...outline, ...face].map((point) => point[axis]);
    return (SIDE - Math.min(...values) - Math.max(...values)) / 2;
  });
  const canvas = element("canvas", { width: SIDE, height: SIDE, "aria-hidden": "true" });
  drawFaces(contextOf(canvas), [moved(face, x, y)], undefined, DRAWING_SCALE);
  const head = headLines(view, { size: FACE_SIZE, x, y });
  drawHead(contextOf(canvas), head, (point) => point, { colour: "#fff", opacity: 0.75, width: 2 });
  return canvas;
}
