// "Get InstantID models": a command, an entry in the menu and at the loaders, and a hint where a
// file is missing. The work is done in js/models/.

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { everyNode } from "./graph_walk.js";
import { ModelDialog } from "./models/dialog.js";
import { addStyle, element } from "./models/elements.js";
import { ModelServer } from "./models/server.js";
import { texts } from "./texts/texts.js";

const COMMAND = "InstantIDCompose.GetModels";
const REFRESH = "Comfy.RefreshNodeDefinitions";
const EVENT = "instantid_compose.models";
const ADAPTER_NODE = "InstantIDLoadAdapter";
const ANALYZER_NODE = "InstantIDLoadFaceAnalyzer";
/** Widgets that name a file of InstantID, by the class of their node. */
const FILE_WIDGETS = { [ADAPTER_NODE]: "adapter_name", ControlNetLoader: "control_net_name" };
// The entry that the server puts into the choice of adapters when there is none.
const NO_ADAPTER = /^no file found - see Get InstantID models$/;
const LOOK_EVERY = 300; // milliseconds
const LONGEST_LOOK = 60_000;
const IDENTITY_NET = /instantid|diffusion_pytorch_model/i;

class ModelManager {
  #hinted = false;

  constructor() {
    this.texts = texts().models;
    this.server = new ModelServer(api, this.texts.silent);
    this.dialog = new ModelDialog(this.server, this.texts, () => this.#arrived());
    api.addEventListener(EVENT, (event) => this.dialog.update(event.detail));
  }

  open() {
    document.querySelector(".instantid-hint")?.remove();
    return this.dialog.open();
  }

  /** New files are offered by the loaders at once; a loader that had none takes the first. */
  async #arrived() {
    // Unlike app.refreshComboInNodes, the command also forgets which files were missing.
    const commands = app.extensionManager?.command;
    if (commands?.commands?.some?.(({ id }) => id === REFRESH)) await commands.execute(REFRESH);
    else await app.refreshComboInNodes();
    for (const { node, widget } of fileWidgets(everyNode())) {
      const [first] = widget.options?.values ?? [];
      if (NO_ADAPTER.test(widget.value) && first) choose(node, widget, first);
      else followSeparator(node, widget);
    }
    if (!this.dialog.isOpen)
      app.extensionManager?.toast?.add({
        severity: "success",
        summary: this.texts.title,
        detail: this.texts.ready,
        life: 5000,
      });
  }

  /** A line at the edge of the window, once per page, that leads to the dialog. */
  hint() {
    if (this.#hinted || this.dialog.isOpen) return;
    this.#hinted = true;
    addStyle();
    const t = this.texts;
    const bar = element("div", { className: "instantid-hint", role: "status" });
    bar.append(
      element("span", {}, t.hint),
      element("button", { type: "button", onclick: () => this.open() }, t.open),
      element("button", { type: "button", onclick: () => bar.remove() }, t.dismiss)
    );
    document.body.append(bar);
  }

  async hintWithoutFaceModels() {
    if (this.#hinted) return;
    try {
      const { models } = await this.server.list();
      if (models.some((model) => model.id === "face_models" && model.state === "missing"))
        this.hint();
    } catch (error) {
      console.info("InstantID Compose: the list of model files could not be read.", error);
    }
  }
}

function* fileWidgets(nodes) {
  for (const node of nodes) {
    const name = FILE_WIDGETS[node.comfyClass];
    const widget = name && node.widgets?.find((one) => one.name === name);
    if (widget) yield { node, widget };
  }
}

function choose(node, widget, value) {
  widget.value = value;
  widget.callback?.(value, app.canvas, node);
}

/**
 * Takes the file that is meant when only the separator of its folder is another one. Windows lists
 * `folder\file` and the server compares to the letter, but workflows come from everywhere.
 */
function followSeparator(node, widget) {
  const values = widget.options?.values;
  if (!Array.isArray(values) || values.includes(widget.value)) return;
  const plain = (name) => String(name).replaceAll("\\", "/");
  const meant = values.find((name) => plain(name) === plain(widget.value));
  if (meant !== undefined) choose(node, widget, meant);
}

/** Whether the server refused a prompt because a file of InstantID is missing. */
function lacksModel(nodeErrors) {
  return Object.values(nodeErrors ?? {}).some(({ class_type: kind, errors }) => {
    if (kind === ADAPTER_NODE) return true;
    if (kind !== "ControlNetLoader") return false;
    return errors.some((error) => IDENTITY_NET.test(error.extra_info?.received_value ?? ""));
  });
}

/** Looks at refused prompts. The editor tells no event of them, so what it shows is looked at. */
function watchRefusals(manager) {
  let timer;
  const stop = () => clearInterval(timer);
  api.addEventListener("promptQueued", stop);
  api.addEventListener("promptQueueing", () => {
    stop();
    const until = Date.now() + LONGEST_LOOK;
    timer = setInterval(() => {
      if (lacksModel(app.lastNodeErrors)) manager.hint();
      if (app.lastNodeErrors || Date.now() > until) stop();
    }, LOOK_EVERY);
  });
}

let manager; // made in setup, when the editor's settings are there

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
    if (![ADAPTER_NODE, ANALYZER_NODE].includes(node.comfyClass)) return [];
    return [{ content: manager.texts.open, callback: () => manager.open() }];
  },
  async setup() {
    manager = new ModelManager();
    watchRefusals(manager);
    api.addEventListener("execution_error", ({ detail }) => {
      const lacking = /were not found|is missing/.test(detail.exception_message);
      if (detail.node_type === ANALYZER_NODE && lacking) manager.hint();
    });
  },
  nodeCreated(node) {
    if (node.comfyClass === ANALYZER_NODE) manager?.hintWithoutFaceModels();
    if (node.comfyClass !== ADAPTER_NODE) return;
    const choice = node.widgets?.find((widget) => widget.name === "adapter_name");
    if (choice?.options?.values?.some?.((value) => NO_ADAPTER.test(value))) manager?.hint();
  },
  loadedGraphNode(loaded) {
    for (const { node, widget } of fileWidgets(everyNode([loaded]))) followSeparator(node, widget);
  },
});
