/** Loaders of saved files offer what is saved while the page is open. */

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { everyNode } from "./shared/graph.js";
import { SAVED } from "./shared/server.js";
import { offer } from "./shared/widgets.js";

/**
 * Choices that the definitions of nodes, read when the page opened, do not have; by class.
 * @type {Map<string, {input: string, files: string[]}>}
 */
const newer = new Map();

/** @param {ComfyNode} node */
function update(node) {
  const list = newer.get(node.comfyClass ?? "");
  if (list) offer(node, list.input, list.files);
}

/** @param {CustomEvent} event */
function take({ detail }) {
  const { node, input, files } = detail ?? {};
  if (typeof node !== "string" || typeof input !== "string" || !Array.isArray(files)) return;
  newer.set(node, { input, files });
  for (const each of everyNode()) update(each);
}

app.registerExtension({
  name: "InstantIDCompose.SavedFiles",
  nodeCreated: update,
  loadedGraphNode: update,
  /** The definitions have been read again, by key R. */
  refreshComboInNodes() {
    newer.clear();
  },
  setup() {
    api.addEventListener(SAVED, take);
  },
});
