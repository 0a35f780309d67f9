/** The colour of the pack's nodes in Nodes 2.0, which knows colours of single nodes alone. */

import { app } from "../../../../scripts/app.js";
import { element } from "../shared/dom.js";
import { isOwnKind } from "./nodes.js";

const TINT = "rgb(232 89 12 / 24%)"; // over the title bar

const rules = element("style");

/**
 * Tints the nodes on the screen. A rule for all of them costs next to nothing while many nodes load,
 * and a colour that somebody chooses shines through.
 */
export function tintShown() {
  const own = (app.canvas.graph?.nodes ?? []).filter(
    ({ comfyClass, color }) => isOwnKind(comfyClass) && !color,
  );
  const headers = own.map(({ id }) => `[data-node-id="${CSS.escape(String(id))}"] .lg-node-header`);
  rules.textContent = headers.length ? `${headers.join(",")}{background:${TINT}}` : "";
  if (!rules.isConnected) document.head.append(rules);
}
