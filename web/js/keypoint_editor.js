/** Gives InstantID Pose its editor: a button on the node that opens a dialog. */

import { app } from "../../../scripts/app.js";
import { editPose } from "./editor/dialog.js";
import { watchOpening } from "./editor/instances.js";
import { linkedEdits, mendNode, photoOf, readNode, takesPhoto, writeNode } from "./editor/node_state.js";
import { originOf } from "./editor/origin.js";
import { findPoints, PHOTO_OUTPUT } from "./editor/photo_points.js";
import { everyNode } from "./graph_walk.js";
import { texts } from "./texts/texts.js";
import { warn } from "./warn.js";

const POSE_CLASS = "InstantIDPose";
const LOOK_EVERY = 20; // milliseconds
const LONGEST_LOADING = 10_000;

/** Pose text of a node's photo as its last run told it, and what from; nothing of it is saved. */
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
  loadedGraphNode(loaded) {
    for (const node of everyNode([loaded])) if (node.comfyClass === POSE_CLASS) mend(node);
  },
  setup() {
    watchOpening(app.canvas);
  },
});

function listen(node) {
  const before = node.onExecuted;
  node.onExecuted = function (output) {
    photoTexts.set(node, { text: output?.[PHOTO_OUTPUT]?.[0] ?? "", origin: originOf(node) });
    return before?.apply(this, arguments);
  };
}

/** The pose of the photo, unless the photo or what is taken from it has changed since the run. */
function photoTextOf(node) {
  const { text, origin } = photoTexts.get(node) ?? {};
  return origin && origin === originOf(node) ? text : "";
}

/** Puts sound values where a workflow file had others, and says so. */
async function mend(node) {
  // What undo brings back is what was mended before.
  if (tracker()?._restoringState) return;
  // Undo begins with what is there when the whole file is loaded: with the file's own values.
  const end = Date.now() + LONGEST_LOADING;
  do await new Promise((later) => setTimeout(later, LOOK_EVERY));
  while (tracker()?.constructor.isLoadingGraph && Date.now() < end);
  const sentences = mendNode(node, app.canvas);
  for (const sentence of sentences) warn(node, sentence);
  if (sentences.length) remember();
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
  const start = readNode(node, photoTextOf(node));
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

/** The undo of the graph. */
function tracker() {
  return app.extensionManager?.workflow?.activeWorkflow?.changeTracker;
}

/** Tells the undo of the graph that something has changed. */
function remember() {
  const undo = tracker();
  (undo?.captureCanvasState ?? undo?.checkState)?.call(undo);
}
