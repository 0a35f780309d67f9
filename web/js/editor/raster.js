/**
 * OpenCV's lines, convex polygons and discs on an array of pixels, without anti-aliasing.
 *
 * The server draws keypoints with OpenCV. The same integer arithmetic gives the same pixels here, so
 * that what the editor shows is what the model sees. Polygons reach few pixels and are cheap.
 */

const SHIFT = 16;
const ONE = 2 ** SHIFT;

/** Sines of whole degrees as OpenCV tabulates them: seven decimals, single precision. */
const SINES = Float32Array.from({ length: 451 }, (_, degree) =>
  Number(Math.sin((degree * Math.PI) / 180).toFixed(7)),
);

/** A picture in RGBA whose pixels shapes are painted into; it remembers which part was touched. */
export class Bitmap {
  /** @param {number} width @param {number} height */
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.bytes = new Uint8ClampedArray(width * height * 4);
    this.words = new Uint32Array(this.bytes.buffer);
    this.touched = emptyRectangle();
  }

  /**
   * Makes what was touched transparent again.
   * @returns {{x0: number, y0: number, x1: number, y1: number}} the rectangle that was cleared
   */
  clear() {
    const { x0, y0, x1, y1 } = this.touched;
    for (let y = y0; y <= y1; y++) {
      this.words.fill(0, y * this.width + x0, y * this.width + x1 + 1);
    }
    const cleared = this.touched;
    this.touched = emptyRectangle();
    return cleared;
  }

  /** Paints the pixels x0 to x1, both included, of row y; what lies outside is left out. */
  row(y, x0, x1, ink) {
    const from = Math.max(x0, 0);
    const to = Math.min(x1, this.width - 1);
    if (y < 0 || y >= this.height || from > to) return;
    this.words.fill(ink, y * this.width + from, y * this.width + to + 1);
    const touched = this.touched;
    touched.x0 = Math.min(touched.x0, from);
    touched.x1 = Math.max(touched.x1, to);
    touched.y0 = Math.min(touched.y0, y);
    touched.y1 = Math.max(touched.y1, y);
  }
}

function emptyRectangle() {
  return { x0: Infinity, y0: Infinity, x1: -1, y1: -1 };
}

/**
 * A colour as one word of a `Bitmap`, opaque.
 * @param {number[]} colour red, green and blue, 0 to 255
 */
export function inkOf([red, green, blue]) {
  const bytes = new Uint8ClampedArray([red, green, blue, 255]);
  return new Uint32Array(bytes.buffer)[0];
}

/**
 * The corners of an ellipse, one for each degree, rounded to pixels: `cv2.ellipse2Poly`.
 * @param {number[]} centre whole pixels
 * @param {number[]} axes half lengths in whole pixels
 * @param {number} angle whole degrees, clockwise
 * @returns {number[][]} at least two corners
 */
export function ellipse(centre, axes, angle) {
  const turn = angle < 0 ? angle + 360 : angle;
  const cosine = SINES[450 - turn];
  const sine = SINES[turn];
  const corners = [];
  for (let degree = 0; degree <= 360; degree++) {
    const x = axes[0] * SINES[450 - degree];
    const y = axes[1] * SINES[degree];
    const corner = [
      roundHalfEven(centre[0] + x * cosine - y * sine),
      roundHalfEven(centre[1] + x * sine + y * cosine),
    ];
    const last = corners[corners.length - 1];
    if (!last || last[0] !== corner[0] || last[1] !== corner[1]) corners.push(corner);
  }
  return corners.length === 1 ? [centre, centre] : corners;
}

function roundHalfEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/**
 * Fills a convex polygon, outline included: `cv2.fillConvexPoly`.
 * @param {Bitmap} bitmap
 * @param {number[][]} corners whole pixels
 * @param {number} ink from `inkOf`
 */
export function fillConvex(bitmap, corners, ink) {
  corners.forEach((corner, i) => line(bitmap, corners.at(i - 1), corner, ink));
  if (corners.length < 3) return;
  let top = 0;
  let bottom = -Infinity;
  corners.forEach(([, y], i) => {
    if (y < corners[top][1]) top = i;
    bottom = Math.max(bottom, y);
  });
  fillRows(bitmap, corners, top, Math.min(bottom, bitmap.height - 1), ink);
}

