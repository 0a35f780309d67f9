/** The face picker on InstantID Analyze Faces: after a run, faces are selected by clicking them. */

import { app } from "../../../scripts/app.js";
import { faceBoxes, markSelected } from "./panels/face_boxes.js";
import { readNumbers, selectedFaces, selectOnly, toggle } from "./panels/face_choice.js";
import { ANALYSIS, FACES_OUTPUT, facesOfRuns, findFaces, rememberedRuns } from "./panels/find_faces.js";
import { addPanel, readJson, resize } from "./panels/panel.js";
import { button, element } from "./shared/dom.js";
import { everyNode } from "./shared/graph.js";
import { messageOf } from "./shared/server.js";
import { asOneStep } from "./shared/undo.js";
import { followWidget, isConnected, setWidget, valueOf, widgetOf } from "./shared/widgets.js";
import { texts } from "./texts/texts.js";

/** @typedef {import("./panels/face_boxes.js").ShownPicture} ShownPicture */

const WIDGETS = /** @type {const} */ (["select", "index", "numbers"]);
const EMPTY_HEIGHT = 60;
const WIDTH = 320;
const MAX_HEIGHT = 232; // the node then fits the space that the shipped workflows leave for it
const STAGE_WIDTH = WIDTH - 20;
const MIN_STAGE_HEIGHT = 140;
const STATUS_HEIGHT = 42;
const PAGER_HEIGHT = 34;

class FacePicker {
  /** @type {ShownPicture[]} */
  pictures = [];
  current = 0;
  /** A sentence about values that were restored. */
  notice = "";
  /** @type {HTMLElement | null} */
  boxes = null;
  isSearching = false;

  /** @param {ComfyNode} node */
  constructor(node) {
    this.node = node;
    this.body = element("div", { className: "iid-body" });
    this.status = element(
      "p",
      { className: "iid-status", role: "status" },
      texts().picker.beforeARun,
    );
    this.finder = button(texts().picker.find, () => this.find(), {
      className: "iid-find",
      title: texts().picker.findTitle,
    });
    const foot = element("div", { className: "iid-foot" }, this.status, this.finder);
    this.root = element("div", { className: "iid-panel iid-picker" }, this.body, foot);
    this.watchWidgets();
    addPanel(node, "face_picker", this.root, {
      key: FACES_OUTPUT,
      height: () => this.height(),
      show: (reports) => this.show(reports),
      read: readJson,
    });
  }

  /** @param {ShownPicture[][] | null} reports the pictures of each call of the node */
  show(reports) {
    this.pictures = reports?.flat() ?? [];
    this.current = Math.min(this.current, Math.max(0, this.pictures.length - 1));
    this.draw();
    resize(this.node, this.root, this.height(), this.pictures.length ? WIDTH : 0);
  }

  /** Looks for faces without a run of the whole workflow. */
  async find() {
    if (this.isSearching) return;
    this.isSearching = true;
    this.finder.disabled = true;
    this.status.textContent = texts().picker.looking;
    try {
      const isWanted = () => Boolean(this.node.graph);
      this.show(readJson(await findFaces(app, this.node, isWanted)));
    } catch (error) {
      this.status.textContent = messageOf(error);
    } finally {
      this.isSearching = false;
      this.finder.disabled = false;
    }
  }

  /** Shows what one of these runs has found, unless faces are shown. @param {import("./panels/find_faces.js").Run[]} runs */
  restore(runs) {
    const found = this.pictures.length ? null : facesOfRuns(runs, this.node);
    if (found) this.show(readJson(found));
  }

  /** Pixels for the tallest picture at the default width; a larger node shows it larger. */
  height() {
    if (!this.pictures.length) return EMPTY_HEIGHT;
    const tallest = Math.max(...this.pictures.map(({ width, height }) => height / width));
    const stage = Math.max(MIN_STAGE_HEIGHT, Math.round(STAGE_WIDTH * tallest));
    const pager = this.pictures.length > 1 ? PAGER_HEIGHT : 0;
    return Math.min(MAX_HEIGHT, stage + STATUS_HEIGHT + pager);
  }

  /** Shows the current picture. */
  draw() {
    const t = texts().picker;
    const picture = this.pictures[this.current];
    if (!picture) {
      this.boxes = null;
      this.body.replaceChildren();
      this.status.textContent = [this.notice, t.beforeARun].filter(Boolean).join(" ");
      return;
    }
    const count = this.pictures.length;
    const label = t.faces(this.current + 1, count);
    this.boxes = faceBoxes(picture, label, (number, isAdded) => this.choose(number, isAdded));
    this.body.replaceChildren(this.boxes, ...(count > 1 ? [this.pager()] : []));
    this.update();
  }

