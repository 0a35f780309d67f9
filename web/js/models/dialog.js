// The window of the models manager: one row per download, a button to confirm, progress, cancel.

import { addStyle, element, link } from "./elements.js";

const ASK_EVERY = 1000; // milliseconds
const ENDED = ["done", "failed", "cancelled"];

export class ModelDialog {
  #rows = new Map(); // id -> {model, box, state, bar}
  #running = false;
  #asked = false; // a download was asked for, and its end was not seen yet
  #following = false;
  #at = 0; // time of the newest state: answers and events may overtake each other

  /** finished: called when a job that fetched something has ended. */
  constructor(server, texts, finished) {
    this.server = server;
    this.texts = texts;
    this.finished = finished;
  }

  get isOpen() {
    return Boolean(this.root?.open);
  }

  /** Shows the list as it is now. */
  async open() {
    if (!this.root) this.#build();
    if (!this.root.open) this.root.showModal();
    await this.refresh();
  }

  /** Reads the list anew. */
  async refresh() {
    this.#say("");
    try {
      const { models, mirror, job } = await this.server.list();
      this.mirror.textContent = mirror ? this.texts.mirror(mirror) : "";
      this.#fill(models);
      this.#show(job);
      this.#follow();
    } catch (error) {
      this.#say(error.message, true);
    }
  }

  /** Takes the state of the job, as the server reports it. */
  async update(job) {
    const ended = (this.#running || this.#asked) && !job.running;
    this.#show(job);
    if (!ended) return;
    this.#asked = false;
    if (this.isOpen) await this.refresh();
    if (job.tasks.some((task) => task.phase === "done")) await this.finished();
  }

  #build() {
    addStyle();
    const t = this.texts;
    this.mirror = element("p");
    this.body = element("tbody");
    this.message = element("p", { role: "status", "aria-live": "polite" });
    this.getButton = element("button", { type: "button", onclick: () => this.#start() }, t.nothing);
    this.stopButton = element(
      "button",
      { type: "button", disabled: true, onclick: () => this.#try(() => this.server.cancel()) },
      t.cancel
    );
    const closing = element(
      "button",
      { type: "button", onclick: () => this.root.close() },
      t.close
    );
    const heading = element("h2", { id: "instantid-models-title" }, t.title);
    this.root = element(
      "dialog",
      { className: "instantid-models", "aria-labelledby": heading.id },
      heading,
      element("p", {}, t.intro),
      element("p", {}, t.licence),
      this.mirror,
      this.#table(),
      this.message,
      element("div", { className: "buttons" }, this.getButton, this.stopButton, closing)
    );
    // Keys pressed in here are not meant for the graph behind it.
    this.root.addEventListener("keydown", (event) => event.stopPropagation());
    document.body.append(this.root);
  }

  #table() {
    const heads = this.texts.columns.map((name) => element("th", { scope: "col" }, name));
    const table = element(
      "table",
      { "aria-label": this.texts.table },
      element("thead", {}, element("tr", {}, ...heads)),
      this.body
    );
    // At 200 % zoom the table may be wider than the window; the keyboard scrolls it, too.
    const area = { className: "scroll", tabIndex: 0, role: "region", "aria-label": this.texts.table };
    return element("div", area, table);
  }

  #fill(models) {
    const chosen = new Set(this.#chosen().map((model) => model.id));
    const first = this.#rows.size === 0;
    this.#rows.clear();
    this.body.replaceChildren(...models.map((model) => this.#row(model, first, chosen)));
    if (models.every((model) => model.complete)) this.#say(this.texts.complete);
    this.#count();
  }

  #row(model, first, chosen) {
    const t = this.texts;
    const state = element("span", { "aria-live": "polite" }, t[model.state]);
    const row = { model, state, box: null };
    this.#rows.set(model.id, row);
    if (!model.complete)
      row.box = element("input", {
        type: "checkbox",
        checked: first ? model.state === "missing" : chosen.has(model.id),
        onchange: () => this.#count(),
        "aria-label": t.choose(model.title),
        name: model.id,
      });
    row.bar = element("progress", { hidden: true, "aria-label": t.progress(model.title) });
    row.detail = element("div", { className: "error" }, ...model.files.map((file) => file.detail));
    const names = model.files.map((file) => element("div", {}, file.name));
    const folders = new Set(model.files.map((file) => file.folder));
    return element(
      "tr",
      {},
      element("td", {}, row.box ?? "\u2713"),
      element("td", { className: "file" }, element("strong", {}, model.title), ...names),
      element("td", {}, ...[...folders].map((folder) => element("div", {}, folder))),
      element("td", { className: "size" }, readableSize(model.size)),
      element("td", {}, model.licence),
      element("td", {}, link(model.source, t.source(model.title))),
      element("td", {}, row.state, row.bar, row.detail)
    );
  }

  #chosen() {
    return [...this.#rows.values()].filter((row) => row.box?.checked).map((row) => row.model);
  }

  #count() {
    const size = this.#chosen().reduce((sum, model) => sum + model.size, 0);
    this.getButton.disabled = this.#running || size === 0;
    this.stopButton.disabled = !this.#running;
    this.getButton.textContent = size ? this.texts.download(readableSize(size)) : this.texts.nothing;
    for (const { box } of this.#rows.values()) if (box) box.disabled = this.#running;
  }

  #show(job) {
    if (job.at < this.#at) return;
    this.#at = job.at;
    this.#running = job.running;
    if (!this.root) return;
    for (const task of job.tasks) {
      const row = this.#rows.get(task.id);
      if (row && (job.running || task.error || !row.model.complete)) this.#showTask(row, task);
    }
    this.#count();
  }

  #showTask(row, task) {
    row.state.textContent = this.texts[task.phase];
    row.bar.hidden = ENDED.includes(task.phase);
    row.bar.max = task.total;
    row.bar.value = task.done;
    row.detail.textContent = task.error;
  }

  async #start() {
    const ids = this.#chosen().map((model) => model.id);
    this.#asked = true;
    await this.#try(() => this.server.download(ids));
    this.#follow();
  }

  /** Asks until the job has ended: events do not come while the editor's socket is broken. */
  async #follow() {
    if (this.#following) return;
    this.#following = true;
    while (this.#asked || this.#running) {
      await new Promise((done) => setTimeout(done, ASK_EVERY));
      try {
        await this.update(await this.server.progress());
      } catch (error) {
        if (this.isOpen) this.#say(error.message, true);
      }
    }
    this.#following = false;
  }

  async #try(action) {
    this.#say("");
    try {
      this.#show(await action());
    } catch (error) {
      this.#asked = false;
      this.#say(error.message, true);
    }
  }

  #say(sentence, isError = false) {
    this.message.textContent = sentence;
    this.message.classList.toggle("error", isError);
  }
}

/** "1.69 GB" or "361 MB", in powers of ten as download pages count. */
function readableSize(bytes) {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${Math.round(bytes / 1e6)} MB`;
}
