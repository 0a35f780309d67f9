import assert from "node:assert/strict";
import { test } from "node:test";
import { labelChoices, labelsFor } from "../../web/js/looks/choices.js";
import { isOwnKind } from "../../web/js/looks/nodes.js";
import { colourTable, WIRES } from "../../web/js/looks/wires.js";
import { firstPicture, wrongFile } from "../../web/js/photos/files.js";
import { app } from "./support/app.js";

const IDENTITY = "INSTANTID_IDENTITY";

test("a table of colours falls back to the pack's, and a palette's own wins", () => {
  const table = { IMAGE: "#123456", INSTANTID_CROP: "#abcdef" };
  colourTable(table);
  assert.equal(table[IDENTITY], WIRES[IDENTITY]);
  assert.equal(table.INSTANTID_CROP, "#abcdef");
  Object.assign(table, { [IDENTITY]: "", IMAGE: "" });
  assert.equal(table[IDENTITY], WIRES[IDENTITY], "a palette without the type");
  Object.assign(table, { [IDENTITY]: "#ffffff" });
  assert.equal(table[IDENTITY], "#ffffff");
  assert.equal(table.IMAGE, "");
  assert.ok(Object.keys(table).includes(IDENTITY));
});

test("the pack's classes begin with its name and a capital", () => {
  assert.ok(isOwnKind("InstantIDApply"));
  for (const kind of ["KSampler", "InstantIDfoo", "ApplyInstantID", "", undefined]) {
    assert.ok(!isOwnKind(kind), kind);
  }
});

test("choices have labels in Chinese where all of them are words", () => {
  const widget = { type: "combo", options: { values: ["error", "skip"] } };
  const files = { type: "combo", options: { values: ["error", "a.bin"] } };
  app.locale = "zh";
  labelChoices({ widgets: [widget, files, { type: "number", options: {} }] });
  app.locale = "en";
  assert.equal(widget.options.getOptionLabel("skip"), "跳过");
  assert.equal(widget.options.getOptionLabel("of an older version"), "of an older version");
  assert.equal(widget.options.getOptionLabel(null), "");
  assert.ok(!("getOptionLabel" in files.options));
  assert.equal(labelsFor(["error"]), null, "English shows the values");
});

const file = (name, type) => ({ name, type });

test("the first picture is the photo; a workflow is nobody's mistake", () => {
  const photo = file("a.png", "image/png");
  assert.equal(firstPicture([file("a.txt", "text/plain"), photo]), photo);
  assert.equal(firstPicture([]), undefined);
  assert.equal(wrongFile([file("graph.json", "application/json")]), undefined);
  assert.equal(wrongFile([file("a.txt", "")]).name, "a.txt");
  assert.equal(wrongFile([]), undefined);
});
