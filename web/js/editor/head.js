/**
 * A head drawn through the five points, so that one sees which way it looks. It is no part of the
 * pose: IdentityNet sees the points alone.
 */

import { fitOf, projector } from "./face_model.js";

/** @typedef {import("./face_model.js").Face} Face */

/** An ellipsoid in the coordinates of the face model, whose surface lies close to the eyes and the mouth. */
const CENTRE = [0, 0.05, -0.32];
const RADII = [0.37, 0.58, 0.42];
const NOSE = [
  [0, 0.02, 0.08],
  [0, 0.1718, 0.17],
  [0, 0.23, 0.09],
];
const EAR = { x: 0.37, y: 0.1, z: -0.34, height: 0.12, depth: 0.07 };
/** Units behind the middle of the head at which the head hides an ear. */
const HIDDEN = 0.12;
/** Heights of the lines around the head: eyes and mouth. */
const LINES = [0, 0.3655];
const STEPS = 36;

/**
 * The lines of a head around a face: outline, middle, eyes, mouth, nose, and the ears that are seen.
 * @param {Face} face pixels of the frame
 * @returns {number[][][]} lines of points [x, y]; none for points in which no head can be seen
 */
export function headOf(face) {
  const { view, place } = fitOf(face);
  return Number.isFinite(place.x + place.y + place.size) ? headLines(view, place) : [];
}

/**
 * @param {import("./face_model.js").View} view @param {import("./face_model.js").Place} place
 * @returns {number[][][]}
 */
export function headLines(view, place) {
  const toPicture = projector(view, place);
  const middle = circle((a) => onHead(0, Math.sin(a), Math.cos(a)));
  const around = LINES.map((height) => {
    const y = (height - CENTRE[1]) / RADII[1];
    const radius = Math.sqrt(1 - y * y);
    return circle((a) => onHead(radius * Math.sin(a), y, radius * Math.cos(a)));
  });
  const lines = [middle, ...around].map((line) => seenPart(line.map(toPicture)));
  const ears = [-1, 1].flatMap((side) => ear(side, toPicture));
  return [outline(toPicture), ...lines, NOSE.map(toPicture), ...ears].map((line) =>
    line.map(([x, y]) => [x, y]),
  );
}

/** @param {number} x @param {number} y @param {number} z of the unit sphere */
function onHead(x, y, z) {
  return [x, y, z].map((value, i) => CENTRE[i] + RADII[i] * value);
}

/** @param {(angle: number) => number[]} point */
function circle(point) {
  return Array.from({ length: STEPS + 1 }, (_, i) => point((2 * Math.PI * i) / STEPS));
}

/** The edge of the ellipsoid: an ellipse in the picture. @param {(point: number[]) => number[]} toPicture */
function outline(toPicture) {
  const middle = toPicture(CENTRE);
  // The picture's ellipse is the sum over the axes, each as seen.
  const axes = RADII.map((radius, i) => {
    const end = CENTRE.map((value, j) => value + (i === j ? radius : 0));
    return toPicture(end).map((value, k) => value - middle[k]);
  });
  return circle((a) => {
    const [across, down] = [Math.cos(a), Math.sin(a)];
    const reach = Math.hypot(...axes.map(([x, y]) => x * across + y * down)) || 1;
    return [0, 1].map(
      (k) =>
        middle[k] +
        axes.reduce((sum, axis) => sum + axis[k] * (axis[0] * across + axis[1] * down), 0) / reach,
    );
  });
}

/** The points of a closed line that look towards the viewer, in one piece. @param {number[][]} line */
function seenPart(line) {
  const points = line.slice(0, -1);
  const depth = points.reduce((sum, [, , z]) => sum + z, 0) / points.length;
  const isSeen = (/** @type {number[]} */ [, , z]) => z >= depth;
  const start = points.findIndex((point, i) => isSeen(point) && !isSeen(points.at(i - 1) ?? point));
  if (start < 0) return points;
  return [...points.slice(start), ...points.slice(0, start)].filter(isSeen);
}

/** An ear, if the head does not hide it. @param {number} side @param {(point: number[]) => number[]} toPicture */
function ear(side, toPicture) {
  const centre = [side * EAR.x, EAR.y, EAR.z];
  const [, , depth] = toPicture(CENTRE);
  if (toPicture(centre)[2] < depth - HIDDEN) return [];
  return [
    circle((a) => [
      centre[0],
      centre[1] + EAR.height * Math.sin(a),
      centre[2] + EAR.depth * Math.cos(a),
    ]).map(toPicture),
  ];
}

/**
 * Draws a head.
 * @param {CanvasRenderingContext2D} context @param {number[][][]} lines
 * @param {(point: number[]) => number[]} toScreen
 * @param {{colour: string, opacity: number, width: number}} pen
 */
export function drawHead(context, lines, toScreen, { colour, opacity, width }) {
  context.save();
  context.setLineDash([]);
  context.strokeStyle = colour;
  context.globalAlpha = opacity;
  context.lineWidth = width;
  context.lineJoin = "round";
  for (const line of lines) {
    context.beginPath();
    line.map(toScreen).forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.stroke();
  }
  context.restore();
}
