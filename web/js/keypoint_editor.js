/** Gives InstantID Pose its editor: a button on the node that opens a dialog. */

import { app } from "../../../scripts/app.js";
import { editPose } from "./editor/dialog.js";
import { linkedEdits, photoOf, readNode, takesPhoto, writeNode } from "./editor/node_state.js";
import { findPoints, PHOTO_OUTPUT } from "./editor/photo_points.js";
import { texts } from "./texts/texts.js";

const POSE_CLASS = "InstantIDPose";

/** Pose text of a node's photo as its last run told it; nothing of it is saved. */
const photoTexts = new WeakMap();

app.registerExtension({
  name: "InstantIDCompose.KeypointEditor",
  nodeCreated(node) {
    if (node.comfyClass !== POSE_CLASS) return;
    const button = node.addWidget("button", "edit_pose", null, () => edit(node), {
      serialize: false,
    });
    button.label = texts().pose.button;
    button.tooltip = texts().pose.tooltip;
    // Values of widgets are saved by their place; this one has none.
    button.serialize = false;
    listen(node);
  },
});

function listen(node) {
  const before = node.onExecuted;
  node.onExecuted = function (output) {
    photoTexts.set(node, output?.[PHOTO_OUTPUT]?.[0] ?? "");
    return before?.apply(this, arguments);
  };
}

let isOpen = false;

async function edit(node) {
  if (isOpen) return;
  isOpen = true;
  try {
    await editOnce(node);
  } finally {
    isOpen = false;
  }
}

async function editOnce(node) {
  const photoText = photoTexts.get(node) ?? "";
  const start = readNode(node, photoText);
  const linked = linkedEdits(node);
  if (linked.length) {
    start.notices.push(texts().pose.linked(linked.join(", ")));
  }
  const photo = photoOf(node);
  const photoAddress = photo && app.api.apiURL(`/view?${new URLSearchParams(photo)}`);
  const find = () => findPoints(app, node, () => isOpen);
  const findPhotoPose = takesPhoto(node) ? find : null;
  const text = await editPose({ ...start, photoAddress, findPhotoPose });
  if (text === null) return;
  writeNode(node, text, app.canvas);
  node.graph?.setDirtyCanvas(true, true);
  remember();
}

/** Tells the undo of the graph that something has changed. */
function remember() {
  const tracker = app.extensionManager?.workflow?.activeWorkflow?.changeTracker;
  (tracker?.captureCanvasState ?? tracker?.checkState)?.call(tracker);
}
