/** The keypoint editor of InstantID Pose: a button on the node that opens a dialog. */

import { app } from "../../../scripts/app.js";
import { editPose } from "./editor/dialog.js";
import { connectedEdits, readNode, restoreDefaults, writeNode } from "./editor/node_state.js";
import { watchOpening } from "./editor/opened_subgraphs.js";
import { findPhotoPose, POSE_OUTPUT } from "./editor/photo_points.js";
import { photoOf, takesPhoto } from "./editor/photo_source.js";
import { upstreamSnapshot } from "./editor/upstream.js";
import { warn } from "./messages/messages.js";
import { everyNode, listenTo } from "./shared/graph.js";
import { changeTracker, graphLoaded } from "./shared/loading.js";
import { imageUrl } from "./shared/server.js";
import { recordChange } from "./shared/undo.js";
import { texts } from "./texts/texts.js";

const POSE_CLASS = "InstantIDPose";

/**
 * Pose of a node's photo at its last run, and what it depended on; it is not saved.
 * @type {WeakMap<ComfyNode, {text: string, upstream: string | null}>}
 */
const photoPoses = new WeakMap();

app.registerExtension({
  name: "InstantIDCompose.KeypointEditor",
  nodeCreated(node) {
    if (node.comfyClass === POSE_CLASS) addButton(node);
  },
  loadedGraphNode(loaded) {
    for (const node of everyNode([loaded])) if (node.comfyClass === POSE_CLASS) checkValues(node);
  },
  setup() {
    watchOpening(app.canvas);
  },
});

/** @param {ComfyNode} node */
function addButton(node) {
  const open = () => edit(node);
  const button = node.addWidget("button", "edit_pose", null, open, { serialize: false });
  button.label = texts().pose.button;
  button.tooltip = texts().pose.tooltip;
  // Workflow files save widget values by position; this widget must not take one.
  button.serialize = false;
  listenTo(node, "onExecuted", (output) => {
    const text = output?.[POSE_OUTPUT]?.[0] ?? "";
    photoPoses.set(node, { text, upstream: upstreamSnapshot(node) });
  });
}

/** The photo's pose, empty if anything upstream has changed since the run. @param {ComfyNode} node */
function photoPoseOf(node) {
  const { text = "", upstream = null } = photoPoses.get(node) ?? {};
  return upstream !== null && upstream === upstreamSnapshot(node) ? text : "";
}

/** Restores defaults for invalid values of a workflow file, and warns. @param {ComfyNode} node */
async function checkValues(node) {
  // Values that undo restores have been checked before.
  if (changeTracker()?._restoringState) return;
  // The first state for undo is that of the loaded file, with the file's own values.
  await graphLoaded();
  const sentences = restoreDefaults(node);
  for (const sentence of sentences) warn(node, sentence);
  if (sentences.length) recordChange();
}

let isOpen = false;

/** @param {ComfyNode} node */
async function edit(node) {
  if (isOpen) return;
  isOpen = true;
  try {
    await openEditor(node);
  } finally {
    isOpen = false;
  }
}

/** @param {ComfyNode} node */
async function openEditor(node) {
  const start = readNode(node, photoPoseOf(node));
  const connected = connectedEdits(node);
  if (connected.length) start.notices.push(texts().pose.linked(connected.join(", ")));
  const photo = photoOf(node);
  const find = () => findPhotoPose(app, node, () => isOpen);
  const text = await editPose(start, {
    url: photo && imageUrl(photo),
    findPose: takesPhoto(node) ? find : null,
  });
  if (text === null) return;
  writeNode(node, text);
  node.graph?.setDirtyCanvas(true, true);
  recordChange();
}
