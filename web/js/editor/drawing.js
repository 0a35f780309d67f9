/**
 * Five-point keypoints drawn on a canvas, in the style of `instantid_core/keypoints/drawing.py`: a dimmed
 * stick from each outer point to the nose, and a disc on every point.
 *
 * The server draws with OpenCV and without anti-aliasing. Here the canvas draws the same ellipses and
 * discs, so that the editor's picture differs from the server's at the edges only. The node's output
 * `preview` is the server's own drawing.
 */

/**
 * @typedef {import("./face_model.js").Face} Face
 * @typedef {{limbs: number, points: number}} Style brightness; 1 as published, 0 leaves a part out
 */

const NOSE = 2;
const OUTER_POINTS = [0, 1, 3, 4];
/** Red, green and blue of each keypoint, in the order of the text `editor.points`. */
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
/** OpenCV counts pixels by their centres and fills the outline too; a canvas counts their edges. */
const HALF_PIXEL = 0.5;

/**
 * Draws all sticks, then all points, in the order of the faces.
 * @param {CanvasRenderingContext2D} context
 * @param {Face[]} faces in pixels of the canvas
 * @param {Style} style
 * @param {number} scale of the sizes, below 1 where the canvas is a smaller copy of the frame
 */
export function drawFaces(context, faces, style = { limbs: 1, points: 1 }, scale = 1) {
  for (const face of faces) {
    for (const outer of OUTER_POINTS) {
      context.fillStyle = dimmed(COLOURS[outer], STICK_BRIGHTNESS * style.limbs);
      fillStick(context, face[outer], face[NOSE], Math.max(1, STICK_HALF_WIDTH * scale));
    }
  }
  if (!style.points) return;
  const radius = Math.max(1, POINT_RADIUS * scale);
  for (const face of faces) {
    face.forEach((point, i) => {
      context.fillStyle = dimmed(COLOURS[i], style.points);
      fillEllipse(context, point, [radius, radius], 0);
    });
  }
}

/** @param {number[]} colour @param {number} brightness */
function dimmed(colour, brightness) {
  return `rgb(${colour.map((level) => Math.trunc(level * brightness)).join(" ")})`;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number[]} start @param {number[]} end @param {number} halfWidth
 */
function fillStick(context, start, end, halfWidth) {
  const [across, down] = [start[0] - end[0], start[1] - end[1]];
  const centre = [(start[0] + end[0]) / 2, (start[1] + end[1]) / 2];
  const halfLength = Math.trunc(Math.hypot(across, down) / 2);
  // In whole degrees, as OpenCV takes the angle: the tip of a long stick would be elsewhere.
  const degrees = Math.trunc((Math.atan2(down, across) * 180) / Math.PI);
  fillEllipse(context, centre, [halfLength, halfWidth], (degrees * Math.PI) / 180);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number[]} centre @param {number[]} halfAxes @param {number} angle in radians
 */
function fillEllipse(context, centre, halfAxes, angle) {
  const [x, y] = centre.map((value) => Math.trunc(value) + HALF_PIXEL);
  const [a, b] = halfAxes.map((axis) => axis + HALF_PIXEL);
  context.beginPath();
  context.ellipse(x, y, a, b, angle, 0, 2 * Math.PI);
  context.fill();
}
