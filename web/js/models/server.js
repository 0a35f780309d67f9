/** The pack's routes for model files. */

import { ask } from "../shared/server.js";

const PREFIX = "/instantid_compose/models";

/**
 * @typedef {"missing" | "present" | "verified" | "other"} FileState
 * @typedef {"waiting" | "fetching" | "checking" | "done" | "failed" | "cancelled"} Phase
 * @typedef {object} Model one download, which may hold several files
 * @property {string} id
 * @property {string} title
 * @property {FileState} state
 * @property {boolean} complete
 * @property {boolean} optional of a relative that InstantID itself does not need
 * @property {number} size bytes
 * @property {string} licence
 * @property {string} source web address
 * @property {{name: string, folder: string, detail: string}[]} files
 * @typedef {{id: string, phase: Phase, total: number, done: number, error: string}} Task bytes
 * @typedef {{running: boolean, tasks: Task[], at: number}} Job at: when it was reported, in seconds
 * @typedef {{models: Model[], mirror: string | null, job: Job}} Inventory
 */

/** Every call throws an Error with a sentence if the server refuses or does not respond. */
export class ModelServer {
  /** @param {ComfyApi} api @param {string} unreachable the sentence for a server that is silent */
  constructor(api, unreachable) {
    this.api = api;
    this.unreachable = unreachable;
  }

  /** @returns {Promise<Inventory>} */
  list() {
    return this.#request("", { method: "GET" });
  }

  /** @param {string[]} ids @returns {Promise<Job>} */
  download(ids) {
    return this.#request("/download", { method: "POST", body: JSON.stringify({ ids }) });
  }

  /** The current job, or the last one. @returns {Promise<Job>} */
  progress() {
    return this.#request("/progress", { method: "GET" });
  }

  /** @returns {Promise<Job>} */
  cancel() {
    return this.#request("/cancel", { method: "POST" });
  }

  /** @param {string} path @param {RequestInit} options */
  #request(path, options) {
    return ask(this.api, PREFIX + path, options, this.unreachable);
  }
}