  /** Shows the selection that the widgets hold. Buttons and focus stay as they are. */
  update() {
    const picture = this.pictures[this.current];
    if (!picture || !this.boxes) return;
    const selected = selectedFaces(picture, this.selection());
    markSelected(this.boxes, selected);
    const sentences = [this.notice, this.sentence(picture, selected)];
    this.status.textContent = sentences.filter(Boolean).join(" ");
  }

  /** @param {ShownPicture} picture @param {number[]} selected */
  sentence(picture, selected) {
    const t = texts().picker;
    const { select, index, numbers } = this.selection();
    const connected = WIDGETS.find((name) => isConnected(this.node, name));
    if (connected) return t.linked(connected);
    if (select === "index" && readNumbers(numbers) === null) return t.noList(numbers, index + 1);
    const count = picture.faces.length;
    if (!count) return t.noFace;
    const shown = selected.map((number) => number + 1).join(", ");
    const sentence = selected.length ? t.selected(shown, selected.length, count) : t.noSuchFace;
    return this.pictures.length > 1 ? `${sentence} ${t.everyPicture}` : sentence;
  }

  /** Buttons for the previous and the next picture of a batch. */
  pager() {
    const t = texts().picker;
    const count = this.pictures.length;
    /** @param {number} step @param {string} label @param {string} sign */
    const turn = (step, label, sign) => {
      const act = () => {
        this.current = (this.current + step + count) % count;
        this.draw();
        /** @type {HTMLElement | null} */ (
          this.body.querySelector(`[data-step="${step}"]`)
        )?.focus();
      };
      return button(sign, act, { className: "iid-turn", "aria-label": label, "data-step": step });
    };
    return element(
      "div",
      { className: "iid-turner" },
      turn(-1, t.previous, "\u2039"),
      element("span", {}, t.place(this.current + 1, count)),
      turn(1, t.next, "\u203a"),
    );
  }

  /** @param {number} number @param {boolean} isAdded to the selection, instead of replacing it */
  choose(number, isAdded) {
    const picture = this.pictures[this.current];
    this.notice = "";
    this.write(isAdded ? toggle(picture, this.selection(), number) : selectOnly(number));
    this.update();
  }

  /** @returns {import("./panels/face_choice.js").Selection} the values of the widgets */
  selection() {
    return {
      select: String(valueOf(this.node, "select") ?? "largest"),
      index: Math.trunc(Number(valueOf(this.node, "index"))) || 0,
      numbers: String(valueOf(this.node, "numbers") ?? ""),
    };
  }

  /**
   * Sets the widgets in one step of the graph's undo.
   * @param {import("./panels/face_choice.js").Selection} selection
   */
  write(selection) {
    asOneStep(() => {
      for (const name of WIDGETS) setWidget(this.node, name, selection[name]);
    });
    this.node.graph?.setDirtyCanvas(true, true);
  }

  /** Restores the defaults of widgets that have a value of the wrong type, and reports it. */
  restoreDefaults() {
    const index = widgetOf(this.node, "index");
    const numbers = widgetOf(this.node, "numbers");
    const restored = [];
    if (index && !Number.isInteger(index.value)) {
      index.value = 0;
      restored.push("index");
    }
    if (numbers && typeof numbers.value !== "string") {
      numbers.value = "";
      restored.push("numbers");
    }
    if (!restored.length) return;
    const t = texts().picker;
    this.notice = t.restored(restored.join(t.and));
    this.draw();
  }

  /** Follows changes that are made in the widgets themselves. */
  watchWidgets() {
    for (const name of WIDGETS) followWidget(this.node, name, () => this.update());
  }
}

/** @type {WeakMap<ComfyNode, FacePicker>} */
const pickers = new WeakMap();

/** After a reload the front end knows no outputs; the server may still know the last runs. */
async function restorePickers() {
  const waiting = [...everyNode()].flatMap((node) => pickers.get(node) ?? []);
  if (!waiting.some(({ pictures }) => !pictures.length)) return;
  const runs = await rememberedRuns(app.api);
  for (const picker of waiting) picker.restore(runs);
}

app.registerExtension({
  name: "InstantIDCompose.FacePicker",
  nodeCreated(node) {
    if (node.comfyClass === ANALYSIS) pickers.set(node, new FacePicker(node));
  },
  loadedGraphNode(node) {
    pickers.get(node)?.restoreDefaults();
  },
  afterConfigureGraph() {
    restorePickers().catch((error) => {
      console.info("InstantID Compose: the server's last runs could not be read.", error);
    });
  },
});