function fillRows(bitmap, corners, top, bottom, ink) {
  const start = corners[top][1];
  const edges = [1, corners.length - 1].map((step) => ({
    at: top,
    step,
    x: -ONE,
    slope: 0,
    until: start,
  }));
  const left = { edges: corners.length };
  for (let y = start; y <= bottom; y++) {
    for (const edge of edges) if (y >= edge.until) advance(edge, corners, y, left);
    const [a, b] = edges[0].x > edges[1].x ? [edges[1], edges[0]] : edges;
    bitmap.row(y, Math.floor((a.x + ONE / 2) / ONE), Math.floor((b.x + ONE / 2) / ONE), ink);
    for (const edge of edges) edge.x += edge.slope;
  }
}

/** Goes on to the next side of the polygon that leads below row y. */
function advance(edge, corners, y, left) {
  let from = edge.at;
  let to = (from + edge.step) % corners.length;
  for (; left.edges > 0; left.edges--) {
    const [x, end] = corners[to];
    if (end > y) {
      const rows = end - y;
      edge.until = end;
      edge.slope = Math.trunc(((x - corners[from][0]) * ONE * 2 + rows) / (2 * rows));
      edge.x = corners[from][0] * ONE;
      edge.at = to;
      left.edges--;
      return;
    }
    from = to;
    to = (to + edge.step) % corners.length;
  }
}

/** Draws a line of one pixel's width, clipped to the picture: OpenCV's 8-connected one. */
function line(bitmap, start, end, ink) {
  const clipped = clip(bitmap, start, end);
  if (!clipped) return;
  const [[x0, y0], [x1, y1]] = clipped[0][0] <= clipped[1][0] ? clipped : [clipped[1], clipped[0]];
  const down = y1 < y0 ? -1 : 1;
  const steep = Math.abs(y1 - y0) > x1 - x0;
  const [long, short] = steep ? [Math.abs(y1 - y0), x1 - x0] : [x1 - x0, Math.abs(y1 - y0)];
  let error = long - 2 * short;
  let [x, y] = [x0, y0];
  for (let i = 0; i <= long; i++) {
    bitmap.row(y, x, x, ink);
    const aside = error < 0;
    error += (aside ? 2 * long : 0) - 2 * short;
    if (steep || aside) y += down;
    if (!steep || aside) x += 1;
  }
}

/** The part of a line that lies in the picture, or null. */
function clip({ width, height }, start, end) {
  const a = [...start];
  const b = [...end];
  const sides = () => [a, b].map(([x, y]) => outside(x, width) | (outside(y, height) << 2));
  let [first, second] = sides();
  if (first & second) return null;
  if (first | second) {
    if (first & 12) slide(a, a, b, 1, first < 8 ? 0 : height - 1);
    if (second & 12) slide(b, a, b, 1, second < 8 ? 0 : height - 1);
    [first, second] = sides().map((side) => side & 3);
    if (first & second) return null;
    if (first) slide(a, a, b, 0, first === 1 ? 0 : width - 1);
    if (second) slide(b, a, b, 0, second === 1 ? 0 : width - 1);
    [first, second] = sides();
  }
  return first | second ? null : [a, b];
}

function outside(value, size) {
  return value < 0 ? 1 : value >= size ? 2 : 0;
}

/** Moves an end of the line a-b along it until its coordinate `axis` is `target`. */
function slide(moved, a, b, axis, target) {
  const other = 1 - axis;
  moved[other] += Math.trunc(
    ((target - moved[axis]) * (b[other] - a[other])) / (b[axis] - a[axis]),
  );
  moved[axis] = target;
}

/**
 * Fills a disc: `cv2.circle` with a negative thickness.
 * @param {Bitmap} bitmap
 * @param {number[]} centre whole pixels
 * @param {number} radius whole pixels
 * @param {number} ink from `inkOf`
 */
export function disc(bitmap, [x, y], radius, ink) {
  let error = 0;
  let wide = radius;
  let plus = 1;
  let minus = 2 * radius - 1;
  for (let narrow = 0; wide >= narrow; narrow++) {
    for (const side of [-1, 1]) {
      bitmap.row(y + side * narrow, x - wide, x + wide, ink);
      bitmap.row(y + side * wide, x - narrow, x + narrow, ink);
    }
    error += plus;
    plus += 2;
    if (error > 0) {
      error -= minus;
      wide -= 1;
      minus -= 2;
    }
  }
}
