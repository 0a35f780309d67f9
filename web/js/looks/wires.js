/** Colours of the pack's wires: apart from each other and from ComfyUI's, identity in the warm one. */

import { app } from "../../../../scripts/app.js";
import { element } from "../shared/dom.js";

/** @type {Record<string, string>} */
export const WIRES = {
  INSTANTID_IDENTITY: "#e8590c",
  INSTANTID_FACES: "#2bb3a3",
  INSTANTID_ADAPTER: "#7c5cd6",
  INSTANTID_ANALYZER: "#5b7fdb",
  INSTANTID_TOKENS: "#b86ba8",
  INSTANTID_CROP: "#a3b83a",
  INSTANTID_DIRECTION: "#d9a520",
};

/** Gives the wires and sockets of both engines their colours. A palette's own colours win. */
export function colourWires() {
  const tables = [
    window.LGraphCanvas?.link_type_colors,
    app.canvas.default_connection_color_byType,
  ];
  for (const table of tables) if (table) colourTable(table);
  // Nodes 2.0 reads variables, which a palette sets on the element itself.
  const rules = Object.entries(WIRES).map(([type, colour]) => `--color-datatype-${type}:${colour}`);
  document.head.append(element("style", {}, `:root{${rules.join(";")}}`));
}

/**
 * Lets a table of colours fall back to the pack's. The front end empties the entries of all types
 * when the palette changes, so they cannot just be set.
 * @param {Record<string, string>} table
 */
export function colourTable(table) {
  for (const [type, colour] of Object.entries(WIRES)) {
    let chosen = table[type];
    Object.defineProperty(table, type, {
      enumerable: true,
      configurable: true,
      get: () => chosen || colour,
      set: (/** @type {string} */ value) => {
        chosen = value;
      },
    });
  }
}
