/** The dialog of the model manager: one row per download, buttons to start and stop. */

import { button, element, keepKeys, loadStyle } from "../shared/dom.js";
import { messageOf, sleep } from "../shared/server.js";
import { isLacking } from "./missing.js";
import { ModelRow } from "./model_row.js";
import { readableSize } from "./size.js";

/**
 * @typedef {import("./server.js").Job} Job
 * @typedef {import("./server.js").Model} Model
 * @typedef {import("./model_row.js").ModelTexts} ModelTexts
 */

const POLL_INTERVAL = 1000; // milliseconds

export class ModelDialog {
  /** @type {Map<string, ModelRow>} by id */
  #rows = new Map();
  #isRunning = false;
  /** A download was requested, and its end has not been seen yet. */
  #isRequested = false;
  #isPolling = false;
  /** Time of the newest report: answers and events may overtake each other. */
  #reportedAt = 0;

  /**
   * @param {import("./server.js").ModelServer} server
   * @param {ModelTexts} texts
   * @param {() => Promise<void>} onfinished called after a job that has fetched a file
   */
  constructor(server, texts, onfinished) {
    this.server = server;
    this.texts = texts;
    this.onfinished = onfinished;
    this.mirror = element("p");
    this.body = element("tbody");
    this.optional = element("tbody");
    this.message = element("p", { role: "status", "aria-live": "polite" });
    this.getButton = button(texts.nothing, () => this.#start(), {
      className: "primary",
      autofocus: true,
    });
    const stop = () => this.#attempt(() => this.server.cancel());
    this.stopButton = button(texts.cancel, stop, { disabled: true });
    this.root = this.#build();
  }

  get isOpen() {
    return this.root.open;
  }

  /** Opens the dialog with the current inventory. */
  async open() {
    await Promise.all([loadStyle("shared/dialog.css"), loadStyle("models/models.css")]);
    if (!this.root.isConnected) document.body.append(this.root);
    if (!this.isOpen) this.root.showModal();
    await this.refresh();
  }

  /** Reads the inventory from the server. */
  async refresh() {
    this.#say("");
    try {
      const { models, mirror, job } = await this.server.list();
      this.mirror.textContent = mirror ? this.texts.mirror(mirror) : "";
      this.#fill(models);
      this.#show(job);
      this.#poll();
    } catch (error) {
      this.#say(messageOf(error), true);
    }
  }

  /** @param {Job} job as the server reports it */
  async update(job) {
    const hasEnded = (this.#isRunning || this.#isRequested) && !job.running;
    this.#show(job);
    if (!hasEnded) return;
    this.#isRequested = false;
    if (this.isOpen) await this.refresh();
    if (job.tasks.some((task) => task.phase === "done")) await this.onfinished();
  }

  #build() {
    const t = this.texts;
    const heading = element("h2", { id: "instantid-models-title" }, t.title);
    const close = button(t.close, () => this.root.close());
    const root = element(
      "dialog",
      { className: "instantid-dialog instantid-models", "aria-labelledby": heading.id },
      heading,
      element("p", {}, t.intro),
      element("p", {}, t.licence),
      this.mirror,
      this.#table(),
      this.message,
      element("div", { className: "buttons" }, this.getButton, this.stopButton, close),
    );
    keepKeys(root);
    return root;
  }

  #table() {
    const t = this.texts;
    const heads = t.columns.map((name) => element("th", { scope: "col" }, name));
    const head = element("thead", {}, element("tr", {}, ...heads));
    const table = element("table", { "aria-label": t.table }, head, this.body, this.optional);
    // At 200 % zoom the table may be wider than the window; the keyboard can scroll it.
    const region = { className: "scroll", tabIndex: 0, role: "region", "aria-label": t.table };
    return element("div", region, table);
  }

  /** @param {Model[]} models */
  #fill(models) {
    const isFirst = this.#rows.size === 0;
    const chosen = new Set(this.#chosen().map((model) => model.id));
    const rows = models.map((model) => {
      const isChosen = isFirst ? isLacking(model) : chosen.has(model.id);
      return new ModelRow(model, this.texts, isChosen, () => this.#updateButtons());
    });
    this.#rows = new Map(rows.map((row) => [row.model.id, row]));
    const [needed, optional] = [false, true].map((isOptional) =>
      rows.filter((row) => row.model.optional === isOptional).map((row) => row.element),
    );
    this.body.replaceChildren(...needed);
    this.optional.replaceChildren(...(optional.length ? [this.#heading(), ...optional] : []));
    const isReady = models.every((model) => model.complete || model.optional);
    if (isReady) this.#say(this.texts.complete);
    this.#updateButtons();
  }

  /** The row above the optional files. */
  #heading() {
    const { columns, optional } = this.texts;
    return element("tr", {}, element("th", { colSpan: columns.length, scope: "rowgroup" }, optional));
  }

  #chosen() {
    return [...this.#rows.values()].filter((row) => row.isChosen).map((row) => row.model);
  }

  #updateButtons() {
    const size = this.#chosen().reduce((sum, model) => sum + model.size, 0);
    const { download, nothing } = this.texts;
    this.getButton.disabled = this.#isRunning || size === 0;
    this.getButton.textContent = size ? download(readableSize(size)) : nothing;
    this.stopButton.disabled = !this.#isRunning;
    for (const row of this.#rows.values()) row.enable(!this.#isRunning);
  }

  /** @param {Job} job */
  #show(job) {
    if (job.at < this.#reportedAt) return;
    this.#reportedAt = job.at;
    this.#isRunning = job.running;
    for (const task of job.tasks) {
      const row = this.#rows.get(task.id);
      if (row && (job.running || task.error || !row.model.complete)) row.showTask(task);
    }
    this.#updateButtons();
  }

  async #start() {
    const ids = this.#chosen().map((model) => model.id);
    this.#isRequested = true;
    await this.#attempt(() => this.server.download(ids));
    this.#poll();
  }

  /** Polls until the job has ended: there are no events while the page's socket is broken. */
  async #poll() {
    if (this.#isPolling) return;
    this.#isPolling = true;
    while (this.#isRequested || this.#isRunning) {
      await sleep(POLL_INTERVAL);
      try {
        await this.update(await this.server.progress());
      } catch (error) {
        if (this.isOpen) this.#say(messageOf(error), true);
      }
    }
    this.#isPolling = false;
  }

  /** @param {() => Promise<Job>} request */
  async #attempt(request) {
    this.#say("");
    try {
      this.#show(await request());
    } catch (error) {
      this.#isRequested = false;
      this.#say(messageOf(error), true);
    }
  }

  /** @param {string} sentence */
  #say(sentence, isError = false) {
    this.message.textContent = sentence;
    this.message.classList.toggle("error", isError);
  }
}
