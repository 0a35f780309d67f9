/** Edits of faces: pure functions from a face in pixels to another one. */

import { centred, degrees, MIRRORED_ORDER, rotate } from "./face_model.js";

/**
 * @typedef {import("./face_model.js").Face} Face
 * @typedef {import("./pose_text.js").Frame} Frame
 * @typedef {{x: number, y: number, halfWidth: number, halfHeight: number, angle: number}} Oval
 *   angle: of the axis from the eyes to the mouth, in degrees clockwise from straight down
 */

/** Proportions of the model face, in face heights; see `instantid_core/keypoints/geometry.py`. */
const EYE_SPAN = 0.3594;
const EYES_TO_MOUTH = 0.3655;
const CENTRE_BELOW_EYES = 0.1;
const OVAL_HALF_WIDTH = 0.37;
/** No scaling brings the points closer to their centre, in pixels. */
const SMALLEST_SPREAD = 2;
/** Share of the frame left free at each edge by `movedInside`. */
const EDGE = 0.02;

/** @param {Face} face @param {number} x @param {number} y pixels to the right and down */
export function moved(face, x, y) {
  return face.map((point) => [point[0] + x, point[1] + y]);
}

/** A face with one point replaced. @param {Face} face @param {number} index @param {number[]} point */
export function withPoint(face, index, point) {
  return face.map((old, i) => (i === index ? [...point] : old));
}

/**
 * A face scaled and rotated about the mean of its points.
 * @param {Face} face @param {number} scale @param {number} angle degrees, clockwise on screen
 */
export function reshaped(face, scale, angle) {
  const { mean, points } = centred(face);
  const spread = Math.max(...points.map(([x, y]) => Math.hypot(x, y)));
  const smallest = Math.min(1, SMALLEST_SPREAD / Math.max(spread, 1e-9));
  const factor = Math.max(scale, smallest);
  return points.map((point) => {
    const [x, y] = rotate(point, angle);
    return [mean[0] + x * factor, mean[1] + y * factor];
  });
}

/** A face mirrored about a vertical line. @param {Face} face @param {number} axis x of the line */
export function mirrored(face, axis) {
  return MIRRORED_ORDER.map((i) => [2 * axis - face[i][0], face[i][1]]);
}

/** A face mirrored about its own centre. @param {Face} face */
export function mirroredInPlace(face) {
  return mirrored(face, centred(face).mean[0]);
}

/** The oval around a face, in the server's proportions. @param {Face} face @returns {Oval} */
export function ovalOf([leftEye, rightEye, , leftMouth, rightMouth]) {
  const eyes = midpoint(leftEye, rightEye);
  const mouth = midpoint(leftMouth, rightMouth);
  const across = [rightEye[0] - leftEye[0], rightEye[1] - leftEye[1]];
  const along = [mouth[0] - eyes[0], mouth[1] - eyes[1]];
  const size = Math.max(Math.hypot(...across) / EYE_SPAN, Math.hypot(...along) / EYES_TO_MOUTH);
  const down = along.some(Boolean) ? along : [-across[1], across[0]];
  return {
    x: eyes[0] + (along[0] * CENTRE_BELOW_EYES) / EYES_TO_MOUTH,
    y: eyes[1] + (along[1] * CENTRE_BELOW_EYES) / EYES_TO_MOUTH,
    halfWidth: OVAL_HALF_WIDTH * size,
    halfHeight: 0.5 * size,
    angle: degrees(Math.atan2(-down[0], down[1])) || 0,
  };
}

/** @param {number[]} a @param {number[]} b */
function midpoint(a, b) {
  return [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
}

/** The number of points outside a frame. @param {Face[]} faces @param {Frame} frame */
export function countOutside(faces, { width, height }) {
  return faces.flat().filter(([x, y]) => x < 0 || y < 0 || x >= width || y >= height).length;
}

/**
 * A face moved, and scaled down if necessary, until all its points are in the frame.
 * @param {Face} face @param {Frame} frame
 */
export function movedInside(face, { width, height }) {
  const share = 1 - 2 * EDGE;
  const scale = Math.min(1, (width * share) / span(face, 0), (height * share) / span(face, 1));
  const fitting = reshaped(face, Number.isFinite(scale) ? scale : 1, 0);
  const [x, y] = [width, height].map((side, axis) => {
    const [low, high] = [EDGE * side, (1 - EDGE) * side];
    const values = fitting.map((point) => point[axis]);
    const [least, most] = [Math.min(...values), Math.max(...values)];
    return least < low ? low - least : most > high ? high - most : 0;
  });
  return moved(fitting, x, y);
}

/** @param {Face} face @param {number} axis */
function span(face, axis) {
  const values = face.map((point) => point[axis]);
  return Math.max(...values) - Math.min(...values);
}
