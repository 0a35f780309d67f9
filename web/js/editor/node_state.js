/** What the editor reads from an InstantID Pose node and writes back into it. */

import { isConnected, setWidget, valueOf, widgetOf } from "../shared/widgets.js";
import { texts } from "../texts/texts.js";
import { mirrored, reshaped } from "./edits.js";
import { project } from "./face_model.js";
import { takesPhoto } from "./photo_source.js";
import { asWritten, PoseTextError, readPose } from "./pose_text.js";
import { DEFAULT_PLACEMENT, DEFAULT_SIDE, VIEWS } from "./presets.js";

/**
 * @typedef {import("./face_model.js").Face} Face
 * @typedef {import("./pose_text.js").Frame} Frame
 * @typedef {object} Start the state that the editor opens with
 * @property {Frame} frame
 * @property {Face[]} faces pixels of the frame, as the node draws them now
 * @property {import("./drawing.js").Style} style
 * @property {string[]} notices sentences about unexpected values
 * @property {() => Face[]} reset makes the faces that the node's other settings give
 */

const POSE_WIDGET = "pose_json";
const SMALLEST_SIDE = 64;
const LARGEST_SIDE = 8192;
const SIDES = ["width", "height"];
/** Settings that the node applies to a saved pose as well. The editor moves them into the pose. */
const NEUTRAL = { scale: 1, rotate: 0, mirror: false };

/**
 * Reads a node. Invalid values become notices and a usable pose.
 * @param {ComfyNode} node
 * @param {string} photoText pose of the connected photo, empty if it is not known
 * @returns {Start}
 */
export function readNode(node, photoText = "") {
  /** @type {string[]} */
  const notices = [];
  const frame = readFrame(node, notices);
  const photo = photoText && takesPhoto(node) ? readPose(photoText, frame) : null;
  const reset = () => applyNodeEdits(photo ?? presetFaces(node, frame), node, frame);
  let faces = savedFaces(node, frame, notices);
  if (!faces) {
    if (takesPhoto(node) && !photo) notices.push(texts().pose.fromPhoto);
    faces = reset();
  }
  const style = { limbs: opacity(node, "limb_opacity"), points: opacity(node, "point_opacity") };
  return { frame, faces, style, notices, reset };
}

/**
 * Saves a pose in the node. With an empty text, preset and photo set the pose again.
 * @param {ComfyNode} node @param {string} text
 */
export function writeNode(node, text) {
  setWidget(node, POSE_WIDGET, text);
  if (!text) return;
  for (const [name, value] of Object.entries(NEUTRAL)) setWidget(node, name, value);
}

/**
 * Restores defaults in place of values that would stop the graph.
 * @param {ComfyNode} node
 * @returns {string[]} a sentence for each
 */
export function restoreDefaults(node) {
  const sentences = [];
  for (const name of SIDES) {
    const side = valueOf(node, name);
    const { min = SMALLEST_SIDE, max = LARGEST_SIDE } = widgetOf(node, name)?.options ?? {};
    if (Number(side) >= min && Number(side) <= max) continue;
    sentences.push(texts().pose.badSide(name, asWord(side), DEFAULT_SIDE));
    setWidget(node, name, DEFAULT_SIDE);
  }
  const fault = isConnected(node, POSE_WIDGET) ? null : faultOf(valueOf(node, POSE_WIDGET));
  if (!fault) return sentences;
  setWidget(node, POSE_WIDGET, "");
  return [...sentences, texts().pose.clearedPose(fault)];
}

/**
 * The node's edits that have a connection, so that the editor cannot move them into the pose.
 * @param {ComfyNode} node
 */
export function connectedEdits(node) {
  return [...Object.keys(NEUTRAL), POSE_WIDGET].filter((name) => isConnected(node, name));
}

/** @param {ComfyNode} node @param {string[]} notices @returns {Frame} */
function readFrame(node, notices) {
  const [width, height] = SIDES.map((name) => {
    const side = Math.round(Number(valueOf(node, name)));
    if (side >= 1 && side <= LARGEST_SIDE) return side;
    notices.push(texts().pose.badSide(name, asWord(valueOf(node, name)), DEFAULT_SIDE));
    return DEFAULT_SIDE;
  });
  for (const name of SIDES) {
    if (isConnected(node, name)) notices.push(texts().pose.linkedSide(name));
  }
  return { width, height };
}

/** @param {unknown} value */
function asWord(value) {
  return value === undefined || value === null ? texts().pose.nothing : String(value);
}

/**
 * The saved pose with the node's edits applied; null without one that can be read.
 * @param {ComfyNode} node @param {Frame} frame @param {string[]} notices
 */
function savedFaces(node, frame, notices) {
  const text = valueOf(node, POSE_WIDGET);
  if (typeof text !== "string" || !text.trim()) return null;
  try {
    return applyNodeEdits(readPose(text, frame), node, frame);
  } catch (error) {
    if (!(error instanceof PoseTextError)) throw error;
    notices.push(texts().pose.fromPreset(error.message));
    return null;
  }
}

/** A sentence about a saved pose that cannot be read, or null. @param {unknown} text */
function faultOf(text) {
  if (typeof text === "string" && !text.trim()) return null;
  try {
    readPose(String(text), { width: DEFAULT_SIDE, height: DEFAULT_SIDE });
    return null;
  } catch (error) {
    if (!(error instanceof PoseTextError)) throw error;
    return error.message;
  }
}

/** @param {ComfyNode} node @param {Frame} frame */
function presetFaces(node, frame) {
  const view = VIEWS[String(valueOf(node, "preset"))] ?? VIEWS.front;
  const fraction = (/** @type {keyof typeof DEFAULT_PLACEMENT} */ name) => {
    const given = Number(valueOf(node, name) ?? DEFAULT_PLACEMENT[name]);
    return Number.isFinite(given) ? given : DEFAULT_PLACEMENT[name];
  };
  const place = {
    size: fraction("face_height") * frame.height,
    x: fraction("center_x") * frame.width,
    y: fraction("eye_line") * frame.height,
  };
  return asWritten([project(view, place)], frame);
}

/**
 * Mirrors first, then scales and rotates, in the server's order.
 * @param {Face[]} faces @param {ComfyNode} node @param {Frame} frame
 */
function applyNodeEdits(faces, node, frame) {
  const scale = Number(valueOf(node, "scale") ?? 1) || 1;
  const angle = Number(valueOf(node, "rotate") ?? 0) || 0;
  return faces.map((face) => {
    const flipped = valueOf(node, "mirror") === true ? mirrored(face, frame.width / 2) : face;
    return scale === 1 && angle === 0 ? flipped : reshaped(flipped, scale, angle);
  });
}

/** @param {ComfyNode} node @param {string} name */
function opacity(node, name) {
  const given = Number(valueOf(node, name) ?? 1);
  return Number.isFinite(given) ? Math.min(Math.max(given, 0), 1) : 1;
}
