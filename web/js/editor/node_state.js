/** What the editor reads from an InstantID Pose node and writes back into it. */

import { mirrored, reshaped } from "./edits.js";
import { project } from "./face_model.js";
import { asKept, PoseTextError, readPose } from "./pose_text.js";
import { USUAL_PLACE, USUAL_SIDE, VIEWS } from "./presets.js";
import { texts } from "../texts/texts.js";

export const POSE_WIDGET = "pose_json";
const LARGEST_SIDE = 8192;
const SMALLEST_SIDE = 64;
const SIDES = ["width", "height"];
/** Settings of the node that act on a kept pose as well; the editor takes them into the pose. */
const NEUTRAL = { scale: 1, rotate: 0, mirror: false };

/**
 * @typedef {object} Start
 * @property {import("./pose_text.js").Frame} frame
 * @property {number[][][]} faces pixels of the frame, as the node draws them now
 * @property {{limbs: number, points: number}} style
 * @property {string[]} notices sentences about what was not as expected
 * @property {() => number[][][]} fresh the faces that the node's other settings make
 */

/**
 * Reads a node; whatever is wrong with it ends in a notice and a sensible pose.
 * @param {object} node @param {string} photoText pose of the connected photo, where it is known
 * @returns {Start}
 */
export function readNode(node, photoText = "") {
  const notices = [];
  const frame = frameOf(node, notices);
  const photo = photoText ? readPose(photoText, frame) : null;
  const isFromPhoto = takesPhoto(node);
  const fresh = () => edited(isFromPhoto && photo ? photo : presetFaces(node, frame), node, frame);
  return {
    frame,
    faces: keptFaces(node, frame, notices) ?? started(fresh, isFromPhoto && !photo, notices),
    style: { limbs: amount(node, "limb_opacity"), points: amount(node, "point_opacity") },
    notices,
    fresh,
  };
}

function started(fresh, lacksPhoto, notices) {
  if (lacksPhoto) notices.push(texts().pose.fromPhoto);
  return fresh();
}

function frameOf(node, notices) {
  const sides = SIDES.map((name) => {
    const side = Math.round(Number(value(node, name)));
    if (side >= 1 && side <= LARGEST_SIDE) return side;
    notices.push(texts().pose.badSide(name, value(node, name), USUAL_SIDE));
    return USUAL_SIDE;
  });
  for (const name of SIDES) {
    if (linkOf(node, name) !== null) notices.push(texts().pose.linkedSide(name));
  }
  return { width: sides[0], height: sides[1] };
}

/** The pose that the node keeps, with the node's edits in it; null when it keeps none. */
function keptFaces(node, frame, notices) {
  const text = value(node, POSE_WIDGET);
  if (typeof text !== "string" || !text.trim()) return null;
  try {
    return edited(readPose(text, frame), node, frame);
  } catch (error) {
    if (!(error instanceof PoseTextError)) throw error;
    notices.push(texts().pose.fromPreset(error.message));
    return null;
  }
}

/**
 * Puts defaults where values of a node would keep the graph from running.
 * @param {object} node @param {object} canvas the graph's canvas
 * @returns {string[]} sentences about what was put right
 */
export function mendNode(node, canvas) {
  const told = [];
  for (const name of SIDES) {
    const side = value(node, name);
    const { min = SMALLEST_SIDE, max = LARGEST_SIDE } = widgetOf(node, name)?.options ?? {};
    if (Number(side) >= min && Number(side) <= max) continue;
    told.push(texts().pose.badSide(name, side ?? texts().pose.nothing, USUAL_SIDE));
    setWidget(node, name, USUAL_SIDE, canvas);
  }
  const fault = linkOf(node, POSE_WIDGET) === null && faultOf(value(node, POSE_WIDGET));
  if (!fault) return told;
  setWidget(node, POSE_WIDGET, "", canvas);
  return [...told, texts().pose.mendedPose(fault)];
}

