/**
 * A face of five points in three dimensions and its projections: the model of
 * `poses.py` and `geometry.py` in `instantid_core/keypoints`. Tests compare the numbers of both.
 *
 * @typedef {number[][]} Face five points [x, y]: eyes, nose, corners of the mouth, image-left first
 * @typedef {{yaw: number, pitch: number, roll: number}} View degrees: yaw moves the nose to image
 *   right, pitch lifts it, roll turns the face clockwise on screen
 * @typedef {{size: number, x: number, y: number}} Place in pixels: height of the face, the centre of
 *   the head from the left, and the line of the eyes from the top
 * @typedef {{view: View, place: Place, residual: Face}} Fit residual: the points' distance from the
 *   model, as shares of the face's height, along the axes of the upright face
 */

/** x to image right, y down, z towards the viewer; one unit is the height of the face. */
export const FACE_MODEL = [
  [-0.1797, 0.0, 0.0],
  [0.1797, 0.0, 0.0],
  [0.0, 0.1718, 0.17],
  [-0.139, 0.3655, 0.02],
  [0.139, 0.3655, 0.02],
];
/** The centre of the head, about which it turns. */
export const PIVOT = [0.0, 0.18, -0.3];
/** A mirrored face lists its points in this order, so that image-left stays before image-right. */
export const MIRRORED_ORDER = [1, 0, 2, 4, 3];

/** The views that a fit starts from, and the step in degrees at which it stops. */
const YAWS = range(-80, 80, 10);
const PITCHES = range(-60, 60, 10);
const FIRST_STEP = 5;
const LAST_STEP = 0.005;
const SMALLEST_SIZE = 1e-6;

/** @param {View} view @returns {number[][]} [3][3] matrix: yaw first, then pitch, then roll */
export function rotation({ yaw, pitch, roll }) {
  const [a, b, c] = [yaw, pitch, roll].map(radians);
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

/**
 * The model's points in the picture, without perspective.
 * @param {View} view @param {Place} place
 * @returns {Face} pixels
 */
export function project(view, place) {
  const points = rotatedModel(view);
  const eyeLine = (points[0][1] + points[1][1]) / 2;
  return points.map(([x, y]) => [place.x + x * place.size, place.y + (y - eyeLine) * place.size]);
}

/**
 * A function from coordinates of the model to pixels of the picture, and to depth: the third number
 * grows towards the viewer.
 * @param {View} view @param {Place} place
 * @returns {(point: number[]) => number[]}
 */
export function projector(view, place) {
  const rows = rotation(view);
  const points = rotatedModel(view);
  const eyeLine = (points[0][1] + points[1][1]) / 2;
  return (point) => {
    const offset = point.map((value, i) => value - PIVOT[i]);
    const [x, y, z] = rows.map((row) => dot(row, offset));
    return [place.x + x * place.size, place.y + (y - eyeLine) * place.size, z];
  };
}

/**
 * The view and place of the model that come closest to a face.
 * @param {Face} face pixels
 * @returns {Fit}
 */
export function fit(face) {
  let best = { error: Infinity, yaw: 0, pitch: 0 };
  const consider = (/** @type {number} */ yaw, /** @type {number} */ pitch) => {
    const { error } = align(rotatedModel({ yaw, pitch, roll: 0 }), face);
    if (error < best.error) best = { error, yaw, pitch };
  };
  for (const yaw of YAWS) for (const pitch of PITCHES) consider(yaw, pitch);
  for (let step = FIRST_STEP; step > LAST_STEP;) {
    const { yaw, pitch, error } = best;
    for (const a of [-step, 0, step])
      for (const b of [-step, 0, step]) consider(yaw + a, pitch + b);
    if (best.error === error) step /= 2;
  }
  return fitAt(best.yaw, best.pitch, face);
}

/** Fits take milliseconds; a face that was not changed is the same array. @type {WeakMap<Face, Fit>} */
const fits = new WeakMap();

/** The fit of a face, computed once. @param {Face} face */
export function fitOf(face) {
  const known = fits.get(face) ?? fit(face);
  fits.set(face, known);
  return known;
}

/**
 * The fitted face seen from another view. Its residual turns with it.
 * @param {Fit} fitted @param {View} view
 * @returns {Face} pixels
 */
export function rotatedFace({ place, residual }, view) {
  return project(view, place).map(([x, y], i) => {
    const [across, down] = rotate(residual[i], view.roll);
    return [x + across * place.size, y + down * place.size];
  });
}

/**
 * Points relative to their mean.
 * @param {number[][]} points [x, y] each
 */
export function centred(points) {
  const mean = [0, 1].map((i) => points.reduce((sum, point) => sum + point[i], 0) / points.length);
  return { mean, points: points.map(([x, y]) => [x - mean[0], y - mean[1]]) };
}

/** Rotates a vector, clockwise on screen. @param {number[]} vector @param {number} degrees */
export function rotate([x, y], degrees) {
  const angle = radians(degrees);
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
  return [cosine * x - sine * y, sine * x + cosine * y];
}

/** @param {number} degrees */
export function radians(degrees) {
  return (degrees * Math.PI) / 180;
}

/** @param {number} angle in radians */
export function degrees(angle) {
  return (angle * 180) / Math.PI;
}

/** The model's points [x, y] about the centre of the head. @param {View} view */
function rotatedModel(view) {
  const [right, down] = rotation(view);
  return FACE_MODEL.map((point) => {
    const offset = point.map((value, i) => value - PIVOT[i]);
    return [dot(right, offset), dot(down, offset)];
  });
}

/**
 * The similarity that takes model points closest to a face's, by least squares: a complex factor.
 * @param {number[][]} model @param {Face} face
 */
function align(model, face) {
  const [from, to] = [centred(model).points, centred(face).points];
  let [along, across, size, spread] = [0, 0, 0, 0];
  from.forEach(([x, y], i) => {
    const [u, v] = to[i];
    along += x * u + y * v;
    across += x * v - y * u;
    size += x * x + y * y;
    spread += u * u + v * v;
  });
  const error = spread - (along * along + across * across) / size;
  return { error, roll: Math.atan2(across, along), scale: Math.hypot(along, across) / size };
}

/** @param {number} yaw @param {number} pitch @param {Face} face @returns {Fit} */
function fitAt(yaw, pitch, face) {
  const { roll, scale } = align(rotatedModel({ yaw, pitch, roll: 0 }), face);
  const view = { yaw, pitch, roll: degrees(roll) };
  const size = Math.max(scale, SMALLEST_SIZE);
  const origin = centred(project(view, { size, x: 0, y: 0 })).mean;
  const { mean } = centred(face);
  const place = { size, x: mean[0] - origin[0], y: mean[1] - origin[1] };
  const residual = project(view, place).map(([x, y], i) =>
    rotate([(face[i][0] - x) / size, (face[i][1] - y) / size], -view.roll),
  );
  return { view, place, residual };
}

/** @param {number[][]} a @param {number[][]} b */
function product(a, b) {
  return a.map((row) =>
    b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)),
  );
}

/** @param {number[]} a @param {number[]} b */
function dot(a, b) {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

/** @param {number} from @param {number} to @param {number} step */
function range(from, to, step) {
  return Array.from({ length: (to - from) / step + 1 }, (_, i) => from + i * step);
}
