/**
 * Which faces a node's widgets mean, and what the widgets become when people choose. Knows nothing
 * of the page; the same rules as `instantid_core/selection.py`.
 *
 * @typedef {{select: string, index: number, numbers: string}} Setting values of the three widgets
 * @typedef {{number: number, box: number[], score: number, size: number, chosen: boolean}} Face
 * @typedef {{width: number, height: number, faces: Face[]}} Picture
 */

/**
 * Reads face numbers such as `0, 2`.
 * @param {unknown} text
 * @returns {number[] | null} null for a text that is no such list
 */
export function readNumbers(text) {
  const words = String(text ?? "").split(/[\s,;]+/).filter(Boolean);
  if (!words.every((word) => /^[+-]?\d{1,9}$/.test(word))) return null;
  return [...new Set(words.map(Number))];
}

/**
 * The numbers that count for `select = index`.
 * @param {Setting} setting
 * @returns {number[]}
 */
export function wantedNumbers(setting) {
  const several = readNumbers(setting.numbers);
  return several?.length ? several : [Math.trunc(Number(setting.index)) || 0];
}

/**
 * The faces of a picture that the widgets mean.
 * @param {Picture} picture
 * @param {Setting} setting
 * @returns {number[]} numbers of faces, in the order of the choice
 */
export function chosenIn(picture, setting) {
  const { faces } = picture;
  if (!faces.length) return [];
  if (setting.select === "index") return places(wantedNumbers(setting), faces.length);
  if (setting.select === "largest") return [best(faces, (face) => area(picture, face)).number];
  if (setting.select === "center") return [best(faces, (face) => -fromMiddle(picture, face)).number];
  return faces.map((face) => face.number);
}

/**
 * What the widgets become when a face is chosen alone.
 * @param {number} number
 * @returns {Setting}
 */
export function only(number) {
  return { select: "index", index: number, numbers: "" };
}

/**
 * What the widgets become when a face is added to the choice, or taken out of it again.
 * @param {Picture} picture
 * @param {Setting} setting
 * @param {number} number
 * @returns {Setting}
 */
export function toggled(picture, setting, number) {
  const byNumber = setting.select === "index";
  // Numbers that this picture does not have may be meant for another one of the batch.
  const before = byNumber ? wantedNumbers(setting) : chosenIn(picture, setting);
  const count = picture.faces.length;
  const without = before.filter((each) => (each < 0 ? each + count : each) !== number);
  const after = without.length < before.length ? without : [...before, number];
  if (!after.length) return only(number);
  if (after.length === 1) return only(after[0]);
  return { select: "index", index: after[0], numbers: after.join(", ") };
}

function places(numbers, count) {
  const there = numbers.filter((number) => number >= -count && number < count);
  return [...new Set(there.map((number) => (number < 0 ? number + count : number)))];
}

function best(faces, rank) {
  return faces.reduce((first, face) => (rank(face) > rank(first) ? face : first));
}

function area({ width, height }, { box: [x0, y0, x1, y1] }) {
  return (x1 - x0) * width * (y1 - y0) * height;
}

function fromMiddle({ width, height }, { box: [x0, y0, x1, y1] }) {
  return Math.hypot(((x0 + x1) / 2 - 0.5) * width, ((y0 + y1) / 2 - 0.5) * height);
}
