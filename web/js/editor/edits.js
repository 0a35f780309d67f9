/** Changes to faces: pure functions from five points [x, y] in pixels to new ones. */

import { centred, MIRRORED_ORDER, spin } from "./face_model.js";

/** How much of the model's height the eyes and the way to the mouth take; `geometry.py` explains. */
const EYE_SPAN = 0.3594;
const EYES_TO_MOUTH = 0.3655;
const CENTRE_BELOW_EYES = 0.1;
const SMALLEST_SPREAD = 2;

/** @param {number[][]} face @param {number} x @param {number} y pixels to the right and down */
export function moved(face, x, y) {
  return face.map((point) => [point[0] + x, point[1] + y]);
}

/** One point put elsewhere. @param {number[][]} face @param {number} index @param {number[]} to */
export function withPoint(face, index, to) {
  return face.map((point, i) => (i === index ? [...to] : point));
}

/**
 * Scaled and turned around the middle of the points.
 * @param {number[][]} face @param {number} scale @param {number} degrees clockwise on screen
 */
export function reshaped(face, scale, degrees) {
  const { mean, points } = centred(face);
  const spread = Math.max(...points.map(([x, y]) => Math.hypot(x, y)));
  const factor = Math.max(scale, Math.min(1, SMALLEST_SPREAD / Math.max(spread, 1e-9)));
  return points.map((point) => {
    const [x, y] = spin(point, degrees);
    return [mean[0] + x * factor, mean[1] + y * factor];
  });
}

/** Flipped left to right about a vertical line. @param {number[][]} face @param {number} axis x */
export function mirrored(face, axis) {
  return MIRRORED_ORDER.map((i) => [2 * axis - face[i][0], face[i][1]]);
}

/** Flipped in its place. @param {number[][]} face */
export function mirroredInPlace(face) {
  return mirrored(face, centred(face).mean[0]);
}

/**
 * The oval of a face, by the proportions that the server uses.
 * @param {number[][]} face
 * @returns {{x: number, y: number, halfWidth: number, halfHeight: number, angle: number}} angle: of
 *   the way from eyes to mouth, in degrees from straight down, clockwise
 */
export function ovalOf([leftEye, rightEye, , leftMouth, rightMouth]) {
  const eyes = between(leftEye, rightEye);
  const mouth = between(leftMouth, rightMouth);
  const across = [rightEye[0] - leftEye[0], rightEye[1] - leftEye[1]];
  const along = [mouth[0] - eyes[0], mouth[1] - eyes[1]];
  const size = Math.max(Math.hypot(...across) / EYE_SPAN, Math.hypot(...along) / EYES_TO_MOUTH);
  const down = along.some(Boolean) ? along : [-across[1], across[0]];
  return {
    x: eyes[0] + (along[0] * CENTRE_BELOW_EYES) / EYES_TO_MOUTH,
    y: eyes[1] + (along[1] * CENTRE_BELOW_EYES) / EYES_TO_MOUTH,
    halfWidth: 0.37 * size,
    halfHeight: 0.5 * size,
    angle: (Math.atan2(-down[0], down[1]) * 180) / Math.PI || 0,
  };
}

function between(a, b) {
  return [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
}

/** How many points lie outside a frame. @param {number[][][]} faces */
export function countOutside(faces, { width, height }) {
  return faces.flat().filter(([x, y]) => x < 0 || y < 0 || x >= width || y >= height).length;
}

/**
 * A face moved, and made smaller where it must be, until all its points lie in the frame.
 * @param {number[][]} face @param {import("./pose_text.js").Frame} frame
 */
export function broughtInside(face, { width, height }) {
  const span = (i) => Math.max(...face.map((p) => p[i])) - Math.min(...face.map((p) => p[i]));
  const room = Math.min(1, (width * 0.96) / span(0), (height * 0.96) / span(1));
  const fitting = reshaped(face, Number.isFinite(room) ? room : 1, 0);
  const shift = [width, height].map((side, i) => {
    const [low, high] = [0.02 * side, 0.98 * side];
    const values = fitting.map((point) => point[i]);
    const [least, most] = [Math.min(...values), Math.max(...values)];
    return least < low ? low - least : most > high ? high - most : 0;
  });
  return moved(fitting, ...shift);
}
