/** Addresses of images on the server, and waiting for it. */

import { api } from "../../../../scripts/api.js";

/** @typedef {{filename: string, subfolder: string, type: string}} StoredImage */

/**
 * The address of an image that was uploaded, or that a run has stored.
 * @param {StoredImage} image
 */
export function imageUrl({ filename, subfolder, type }) {
  return api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`);
}

/** @param {number} milliseconds @returns {Promise<void>} */
export function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** @param {unknown} error @returns {string} */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
