import assert from "node:assert/strict";
import { test } from "node:test";
import { CHINESE } from "../../web/js/texts/chinese.js";
import { ENGLISH } from "../../web/js/texts/english.js";
import { texts, textsFor } from "../../web/js/texts/texts.js";
import { app } from "./support/app.js";

const HAN = /\p{Script=Han}/u;

/** Path and leaf of every text; lists and functions are leaves. */
function leaves(table, path = "") {
  return Object.entries(table).flatMap(([key, value]) =>
    value !== null && typeof value === "object" && !Array.isArray(value)
      ? leaves(value, `${path}/${key}`)
      : [[`${path}/${key}`, value]],
  );
}

/** The sentences of a leaf: of a function, those for one and for several. */
function sentences(text) {
  if (typeof text !== "function") return [text].flat();
  return [1, 2].map((value) => text(...Array(text.length).fill(value)));
}

const PAIRS = leaves(ENGLISH).map((english, i) => [english, leaves(CHINESE)[i]]);

test("both languages have the same keys in the same order", () => {
  assert.ok(PAIRS.length > 100);
  assert.deepEqual(leaves(CHINESE).map(([path]) => path), leaves(ENGLISH).map(([path]) => path));
});

test("texts take the same values and lists have the same length", () => {
  for (const [[path, english], [, chinese]] of PAIRS) {
    assert.equal(typeof chinese, typeof english, path);
    assert.equal(chinese.length > 0, english.length > 0, path);
    if (typeof english !== "string") assert.equal(chinese.length, english.length, path);
  }
});

test("each language is written in its own script", () => {
  for (const [[path, english], [, chinese]] of PAIRS) {
    assert.ok(sentences(english).every((text) => !HAN.test(text)), path);
    assert.ok(sentences(chinese).every((text) => HAN.test(text)), path);
  }
});

test("every value shows in its text", () => {
  const isHidden = new Set(["/editor/started", "/editor/outside", "/picker/selected"]);
  for (const [[path, english], [, chinese]] of PAIRS) {
    for (const text of [english, chinese]) {
      if (typeof text !== "function" || isHidden.has(path)) continue;
      const values = Array.from({ length: text.length }, (_, i) => `value${i}`);
      for (const value of values) assert.ok(text(...values).includes(value), `${path}: ${value}`);
    }
  }
});

test("one and several have their own words", () => {
  assert.equal(ENGLISH.editor.outside(1), "1 point is outside the frame.");
  assert.equal(ENGLISH.editor.outside(5), "5 points are outside the frame.");
  assert.match(ENGLISH.picker.selected("1", 1, 2), /^Face 1 chosen, 2 found\./);
  assert.match(ENGLISH.picker.selected("1, 3", 2, 3), /^Faces 1, 3 chosen, 3 found\./);
});

test("the front end's language decides, English by default", () => {
  assert.equal(textsFor("zh"), CHINESE);
  for (const locale of ["zh-CN", "zh_Hans", "zh-Hans-SG"]) assert.equal(textsFor(locale), CHINESE);
  for (const locale of ["zh-TW", "zh-Hant", "zh-HK"]) assert.equal(textsFor(locale), ENGLISH);
  for (const locale of ["en", "de", undefined, null]) assert.equal(textsFor(locale), ENGLISH);
  app.locale = "zh";
  assert.equal(texts(), CHINESE);
  app.locale = undefined;
  assert.equal(texts(), ENGLISH);
});
