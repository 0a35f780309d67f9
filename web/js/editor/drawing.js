/**
 * Draws five facial keypoints as `instantid_core/keypoints.py` does: sticks from every outer point to
 * the nose, dimmed, and points as full discs on top, sizes in pixels whatever the picture's size.
 */

import { disc, ellipse, fillConvex, inkOf } from "./raster.js";

export const NOSE = 2;
const OUTER_POINTS = [0, 1, 3, 4];
/** Red, green and blue for each keypoint, in the order of the text `editor.points`. */
export const COLOURS = [
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
  [255, 255, 0],
  [255, 0, 255],
];
export const POINT_RADIUS = 10;
const STICK_HALF_WIDTH = 4;
const STICK_BRIGHTNESS = 0.6;

/**
 * Draws faces over each other in the order they come in.
 * @param {import("./raster.js").Bitmap} bitmap
 * @param {number[][][]} faces five points [x, y] each, in pixels of the bitmap
 * @param {{limbs: number, points: number}} style brightness; 1 as published, 0 leaves a part out
 * @param {number} scale of the sizes, below 1 where the bitmap is a smaller copy of the frame
 */
export function drawFaces(bitmap, faces, style = { limbs: 1, points: 1 }, scale = 1) {
  const dimmed = COLOURS.map((colour) =>
    inkOf(colour.map((level) => Math.trunc(level * (STICK_BRIGHTNESS * style.limbs)))),
  );
  for (const points of faces) {
    for (const outer of OUTER_POINTS) {
      drawStick(bitmap, points[outer], points[NOSE], dimmed[outer], scale);
    }
  }
  if (!style.points) return;
  const bright = COLOURS.map((colour) =>
    inkOf(colour.map((level) => Math.trunc(level * style.points))),
  );
  const radius = Math.max(1, Math.round(POINT_RADIUS * scale));
  for (const points of faces) {
    points.forEach((point, i) => disc(bitmap, point.map(Math.trunc), radius, bright[i]));
  }
}

function drawStick(bitmap, start, end, ink, scale) {
  const [across, down] = [start[0] - end[0], start[1] - end[1]];
  const middle = [(start[0] + end[0]) / 2, (start[1] + end[1]) / 2];
  const axes = [
    Math.trunc(Math.hypot(across, down) / 2),
    Math.max(1, Math.round(STICK_HALF_WIDTH * scale)),
  ];
  const angle = Math.trunc((Math.atan2(down, across) * 180) / Math.PI);
  fillConvex(bitmap, ellipse(middle.map(Math.trunc), axes, angle), ink);
}
