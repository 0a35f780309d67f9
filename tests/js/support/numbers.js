/** The server's numbers, and comparisons with a tolerance. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const FILE = new URL("../../data/editor_numbers.json", import.meta.url);
export const NUMBERS = JSON.parse(readFileSync(FILE, "utf8"));

/** A frontal face in a frame of 640 x 480. */
export const FRONT = [
  [260, 160],
  [380, 160],
  [320, 220],
  [275, 290],
  [365, 290],
];

/** Asserts that two nested lists of numbers are equal up to a tolerance. */
export function assertClose(found, wanted, tolerance = 1e-9) {
  if (!Array.isArray(wanted)) {
    const message = `found ${found}, expected ${wanted}`;
    assert.ok(Math.abs(found - wanted) <= tolerance, message);
    return;
  }
  assert.equal(found.length, wanted.length);
  wanted.forEach((value, i) => assertClose(found[i], value, tolerance));
}
