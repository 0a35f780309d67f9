/** Messages in the corner of the front end. */

import { app } from "../../../../scripts/app.js";

/**
 * @param {ToastMessage["severity"]} severity
 * @param {string} summary @param {string} detail @param {number} seconds
 */
export function toast(severity, summary, detail, seconds) {
  app.extensionManager?.toast?.add({ severity, summary, detail, life: seconds * 1000 });
}