/** What is wrong with a kept pose, in a sentence; null for one that is sound, or none. */
function faultOf(text) {
  if (typeof text === "string" && !text.trim()) return null;
  try {
    readPose(text, { width: USUAL_SIDE, height: USUAL_SIDE });
    return null;
  } catch (error) {
    if (!(error instanceof PoseTextError)) throw error;
    return error.message;
  }
}

function presetFaces(node, frame) {
  const view = VIEWS[value(node, "preset")] ?? VIEWS.front;
  const place = {};
  for (const [name, usual] of Object.entries(USUAL_PLACE)) {
    const given = Number(value(node, name) ?? usual);
    place[name] = Number.isFinite(given) ? given : usual;
  }
  const size = place.face_height * frame.height;
  const x = place.center_x * frame.width;
  return asKept([project(view, { size, x, y: place.eye_line * frame.height })], frame);
}

/** Mirror first, then scale and rotate: the server's order. */
function edited(faces, node, frame) {
  const scale = Number(value(node, "scale") ?? 1) || 1;
  const degrees = Number(value(node, "rotate") ?? 0) || 0;
  return faces.map((face) => {
    const flipped = value(node, "mirror") === true ? mirrored(face, frame.width / 2) : face;
    return scale === 1 && degrees === 0 ? flipped : reshaped(flipped, scale, degrees);
  });
}

function amount(node, name) {
  const given = Number(value(node, name) ?? 1);
  return Number.isFinite(given) ? Math.min(Math.max(given, 0), 1) : 1;
}

/**
 * Keeps a pose in the node. An empty text leaves preset and photo in charge again.
 * @param {object} node @param {string} text @param {object} canvas the graph's canvas
 */
export function writeNode(node, text, canvas) {
  setWidget(node, POSE_WIDGET, text, canvas);
  if (!text) return;
  for (const [name, neutral] of Object.entries(NEUTRAL)) setWidget(node, name, neutral, canvas);
}

function setWidget(node, name, to, canvas) {
  const widget = widgetOf(node, name);
  if (!widget || widget.value === to) return;
  widget.value = to;
  widget.callback?.(to, canvas, node);
}

/** Whether the node takes faces from a photo. @param {object} node */
export function takesPhoto(node) {
  return linkOf(node, "faces") !== null;
}

/** Those of the node's edits that a connection feeds, so that the editor cannot take them over. */
export function linkedEdits(node) {
  return [...Object.keys(NEUTRAL), POSE_WIDGET].filter((name) => linkOf(node, name) !== null);
}

function widgetOf(node, name) {
  return node.widgets?.find((widget) => widget.name === name);
}

function value(node, name) {
  return widgetOf(node, name)?.value;
}

function linkOf(node, name) {
  return node.inputs?.find((input) => input.name === name)?.link ?? null;
}

const FARTHEST_STEPS = 5;

/**
 * The file of the photo whose faces a node takes: of the first Load Image on the way up.
 * @param {object} node
 * @returns {{filename: string, subfolder: string, type: string} | null}
 */
export function photoOf(node) {
  const start = node.inputs?.findIndex((input) => input.name === "faces") ?? -1;
  return start < 0 ? null : searchPhoto(node.getInputNode?.(start), FARTHEST_STEPS);
}

function searchPhoto(node, steps) {
  if (!node || steps === 0) return null;
  const name = value(node, "image");
  if (/^LoadImage/.test(node.comfyClass ?? node.type) && typeof name === "string") {
    return fileOf(name);
  }
  for (let slot = 0; slot < (node.inputs?.length ?? 0); slot++) {
    const found = searchPhoto(node.getInputNode?.(slot), steps - 1);
    if (found) return found;
  }
  return null;
}

/** "folder/photo.png [output]" as the server's /view wants it. */
function fileOf(name) {
  const [, path, type] = /^(.*?)(?: \[(\w+)\])?$/.exec(name);
  const parts = path.split("/");
  const filename = parts.pop();
  return { filename, subfolder: parts.join("/"), type: type ?? "input" };
}
