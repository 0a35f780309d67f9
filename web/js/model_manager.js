/**
 * Get InstantID models: a command, an entry in the menu and on the loaders, and a hint when a file is
 * missing. The dialog is in `models/`.
 */

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { showInCorner } from "./messages/corner.js";
import { ModelDialog } from "./models/dialog.js";
import {
  FACE_MODEL_LOADERS,
  LOADERS,
  fileWidgetNames,
  isFileMissing,
  isLacking,
  isMissing,
  isOff,
  isPlaceholder,
  offeredFiles,
  sameFileElsewhere,
} from "./models/missing.js";
import { ModelServer } from "./models/server.js";
import { readableSize } from "./models/size.js";
import { button, element } from "./shared/dom.js";
import { everyNode } from "./shared/graph.js";
import { isOn, MISSING_FILES_HINT } from "./shared/settings.js";
import { toast } from "./shared/toasts.js";
import { setWidget, widgetOf } from "./shared/widgets.js";
import { texts } from "./texts/texts.js";

const COMMAND = "InstantIDCompose.GetModels";
const REFRESH = "Comfy.RefreshNodeDefinitions";
const EVENT = "instantid_compose.models";
const POLL_INTERVAL = 300; // milliseconds
const POLL_TIMEOUT = 60_000;

class ModelManager {
  #isHintShown = false;

  constructor() {
    this.texts = texts().models;
    this.server = new ModelServer(api, this.texts.silent);
    this.dialog = new ModelDialog(this.server, this.texts, () => this.#offerNewFiles());
    api.addEventListener(EVENT, (event) => this.dialog.update(event.detail));
  }

  open() {
    document.querySelector(".instantid-hint")?.remove();
    return this.dialog.open();
  }

  /** Updates the loaders' lists; a loader without a file takes the first. */
  async #offerNewFiles() {
    // Unlike app.refreshComboInNodes, the command also clears the marks of missing files.
    const commands = app.extensionManager?.command;
    if (commands?.commands?.some(({ id }) => id === REFRESH)) await commands.execute(REFRESH);
    else await app.refreshComboInNodes();
    for (const node of everyNode()) {
      for (const widget of fileWidgetsOf(node)) {
        const [first] = offeredFiles(widget);
        if (isPlaceholder(widget.value) && first) setWidget(node, widget.name, first);
      }
      takeSameFiles(node);
    }
    if (!this.dialog.isOpen) toast("success", this.texts.title, this.texts.ready, 5);
  }

  /**
   * A bar in the corner that says what lacks and leads to the dialog, once per page.
   * @param {unknown} [name] a file that the workflow names and the server does not have
   */
  async hint(name) {
    if (this.#isHintShown || this.dialog.isOpen || !isOn(MISSING_FILES_HINT)) return;
    this.#isHintShown = true;
    const t = this.texts;
    const lacking = await this.#lacking();
    const sentence = lacking.length || !name ? hintOf(lacking, t) : t.noSuchFile(String(name));
    const bar = element(
      "div",
      { className: "instantid-hint", role: "status" },
      element("span", {}, sentence),
      button(t.open, () => this.open()),
      button(t.dismiss, () => bar.remove()),
    );
    if (!this.dialog.isOpen) await showInCorner(bar);
  }

  async hintWithoutFaceModels() {
    if (this.#isHintShown) return;
    const lacking = await this.#lacking();
    if (lacking.some((model) => model.id === "face_models")) await this.hint();
  }

  /** The needed files that are not there; none where the server does not say. */
  async #lacking() {
    try {
      const { models } = await this.server.list();
      return models.filter(isLacking);
    } catch (error) {
      console.info("InstantID Compose: the list of model files could not be read.", error);
      return [];
    }
  }
}

/**
 * @param {import("./models/server.js").Model[]} lacking
 * @param {import("./texts/english.js").Texts["models"]} t
 */
function hintOf(lacking, t) {
  if (!lacking.length) return t.hint;
  const names = lacking.map(({ title, size }) => `${title} (${readableSize(size)})`);
  const total = lacking.reduce((sum, { size }) => sum + size, 0);
  return t.lackingFiles(names.join(", "), readableSize(total));
}

/** @param {ComfyNode} node @returns {ComfyWidget[]} */
function fileWidgetsOf(node) {
  return fileWidgetNames(node).flatMap((name) => widgetOf(node, name) ?? []);
}

/** Corrects the separators in the names of a loader's files. @param {ComfyNode} node */
function takeSameFiles(node) {
  for (const widget of fileWidgetsOf(node)) {
    const name = sameFileElsewhere(widget);
    if (name !== undefined) setWidget(node, widget.name, name);
  }
}

/** Shows the hint if a loader names a file that is not there. @param {ComfyNode} node */
function hintIfMissing(node) {
  const widget = fileWidgetsOf(node).find((one) => isMissing(node, one));
  if (widget) manager?.hint(isPlaceholder(widget.value) ? undefined : widget.value);
}

/**
 * Shows the hint after a rejected prompt. The front end sends no event for it, so its errors are
 * polled after each prompt.
 * @param {ModelManager} manager
 */
function watchRejections(manager) {
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;
  const stop = () => clearInterval(timer);
  api.addEventListener("promptQueued", stop);
  api.addEventListener("promptQueueing", () => {
    stop();
    const until = Date.now() + POLL_TIMEOUT;
    timer = setInterval(() => {
      if (isFileMissing(app.lastNodeErrors)) manager.hint();
      if (app.lastNodeErrors || Date.now() > until) stop();
    }, POLL_INTERVAL);
  });
}

/** @type {ModelManager | undefined} made in setup, when the front end's settings are loaded */
let manager;

app.registerExtension({
  name: "instantid_compose.model_manager",
  settings: [MISSING_FILES_HINT],
  commands: [
    {
      id: COMMAND,
      label: "Get InstantID models",
      menubarLabel: "Get InstantID models",
      icon: "pi pi-download",
      function: () => manager?.open(),
    },
  ],
  menuCommands: [{ path: ["Extensions"], commands: [COMMAND] }],
  getNodeMenuItems(node) {
    if (!manager || !LOADERS.includes(node.comfyClass ?? "")) return [];
    return [{ content: manager.texts.open, callback: () => manager?.open() }];
  },
  setup() {
    manager = new ModelManager();
    watchRejections(manager);
  },
  nodeCreated(node) {
    const kind = node.comfyClass ?? "";
    if (FACE_MODEL_LOADERS.includes(kind)) manager?.hintWithoutFaceModels();
    if (LOADERS.includes(kind)) hintIfMissing(node);
  },
  loadedGraphNode(loaded) {
    for (const node of everyNode([loaded])) {
      takeSameFiles(node);
      if (!isOff(loaded) && !isOff(node)) hintIfMissing(node);
    }
  },
});
