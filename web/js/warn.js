/** Warnings as messages in the corner of the editor. */

import { app } from "../../../scripts/app.js";

const SECONDS = 20;

/** @param {object | undefined} node whom it is about @param {string} message */
export function warn(node, message) {
  app.extensionManager?.toast?.add({
    severity: "warn",
    summary: node?.title ?? "InstantID Compose",
    detail: message,
    life: SECONDS * 1000,
  });
}
