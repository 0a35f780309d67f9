/** The people whose identities are saved on the server. No DOM. */

import { isSameFile } from "../shared/file_names.js";
import { ask } from "../shared/server.js";

const PREFIX = "/instantid_compose/identities";

/**
 * @typedef {object} Person
 * @property {string} file name of the identity file
 * @property {string} name
 * @property {boolean} own whether the file may be renamed and deleted from here
 * @property {string} [portrait] JPEG in base64; empty for a file without a picture
 * @property {string} [consent]
 * @property {number} [identities] of a batch
 * @property {number} [references] per identity
 * @property {string} [problem] why the file cannot be read
 */

/** The list of people, which listeners follow. Calls throw an Error with a sentence. */
export class People {
  /** @type {Person[] | null} null until the server has answered */
  list = null;
  /** @type {Set<() => void>} */
  #listeners = new Set();
  /** Number of the newest request: answers may overtake each other. */
  #latest = 0;

  /** @param {ComfyApi} api @param {string} unreachable the sentence for a server that is silent */
  constructor(api, unreachable) {
    this.api = api;
    this.unreachable = unreachable;
  }

  /** Calls a listener after every change of the list. @param {() => void} listener */
  listen(listener) {
    this.#listeners.add(listener);
  }

  /** @param {() => void} listener */
  forget(listener) {
    this.#listeners.delete(listener);
  }

  /** Reads the list from the server. */
  refresh() {
    return this.#take("", { method: "GET" });
  }

  /** @param {string} file @param {string} name */
  rename(file, name) {
    return this.#take("/rename", { method: "POST", body: JSON.stringify({ file, name }) });
  }

  /** @param {string} file */
  remove(file) {
    return this.#take("/delete", { method: "POST", body: JSON.stringify({ file }) });
  }

  /** The person of a file; undefined for a file that is not there. @param {unknown} file */
  of(file) {
    return this.list?.find((person) => isSameFile(person.file, file));
  }

  /** @param {string} path @param {RequestInit} options */
  async #take(path, options) {
    const number = ++this.#latest;
    const { people } = await ask(this.api, PREFIX + path, options, this.unreachable);
    if (number < this.#latest) return;
    this.list = people;
    for (const listener of this.#listeners) listener();
  }
}

/**
 * The people that match a search: every word is in the name, the file or the consent.
 * @param {Person[]} people @param {string} search
 */
export function matching(people, search) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return people.filter(({ name, file, consent = "" }) => {
    const text = `${name} ${file} ${consent}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** The letter that stands for a person without a picture. @param {string} name */
export function initialOf(name) {
  return [...name.trim()][0]?.toUpperCase() ?? "?";
}
