/**
 * Get InstantID models: a command, an entry in the menu and on the loaders, and a hint when a file is
 * missing. The dialog is in `models/`.
 */

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { ModelDialog } from "./models/dialog.js";
import {
  FACE_MODEL_LOADERS,
  LOADERS,
  fileWidgetNames,
  isFileMissing,
  isMissing,
  isPlaceholder,
  offeredFiles,
  sameFileElsewhere,
} from "./models/missing.js";
import { ModelServer } from "./models/server.js";
import { button, element, loadStyle } from "./shared/dom.js";
import { everyNode } from "./shared/graph.js";
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

  /** A bar at the edge of the window that leads to the dialog, once per page. */
  hint() {
    if (this.#isHintShown || this.dialog.isOpen) return;
    this.#isHintShown = true;
    const t = this.texts;
    const bar = element(
      "div",
      { className: "instantid-hint", role: "status" },
      element("span", {}, t.hint),
      button(t.open, () => this.open()),
      button(t.dismiss, () => bar.remove()),
    );
    loadStyle("models/models.css").then(() => document.body.append(bar));
  }

  async hintWithoutFaceModels() {
    if (this.#isHintShown) return;
    try {
      const { models } = await this.server.list();
      const faceModels = models.find((model) => model.id === "face_models");
      if (faceModels?.state === "missing") this.hint();
    } catch (error) {
      console.info("InstantID Compose: the list of model files could not be read.", error);
    }
  }
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
  if (fileWidgetsOf(node).some((widget) => isMissing(node, widget))) manager?.hint();
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
    const made = new ModelManager();
    manager = made;
    watchRejections(made);
    api.addEventListener("execution_error", ({ detail }) => {
      const lacksFile = /were not found|is missing/.test(detail.exception_message);
      if (FACE_MODEL_LOADERS.includes(detail.node_type) && lacksFile) made.hint();
    });
  },
  nodeCreated(node) {
    const kind = node.comfyClass ?? "";
    if (FACE_MODEL_LOADERS.includes(kind)) manager?.hintWithoutFaceModels();
    if (LOADERS.includes(kind)) hintIfMissing(node);
  },
  loadedGraphNode(loaded) {
    for (const node of everyNode([loaded])) {
      takeSameFiles(node);
      hintIfMissing(node);
    }
  },
});
