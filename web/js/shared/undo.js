/** The undo history of the graph. */

import { app } from "../../../../scripts/app.js";
import { rootGraph } from "./graph.js";
import { changeTracker } from "./loading.js";

/** Adds a state to the history. */
export function recordChange() {
  const tracker = changeTracker();
  if (tracker?.captureCanvasState) tracker.captureCanvasState();
  else tracker?.checkState?.();
}

/** Runs a change of the graph as one step of its undo. @param {() => void} change */
export function asOneStep(change) {
  app.canvas.emitBeforeChange?.();
  change();
  app.canvas.emitAfterChange?.();
}

/**
 * Makes a node's size part of the current state, so that growth which nobody has asked for is no step
 * of its own.
 * @param {ComfyNode} node
 */
export function acceptSize(node) {
  const state = changeTracker()?.activeState;
  const graph =
    node.graph?.id === rootGraph()?.id
      ? state
      : state?.definitions?.subgraphs?.find(({ id }) => id === node.graph?.id);
  const saved = graph?.nodes?.find(({ id }) => String(id) === String(node.id));
  if (saved) saved.size = [node.size[0], node.size[1]];
}
