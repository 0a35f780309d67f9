/** The preset views as pictures to press. */

import { drawFaces } from "./drawing.js";
import { moved } from "./edits.js";
import { make } from "./elements.js";
import { project } from "./face_model.js";
import { VIEWS } from "./presets.js";
import { texts } from "../texts/texts.js";

/** Pixels of a thumbnail; it is shown at half of that. */
const SIDE = 112;
const POINT_SCALE = 0.5;

/**
 * A row of buttons, one for each view.
 * @param {(name: string) => void} choose
 */
export function thumbnails(choose) {
  const t = texts().editor;
  const buttons = Object.entries(VIEWS).map(([name, view]) =>
    make(
      "button",
      { type: "button", className: "thumbnail", onclick: () => choose(name) },
      thumbnail(view),
      make("span", { textContent: t.view[name] }),
    ),
  );
  return make("div", { className: "thumbnails", role: "group", "aria-label": t.views }, ...buttons);
}

function thumbnail(view) {
  const face = project(view, { size: SIDE * 1.15, x: 0, y: 0 });
  const middles = [0, 1].map((i) => {
    const values = face.map((point) => point[i]);
    return (Math.min(...values) + Math.max(...values)) / 2;
  });
  const shift = middles.map((middle) => SIDE / 2 - middle);
  const canvas = make("canvas", { width: SIDE, height: SIDE, "aria-hidden": "true" });
  drawFaces(canvas.getContext("2d"), [moved(face, ...shift)], undefined, POINT_SCALE);
  return canvas;
}
