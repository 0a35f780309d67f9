/**
 * The faces that the widgets of Analyze Faces select, and the widgets' values after a click. The same
 * rules as `instantid_core/faces/selection.py`. No DOM.
 *
 * @typedef {{select: string, index: number, numbers: string}} Selection values of the three widgets
 * @typedef {{number: number, box: number[], score: number, size: number}} Face box: fractions of the
 *   image from the left and the top, score: 0 to 1, size: pixels
 * @typedef {{width: number, height: number, faces: Face[]}} Picture
 */

/**
 * Reads face numbers such as `0, 2`.
 * @param {unknown} text
 * @returns {number[] | null} without repetitions; null for any other text
 */
export function readNumbers(text) {
  const words = String(text ?? "")
    .split(/[\s,;]+/)
    .filter(Boolean);
  if (!words.every((word) => /^[+-]?\d{1,9}$/.test(word))) return null;
  return [...new Set(words.map(Number))];
}

/**
 * The face numbers of a selection by index.
 * @param {Selection} selection
 * @returns {number[]} at least one; negative numbers count from the end
 */
export function indexedNumbers({ index, numbers }) {
  const several = readNumbers(numbers);
  return several?.length ? several : [Math.trunc(Number(index)) || 0];
}

/**
 * The faces of a picture that a selection means.
 * @param {Picture} picture
 * @param {Selection} selection
 * @returns {number[]} face numbers in the order of the selection
 */
export function selectedFaces(picture, selection) {
  const { faces } = picture;
  if (!faces.length) return [];
  switch (selection.select) {
    case "index":
      return existing(indexedNumbers(selection), faces.length);
    case "largest":
      return [highest(faces, (face) => area(picture, face)).number];
    case "center":
      return [highest(faces, (face) => -distanceToCentre(picture, face)).number];
    default:
      return faces.map((face) => face.number);
  }
}

/**
 * The selection of one face.
 * @param {number} number
 * @returns {Selection}
 */
export function selectOnly(number) {
  return { select: "index", index: number, numbers: "" };
}

/**
 * A selection with a face added, or removed if it was selected. The last face stays selected.
 * @param {Picture} picture
 * @param {Selection} selection
 * @param {number} number
 * @returns {Selection}
 */
export function toggle(picture, selection, number) {
  // Numbers that this picture does not have may belong to another picture of the batch.
  const before =
    selection.select === "index" ? indexedNumbers(selection) : selectedFaces(picture, selection);
  const count = picture.faces.length;
  const others = before.filter((one) => (one < 0 ? one + count : one) !== number);
  const after = others.length < before.length ? others : [...before, number];
  if (!after.length) return selectOnly(number);
  if (after.length === 1) return selectOnly(after[0]);
  return { select: "index", index: after[0], numbers: after.join(", ") };
}

/**
 * Numbers that a picture of `count` faces has, counted from the front and each once.
 * @param {number[]} numbers @param {number} count
 */
function existing(numbers, count) {
  const within = numbers.filter((number) => number >= -count && number < count);
  return [...new Set(within.map((number) => (number < 0 ? number + count : number)))];
}

/** @param {Face[]} faces @param {(face: Face) => number} rank @returns {Face} the first of equals */
function highest(faces, rank) {
  return faces.reduce((best, face) => (rank(face) > rank(best) ? face : best));
}

/** @param {Picture} picture @param {Face} face */
function area({ width, height }, { box: [x0, y0, x1, y1] }) {
  return (x1 - x0) * width * (y1 - y0) * height;
}

/** @param {Picture} picture @param {Face} face */
function distanceToCentre({ width, height }, { box: [x0, y0, x1, y1] }) {
  return Math.hypot(((x0 + x1) / 2 - 0.5) * width, ((y0 + y1) / 2 - 0.5) * height);
}
