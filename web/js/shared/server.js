/** Addresses of images on the server, questions to the pack's routes, and waiting. */

import { api } from "../../../../scripts/api.js";

// The server accepts requests with this header only, which pages of other sites cannot send.
const HEADERS = { "X-InstantID-Compose": "1", "Content-Type": "application/json" };

/** Event of the server: a file that a loader offers was saved, renamed or deleted. */
export const SAVED = "instantid_compose.saved";

/** @typedef {{filename: string, subfolder: string, type: string}} StoredImage */

/**
 * The address of an image that was uploaded, or that a run has stored.
 * @param {StoredImage} image
 */
export function imageUrl({ filename, subfolder, type }) {
  return api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`);
}

/**
 * The answer of one of the pack's routes.
 * @param {ComfyApi} server @param {string} path @param {RequestInit} options
 * @param {string} unreachable the sentence for a server that is silent
 * @throws {Error} with a sentence if the server refuses or does not respond
 */
export async function ask(server, path, options, unreachable) {
  /** @type {Response} */
  let response;
  try {
    response = await server.fetchApi(path, { ...options, headers: HEADERS });
  } catch (error) {
    throw new Error(unreachable, { cause: error });
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `${unreachable} (${response.status})`);
  return answer;
}

/** @param {number} milliseconds @returns {Promise<void>} */
export function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** @param {unknown} error @returns {string} */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
