/**
 * A pose as the text in the widget `pose_json`: the format of `instantid_core/keypoints/pose_json.py`.
 *
 * {"version": 1, "extent": [width, height], "faces": [[[x, y], ... five points], ...]}, where x and y
 * are fractions of width and height. Everywhere else faces are in pixels of the frame.
 */

import { texts } from "../texts/texts.js";

/**
 * @typedef {import("./face_model.js").Face} Face
 * @typedef {{width: number, height: number}} Frame whole pixels
 */

const VERSION = 1;
const POINTS = 5;
/** Characters; a face takes about 200. */
const LONGEST_TEXT = 1 << 20;
const LARGEST_SIDE = 65536;
/** Largest fraction, so that points far outside the frame stay finite. */
const FARTHEST = 100;
/** Precision of a fraction: a hundredth of a pixel in the largest frame. */
const PRECISION = 1e6;
const LONGEST_QUOTE = 60;

/** A text that is not a pose; the message is a sentence for the user. */
export class PoseTextError extends Error {}

/**
 * Reads the faces of a text, scaled to a frame as the server does: centred, without cropping.
 * @param {string} text @param {Frame} frame
 * @returns {Face[]} pixels of the frame
 * @throws {PoseTextError}
 */
export function readPose(text, frame) {
  const data = parse(text);
  if (data === null || typeof data !== "object" || Array.isArray(data)) {
    throw new PoseTextError(texts().pose.notAnObject);
  }
  if (data.version !== VERSION) {
    throw new PoseTextError(texts().pose.badVersion(quote(data.version), VERSION));
  }
  const source = readExtent(data.extent);
  if (!Array.isArray(data.faces)) {
    throw new PoseTextError(texts().pose.badFaces(quote(data.faces)));
  }
  return data.faces.map((/** @type {unknown} */ face) =>
    letterboxed(toPixels(readFace(face), source), source, frame),
  );
}

/**
 * @param {Face[]} faces pixels @param {Frame} frame
 * @returns {string}
 */
export function writePose(faces, frame) {
  return JSON.stringify({
    version: VERSION,
    extent: [frame.width, frame.height],
    faces: faces.map((face) => toFractions(face, frame)),
  });
}

/**
 * Faces with the precision of the text: those that the server will draw.
 * @param {Face[]} faces pixels @param {Frame} frame
 */
export function asWritten(faces, frame) {
  return faces.map((face) => toPixels(toFractions(face, frame), frame));
}

/** @param {string} text */
function parse(text) {
  if (text.length > LONGEST_TEXT) throw new PoseTextError(texts().pose.tooLong(LONGEST_TEXT));
  try {
    return JSON.parse(text);
  } catch {
    throw new PoseTextError(texts().pose.noJson);
  }
}

/** @param {unknown} value @returns {Frame} */
function readExtent(value) {
  const isSide = (/** @type {number} */ side) =>
    Number.isInteger(side) && side > 0 && side <= LARGEST_SIDE;
  if (Array.isArray(value) && value.length === 2 && value.every(isSide)) {
    return { width: value[0], height: value[1] };
  }
  throw new PoseTextError(texts().pose.badExtent(quote(value)));
}

/** @param {unknown} value @returns {Face} fractions */
function readFace(value) {
  const isFraction = (/** @type {number} */ number) =>
    Number.isFinite(number) && Math.abs(number) <= FARTHEST;
  const isPoint = (/** @type {unknown} */ point) =>
    Array.isArray(point) && point.length === 2 && point.every(isFraction);
  if (Array.isArray(value) && value.length === POINTS && value.every(isPoint)) return value;
  throw new PoseTextError(texts().pose.badFace(quote(value)));
}

/** @param {unknown} value */
function quote(value) {
  const text = JSON.stringify(value) ?? texts().pose.nothing;
  return text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE - 3)}...` : text;
}

/** Rounds to single precision, as the server does. @param {Face} face @param {Frame} frame */
function toPixels(face, { width, height }) {
  return face.map(([x, y]) => [Math.fround(x * width), Math.fround(y * height)]);
}

/** @param {Face} face @param {Frame} frame */
function toFractions(face, { width, height }) {
  return face.map(([x, y]) => [roundFraction(x / width), roundFraction(y / height)]);
}

/** @param {number} fraction */
function roundFraction(fraction) {
  const clamped = Math.min(Math.max(fraction, -FARTHEST), FARTHEST);
  return Math.round(clamped * PRECISION) / PRECISION;
}

/** @param {Face} face @param {Frame} source @param {Frame} frame */
function letterboxed(face, source, frame) {
  const scale = Math.min(frame.width / source.width, frame.height / source.height);
  const left = (frame.width - source.width * scale) / 2;
  const top = (frame.height - source.height * scale) / 2;
  return face.map(([x, y]) => [x * scale + left, y * scale + top]);
}
