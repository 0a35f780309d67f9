/**
 * Photos that are dropped or pasted on nodes of the pack, and "Use as InstantID photo" on Load Image.
 */

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { warn } from "./messages/messages.js";
import { firstPicture, wrongFile } from "./photos/files.js";
import { uploadPhoto } from "./photos/upload.js";
import { givePhoto, PHOTO_INPUTS, usePhoto } from "./photos/wiring.js";
import { messageOf } from "./shared/server.js";
import { texts } from "./texts/texts.js";

const LOAD_IMAGE = "LoadImage";

/** @param {ComfyNode} node */
function takesPhotos(node) {
  return Object.hasOwn(PHOTO_INPUTS, node.comfyClass ?? "");
}

/**
 * Gives a node the first picture. Returns whether the files were meant for it.
 * @param {ComfyNode} node @param {Iterable<File>} files
 */
async function take(node, files) {
  const photo = firstPicture(files);
  const wrong = photo ? undefined : wrongFile(files);
  if (wrong) warn(node, texts().photos.noPicture(wrong.name));
  if (!photo) return Boolean(wrong);
  try {
    givePhoto(node, await uploadPhoto(api, photo));
  } catch (error) {
    warn(node, texts().photos.notStored(photo.name, messageOf(error)));
  }
  return true;
}

/** @param {ComfyNode} node */
function acceptDrops(node) {
  node.onDragOver = (event) => Boolean(event.dataTransfer?.types?.includes("Files"));
  node.onDragDrop = (event) => take(node, event.dataTransfer?.files ?? []);
}

/**
 * Takes a pasted picture before the front end does, which would put it anywhere.
 * @param {ClipboardEvent} event
 */
function takePasted(event) {
  const [node, ...others] = app.canvas.selectedItems ?? [];
  const target = /** @type {Element | null} */ (event.target);
  const isTyping = target?.closest?.("input, textarea, [contenteditable]");
  const files = [...(event.clipboardData?.files ?? [])];
  if (!node || others.length || !takesPhotos(node) || isTyping || !firstPicture(files)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  take(node, files);
}

app.registerExtension({
  name: "InstantIDCompose.PhotoDrop",
  nodeCreated(node) {
    if (takesPhotos(node)) acceptDrops(node);
  },
  getNodeMenuItems(node) {
    if (node.comfyClass !== LOAD_IMAGE) return [];
    return [{ content: texts().photos.use, callback: () => usePhoto(node) }];
  },
  setup() {
    document.addEventListener("paste", takePasted, { capture: true });
  },
});
