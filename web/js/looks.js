/** How nodes and wires of the pack look: colours, width, and choices in the front end's language. */

import { app } from "../../../scripts/app.js";
import { labelChoices } from "./looks/choices.js";
import { colourKind, isOwnKind, widen } from "./looks/nodes.js";
import { tintShown } from "./looks/tint.js";
import { colourWires } from "./looks/wires.js";

let isColouring = false;

/** In the next frame, once for all nodes that a graph makes. */
function colourSoon() {
  if (isColouring) return;
  isColouring = true;
  requestAnimationFrame(() => {
    isColouring = false;
    tintShown();
  });
}

app.registerExtension({
  name: "InstantIDCompose.Looks",
  beforeRegisterNodeDef(kind, { name }) {
    if (isOwnKind(name)) colourKind(kind);
  },
  nodeCreated(node) {
    if (!isOwnKind(node.comfyClass)) return;
    widen(node);
    labelChoices(node);
    colourSoon();
  },
  setup() {
    colourWires();
    app.canvas.canvas?.addEventListener("litegraph:set-graph", colourSoon);
  },
  afterConfigureGraph: colourSoon,
});
