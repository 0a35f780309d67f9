/** One row of the model manager's table: a download, its files and its progress. */

import { element } from "../shared/dom.js";
import { readableSize } from "./size.js";

/**
 * @typedef {import("./server.js").Model} Model
 * @typedef {import("./server.js").Task} Task
 * @typedef {import("../texts/english.js").Texts["models"]} ModelTexts
 */

/** @type {import("./server.js").Phase[]} */
const ENDED = ["done", "failed", "cancelled"];

export class ModelRow {
  /**
   * @param {Model} model @param {ModelTexts} texts
   * @param {boolean} isChosen whether its box starts checked
   * @param {() => void} onchange called when the box is clicked
   */
  constructor(model, texts, isChosen, onchange) {
    this.model = model;
    this.texts = texts;
    const isAbsent = model.optional && model.state === "missing";
    const state = isAbsent ? texts.absent : texts[model.state];
    this.state = element("span", { "aria-live": "polite" }, state);
    this.bar = element("progress", { hidden: true, "aria-label": texts.progress(model.title) });
    const details = model.files.map((file) => element("div", {}, file.detail));
    this.detail = element("div", { className: "error" }, ...details);
    const checkbox = {
      type: "checkbox",
      checked: isChosen,
      onchange,
      "aria-label": texts.choose(model.title),
      name: model.id,
    };
    this.box = model.complete ? null : element("input", checkbox);
    this.element = this.#row();
  }

  get isChosen() {
    return this.box?.checked ?? false;
  }

  /** @param {boolean} isEnabled */
  enable(isEnabled) {
    if (this.box) this.box.disabled = !isEnabled;
  }

  /** @param {Task} task */
  showTask(task) {
    this.state.textContent = this.texts[task.phase];
    this.bar.hidden = ENDED.includes(task.phase);
    this.bar.max = task.total;
    this.bar.value = task.done;
    this.detail.textContent = task.error;
  }

  #row() {
    const { model, texts } = this;
    const names = model.files.map((file) => element("div", {}, ...parts(file.name)));
    const folders = [...new Set(model.files.map((file) => file.folder))];
    return element(
      "tr",
      {},
      element("td", {}, this.box ?? "\u2713"),
      element("td", {}, element("strong", {}, model.title), ...names),
      element("td", {}, ...folders.map((folder) => element("div", {}, ...parts(folder)))),
      element("td", { className: "size" }, readableSize(model.size)),
      element("td", {}, model.licence),
      element("td", {}, webLink(model.source, texts.source(model.title))),
      element("td", {}, this.state, this.bar, this.detail),
    );
  }
}

/**
 * A link that opens in another tab. Anything but an https address stays text.
 * @param {string} address @param {string} label
 */
function webLink(address, label) {
  if (!/^https:\/\//.test(address)) return element("span", {}, address);
  const link = { href: address, target: "_blank", rel: "noopener noreferrer", "aria-label": label };
  return element("a", link, ...parts(address.replace(/^https:\/\//, "")));
}

/** A path or an address that lines break after its separators. @param {string} path */
function parts(path) {
  return path.split(/(?<=[\\/_])/).flatMap((part) => [part, element("wbr")]);
}
