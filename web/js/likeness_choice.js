/** While the node InstantID goes by a named likeness, the numbers that it does not use are dimmed. */

import { app } from "../../../scripts/app.js";
import { followWidget, widgetOf } from "./shared/widgets.js";

const NODE = "InstantIDApply";
const CHOICE = "likeness";
const OWN_NUMBERS = "custom";
const NUMBERS = ["weight", "strength", "start_at", "end_at"];

/** @param {ComfyNode} node */
function dim(node) {
  const isNamed = widgetOf(node, CHOICE)?.value !== OWN_NUMBERS;
  for (const name of NUMBERS) {
    const widget = widgetOf(node, name);
    if (widget) widget.disabled = isNamed;
  }
}

app.registerExtension({
  name: "InstantIDCompose.LikenessChoice",
  nodeCreated(node) {
    if (node.comfyClass === NODE) followWidget(node, CHOICE, () => dim(node));
  },
  loadedGraphNode(node) {
    if (node.comfyClass === NODE) dim(node);
  },
});
