/** The corner of the window in which the pack's messages stand one above the other. */

import { element, loadStyle } from "../shared/dom.js";

const CORNER = "instantid-corner";

/** Puts an element into the corner, above what is there. @param {HTMLElement} message */
export async function showInCorner(message) {
  await loadStyle("messages/messages.css");
  const known = document.querySelector(`.${CORNER}`);
  const corner = known ?? element("div", { className: CORNER });
  if (!known) document.body.append(corner);
  corner.prepend(message);
}
