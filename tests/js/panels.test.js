import assert from "node:assert/strict";
import { test } from "node:test";
import * as choice from "../../web/js/panels/face_choice.js";
import { bandOf, formatCosine, meanCosine } from "../../web/js/panels/scores.js";
import { NUMBERS } from "./support/numbers.js";

const { picture, boxes, chosen } = NUMBERS.selections;
const PICTURE = {
  width: picture[0],
  height: picture[1],
  faces: boxes.map((box, number) => ({ number, box, score: 0.9, size: 100 })),
};
const byIndex = (numbers, index = 0) => ({ select: "index", index, numbers });
const added = (selection, number) => choice.toggle(PICTURE, selection, number);

test("lists of numbers are read as on the server", () => {
  for (const [text, wanted] of NUMBERS.lists) {
    const found = choice.readNumbers(text)?.map((number) => number + 0) ?? null;
    assert.deepEqual(found, wanted, text);
  }
  assert.deepEqual([null, undefined, {}].map(choice.readNumbers), [[], [], null]);
});

test("selections mean the server's faces", () => {
  for (const [select, index, numbers, wanted] of chosen) {
    const found = choice.selectedFaces(PICTURE, { select, index, numbers });
    assert.deepEqual(found, wanted, `${select} ${index} "${numbers}"`);
  }
  const all = choice.selectedFaces(PICTURE, { select: "all", index: 0, numbers: "" });
  assert.deepEqual(all, [0, 1, 2, 3]);
});

test("a picture without faces has none selected", () => {
  for (const select of ["largest", "all", "left_to_right", "center", "index"]) {
    const selection = { select, index: 0, numbers: "" };
    assert.deepEqual(choice.selectedFaces({ ...PICTURE, faces: [] }, selection), []);
  }
});

test("Shift adds a face, and removes it again", () => {
  const two = added(byIndex(""), 2);
  assert.deepEqual(two, byIndex("0, 2", 0));
  assert.deepEqual(added(two, 2), byIndex("", 0));
  assert.deepEqual(added(two, 0), byIndex("", 2));
  assert.deepEqual(added(byIndex("-1"), 3), byIndex("", 3), "the last face stays");
});

test("adding to a policy begins with the faces that it selects", () => {
  const largest = { select: "largest", index: 0, numbers: "" };
  assert.deepEqual(added(largest, 0), byIndex("1, 0", 1));
  assert.deepEqual(added({ ...largest, select: "left_to_right" }, 1), byIndex("0, 2, 3", 0));
});

test("numbers of other pictures of the batch are kept", () => {
  assert.deepEqual(added(byIndex("9, 1"), 2), byIndex("9, 1, 2", 9));
  assert.deepEqual(added(byIndex("9, 1"), 1), byIndex("", 9));
});

test("an index that is no number counts as 0", () => {
  assert.deepEqual(choice.indexedNumbers(byIndex("x", Number.NaN)), [0]);
  assert.deepEqual(choice.indexedNumbers(byIndex("", 1.9)), [1]);
});

test("scores have two digits and no minus before zero", () => {
  assert.deepEqual([0.555, 1, -0.001, -0.2].map(formatCosine), ["0.56", "1.00", "0.00", "-0.20"]);
});

test("a limit belongs to the better band", () => {
  const limits = { moderate: 0.3, strong: 0.5, copy: 0.8 };
  const bands = [0.8, 0.79, 0.5, 0.49, 0.3, 0.29, -1].map((cosine) => bandOf(cosine, limits));
  assert.deepEqual(bands, ["copy", "strong", "strong", "moderate", "moderate", "weak", "weak"]);
});

test("the mean leaves out results without a score", () => {
  const results = [0.2, null, 0, 0.4].map((cosine) => ({ cosine, band: null, text: "" }));
  const { mean, count } = meanCosine(results);
  assert.ok(Math.abs(mean - 0.2) < 1e-12);
  assert.equal(count, 3);
  assert.deepEqual(meanCosine([results[1]]), { mean: null, count: 0 });
});
