/**
 * A face of five points in three dimensions, and its views: the model of `instantid_core/poses.py`
 * and `geometry.py`, whose numbers a test compares with these.
 */

/** x to image right, y down, z towards the viewer; one unit is the height of the face. */
export const FACE_MODEL = [
  [-0.1797, 0.0, 0.0],
  [0.1797, 0.0, 0.0],
  [0.0, 0.1718, 0.17],
  [-0.139, 0.3655, 0.02],
  [0.139, 0.3655, 0.02],
];
/** Middle of the head, around which it turns. */
export const PIVOT = [0.0, 0.18, -0.3];
/** A flipped face names its points anew, so that image-left stays before image-right. */
export const MIRRORED_ORDER = [1, 0, 2, 4, 3];

/**
 * @typedef {number[][]} Face five points [x, y]: eyes, nose, corners of the mouth, image-left first
 * @typedef {{yaw: number, pitch: number, roll: number}} View degrees: yaw moves the nose to image
 *   right, pitch lifts it, roll turns the face clockwise on screen
 * @typedef {{size: number, x: number, y: number}} Place in pixels: height of the face, where the
 *   middle of the head lies from the left, and the middle of the eyes from the top
 */

/** @param {View} view @returns {number[][]} [3][3]: yaw first, then pitch, then roll */
export function rotation({ yaw, pitch, roll }) {
  const [a, b, c] = [yaw, pitch, roll].map((degrees) => (degrees * Math.PI) / 180);
  const aboutY = [
    [Math.cos(a), 0, Math.sin(a)],
    [0, 1, 0],
    [-Math.sin(a), 0, Math.cos(a)],
  ];
  const aboutX = [
    [1, 0, 0],
    [0, Math.cos(b), -Math.sin(b)],
    [0, Math.sin(b), Math.cos(b)],
  ];
  const aboutZ = [
    [Math.cos(c), -Math.sin(c), 0],
    [Math.sin(c), Math.cos(c), 0],
    [0, 0, 1],
  ];
  return product(product(aboutZ, aboutX), aboutY);
}

function product(a, b) {
  return a.map((row) => b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)));
}

/** The turned model without its depth, from the middle of the head. @param {View} view */
function turned(view) {
  const [right, down] = rotation(view);
  return FACE_MODEL.map((point) => {
    const from = point.map((value, i) => value - PIVOT[i]);
    return [dot(right, from), dot(down, from)];
  });
}

function dot(a, b) {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

/**
 * The model's points as they lie in the picture, without perspective.
 * @param {View} view @param {Place} place @returns {number[][]} five points [x, y] in pixels
 */
export function project(view, place) {
  const points = turned(view);
  const eyeLine = (points[0][1] + points[1][1]) / 2;
  return points.map(([x, y]) => [place.x + x * place.size, place.y + (y - eyeLine) * place.size]);
}

const YAWS = range(-80, 80, 10);
const PITCHES = range(-60, 60, 10);
const FINEST = 0.005;

function range(from, to, step) {
  return Array.from({ length: (to - from) / step + 1 }, (_, i) => from + i * step);
}

/**
 * The view and the place of the model that come closest to five points.
 * @param {number[][]} points pixels
 * @returns {{view: View, place: Place, rest: number[][]}} rest: what is left between the points and
 *   the model, in units of the face's height, along and across the upright face
 */
export function fit(points) {
  let best = { error: Infinity, yaw: 0, pitch: 0 };
  const consider = (yaw, pitch) => {
    const error = match(turned({ yaw, pitch, roll: 0 }), points).error;
    if (error < best.error) best = { error, yaw, pitch };
  };
  for (const yaw of YAWS) for (const pitch of PITCHES) consider(yaw, pitch);
  for (let step = 5; step > FINEST; ) {
    const { yaw, pitch, error } = best;
    for (const a of [-step, 0, step]) for (const b of [-step, 0, step]) consider(yaw + a, pitch + b);
    if (best.error === error) step /= 2;
  }
  return placed(best, points);
}

/** The similarity that lays model points on picture points: a complex factor, by least squares. */
function match(model, points) {
  const [m, p] = [centred(model), centred(points)];
  let [along, across, size, spread] = [0, 0, 0, 0];
  m.points.forEach(([x, y], i) => {
    const [u, v] = p.points[i];
    along += x * u + y * v;
    across += x * v - y * u;
    size += x * x + y * y;
    spread += u * u + v * v;
  });
  const error = spread - (along * along + across * across) / size;
  return { error, roll: Math.atan2(across, along), scale: Math.hypot(along, across) / size };
}

/** Points from their mean. @param {number[][]} points */
export function centred(points) {
  const mean = [0, 1].map((i) => points.reduce((sum, point) => sum + point[i], 0) / points.length);
  return { mean, points: points.map(([x, y]) => [x - mean[0], y - mean[1]]) };
}

function placed({ yaw, pitch }, points) {
  const { roll, scale } = match(turned({ yaw, pitch, roll: 0 }), points);
  const view = { yaw, pitch, roll: (roll * 180) / Math.PI };
  const size = Math.max(scale, 1e-6);
  const model = project(view, { size, x: 0, y: 0 });
  const [from, to] = [centred(model).mean, centred(points).mean];
  const place = { size, x: to[0] - from[0], y: to[1] - from[1] };
  const rest = project(view, place).map(([x, y], i) =>
    spin([(points[i][0] - x) / size, (points[i][1] - y) / size], -view.roll),
  );
  return { view, place, rest };
}

/** Turns a vector by degrees, clockwise on screen. */
export function spin([x, y], degrees) {
  const angle = (degrees * Math.PI) / 180;
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
  return [cosine * x - sine * y, sine * x + cosine * y];
}

/**
 * The face of a fit, turned to another view; what makes it differ from the model turns with it.
 * @param {ReturnType<typeof fit>} fitted @param {View} view @returns {number[][]} pixels
 */
export function turnedFace({ place, rest }, view) {
  return project(view, place).map(([x, y], i) => {
    const [across, down] = spin(rest[i], view.roll);
    return [x + across * place.size, y + down * place.size];
  });
}
