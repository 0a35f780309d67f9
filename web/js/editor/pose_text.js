/**
 * A pose as the text that the widget `pose_json` holds: the format of `instantid_core/pose_json.py`.
 *
 * {"version": 1, "extent": [width, height], "faces": [[[x, y], ... five points], ...]}, where x and y
 * are fractions of width and height. Faces are pixels of the frame everywhere else.
 */

import { texts } from "../texts/texts.js";

const VERSION = 1;
const POINTS = 5;
const LARGEST_SIDE = 65536;
const FARTHEST = 100;
/** Digits of a fraction: a hundredth of a pixel in the largest frame. */
const DIGITS = 1e6;

/** @typedef {{width: number, height: number}} Frame whole pixels */

/** A text that is no pose; the message is a sentence for people. */
export class PoseTextError extends Error {}

/**
 * The faces in a text, laid on a frame as the server lays them: all of it shown, centred.
 * @param {string} text @param {Frame} frame
 * @returns {number[][][]} pixels of the frame
 * @throws {PoseTextError}
 */
export function readPose(text, frame) {
  const data = parsed(text);
  if (data === null || typeof data !== "object" || Array.isArray(data)) {
    throw new PoseTextError(texts().pose.notAnObject);
  }
  if (data.version !== VERSION) {
    throw new PoseTextError(texts().pose.badVersion(shown(data.version), VERSION));
  }
  const source = extentOf(data.extent);
  if (!Array.isArray(data.faces)) {
    throw new PoseTextError(texts().pose.badFaces(shown(data.faces)));
  }
  return data.faces.map((face) => letterboxed(pixels(checked(face), source), source, frame));
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new PoseTextError(texts().pose.noJson);
  }
}

function extentOf(value) {
  const isSide = (side) => Number.isInteger(side) && side > 0 && side <= LARGEST_SIDE;
  if (Array.isArray(value) && value.length === 2 && value.every(isSide)) {
    return { width: value[0], height: value[1] };
  }
  throw new PoseTextError(texts().pose.badExtent(shown(value)));
}

function checked(face) {
  const isFraction = (value) => Number.isFinite(value) && Math.abs(value) <= FARTHEST;
  const isPoint = (point) =>
    Array.isArray(point) && point.length === 2 && point.every(isFraction);
  if (Array.isArray(face) && face.length === POINTS && face.every(isPoint)) return face;
  throw new PoseTextError(texts().pose.badFace(shown(face)));
}

function shown(value) {
  const text = JSON.stringify(value) ?? texts().pose.nothing;
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** Fractions to pixels, in the single precision that the server keeps. */
function pixels(face, { width, height }) {
  return face.map(([x, y]) => [Math.fround(x * width), Math.fround(y * height)]);
}

function letterboxed(face, source, frame) {
  const scale = Math.min(frame.width / source.width, frame.height / source.height);
  const left = (frame.width - source.width * scale) / 2;
  const top = (frame.height - source.height * scale) / 2;
  return face.map(([x, y]) => [x * scale + left, y * scale + top]);
}

/** @param {number[][][]} faces pixels @param {Frame} frame @returns {string} */
export function writePose(faces, frame) {
  return JSON.stringify({
    version: VERSION,
    extent: [frame.width, frame.height],
    faces: faces.map((face) => fractions(face, frame)),
  });
}

function fractions(face, { width, height }) {
  return face.map(([x, y]) => [kept(x / width), kept(y / height)]);
}

function kept(fraction) {
  const within = Math.min(Math.max(fraction, -FARTHEST), FARTHEST);
  return Math.round(within * DIGITS) / DIGITS;
}

/**
 * The faces as they come back from the text, which is what the server will draw.
 * @param {number[][][]} faces @param {Frame} frame
 */
export function asKept(faces, frame) {
  return faces.map((face) => pixels(fractions(face, frame), frame));
}
