/** The photo that a node takes its faces from. */

import { inputSlot, isConnected, valueOf } from "../shared/widgets.js";

/** @typedef {import("../shared/server.js").StoredImage} StoredImage */

const LONGEST_PATH = 5; // nodes

/** Whether a node takes its faces from a photo. @param {ComfyNode} node */
export function takesPhoto(node) {
  return isConnected(node, "faces");
}

/**
 * The photo's file: that of the first Load Image node upstream of the input `faces`.
 * @param {ComfyNode} node
 * @returns {StoredImage | null}
 */
export function photoOf(node) {
  const slot = inputSlot(node, "faces");
  return slot < 0 ? null : findPhoto(node.getInputNode?.(slot), LONGEST_PATH);
}

/**
 * @param {ComfyNode | null | undefined} node @param {number} steps
 * @returns {StoredImage | null}
 */
function findPhoto(node, steps) {
  if (!node || steps === 0) return null;
  const name = valueOf(node, "image");
  if (/^LoadImage/.test(node.comfyClass ?? node.type) && typeof name === "string") {
    return parseImageName(name);
  }
  for (const slot of (node.inputs ?? []).keys()) {
    const found = findPhoto(node.getInputNode?.(slot), steps - 1);
    if (found) return found;
  }
  return null;
}

/**
 * The parts of a name such as "folder/photo.png [output]".
 * @param {string} name
 * @returns {StoredImage}
 */
export function parseImageName(name) {
  const [, path, type] = /^(.*?)(?: \[(\w+)\])?$/s.exec(name) ?? ["", name];
  const parts = path.split("/");
  const filename = parts.pop() ?? "";
  return { filename, subfolder: parts.join("/"), type: type ?? "input" };
}
