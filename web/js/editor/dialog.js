/** The dialog of the keypoint editor. It edits a copy of the pose and returns a text on Apply. */

import { button, element, loadStyle } from "../shared/dom.js";
import { texts } from "../texts/texts.js";
import { faceControls } from "./controls.js";
import { PoseModel } from "./model.js";
import { photoControls, releasePhoto } from "./photo.js";
import { Stage } from "./stage.js";
import { thumbnails } from "./thumbnails.js";
import { Turner } from "./turner.js";

/**
 * @typedef {import("./node_state.js").Start} Start
 * @typedef {import("./photo.js").PhotoSource} PhotoSource
 */

const HINT_ID = "keys";
/** Events that the graph behind the dialog would act on. */
const KEPT_EVENTS = ["keyup", "keypress", "paste", "copy", "cut", "wheel"];

/**
 * Opens the editor above the page.
 * @param {Start} start @param {PhotoSource} photo
 * @returns {Promise<string | null>} the pose as text, empty to clear the saved pose, null on Cancel
 */
export async function editPose(start, photo) {
  const host = element("div");
  // On Ctrl+Z, ComfyUI undoes the graph's last change unless the focused element takes text. Older
  // front ends check `type`, newer ones the other property. The editor has an undo of its own.
  Reflect.set(host, "type", "textarea");
  Object.defineProperty(host, "isContentEditable", { value: true });
  const root = host.attachShadow({ mode: "open" });
  const editor = new Editor(start, photo);
  root.append(editor.dialog);
  document.body.append(host);
  await loadStyle("editor/editor.css", root);
  return editor.run().finally(() => host.remove());
}

class Editor {
  /** @param {Start} start @param {PhotoSource} photo */
  constructor(start, photo) {
    this.start = start;
    this.photo = photo;
    this.texts = texts().editor;
    this.model = new PoseModel(start.frame, start.faces);
    this.textAtStart = this.model.text;
    this.turner = new Turner(this.model);
    this.stage = new Stage(this.model, start.style, HINT_ID);
    this.undo = button(this.texts.undo, () => this.model.undo(), { title: "Ctrl+Z" });
    this.redo = button(this.texts.redo, () => this.model.redo(), { title: "Ctrl+Shift+Z" });
    const live = { className: "visually-hidden", role: "status", "aria-live": "polite" };
    this.status = element("p", live);
    const apply = () => this.dialog.close("apply");
    this.keep = button(this.texts.keepChanges, apply, { className: "primary" });
    this.question = this.#question();
    this.selection = element("span", { className: "where", "aria-hidden": "true" });
    this.dialog = element(
      "dialog",
      { "aria-labelledby": "title", tabIndex: -1 },
      this.#header(),
      element("div", { className: "body" }, this.#left(), this.#panel()),
      this.#footer(),
      this.status,
    );
    this.dialog.addEventListener("cancel", (event) => {
      if (!this.#isChanged) return;
      event.preventDefault();
      this.#leave();
    });
    this.dialog.addEventListener("keydown", (event) => this.#pressKey(event));
    for (const kind of KEPT_EVENTS) {
      this.dialog.addEventListener(kind, (event) => event.stopPropagation());
    }
    this.model.listen(() => this.#refresh());
    this.#refresh();
  }

  /** Shows the dialog until it is closed. @returns {Promise<string | null>} as `editPose` */
  run() {
    return new Promise((resolve) => {
      this.dialog.addEventListener("close", () => {
        this.stage.close();
        releasePhoto(this.stage.photo);
        const { returnValue } = this.dialog;
        resolve(returnValue === "apply" ? this.model.text : returnValue === "clear" ? "" : null);
      });
      this.dialog.showModal();
      this.stage.overlay.focus();
    });
  }

  #header() {
    const { frame, notices } = this.start;
    const sentences = notices.map((text) => element("p", {}, text));
    const alert = { className: "notices", role: "alert", hidden: !notices.length };
    return element(
      "header",
      {},
      element("h2", { id: "title" }, this.texts.title),
      element("span", { className: "size" }, `${frame.width} \u00d7 ${frame.height}`),
      this.selection,
      element("div", alert, ...sentences),
    );
  }

  #left() {
    const views = thumbnails((name) => {
      if (!this.model.selected) this.model.addFace();
      this.turner.applyPreset(name);
    });
    return element("div", { className: "left" }, this.stage.element, views);
  }

  #panel() {
    const t = this.texts;
    return element(
      "div",
      { className: "panel" },
      ...faceControls(this.model, this.turner, () => this.stage.isDragging),
      photoControls(this.stage, this.photo, (sentence) => this.#announce(sentence)),
      element(
        "details",
        {},
        element("summary", {}, t.help),
        element("p", {}, t.mouse),
        element("p", { id: HINT_ID }, t.keys),
      ),
    );
  }

  #footer() {
    const t = this.texts;
    const reset = () => this.model.edit(this.start.reset());
    return element(
      "footer",
      {},
      this.undo,
      this.redo,
      button(t.reset, reset, { title: t.resetTitle }),
      element("span", { className: "gap", "aria-hidden": "true" }, t.shortHint),
      button(t.clear, () => this.dialog.close("clear"), { title: t.clearTitle }),
      button(t.cancel, () => this.#leave()),
      button(t.apply, () => this.dialog.close("apply"), { className: "primary" }),
      this.question,
    );
  }

  /** What to do with changes when the editor is left; hidden until then. */
  #question() {
    const t = this.texts;
    return element(
      "div",
      { className: "question", role: "alertdialog", "aria-label": t.unsaved, hidden: true },
      element("span", {}, t.unsaved),
      button(t.discard, () => this.dialog.close("cancel")),
      button(t.goOn, () => this.#goOn()),
      this.keep,
    );
  }

  get #isChanged() {
    return this.model.text !== this.textAtStart;
  }

  /** Closes the dialog, after a question if there are changes. */
  #leave() {
    if (!this.#isChanged) {
      this.dialog.close("cancel");
      return;
    }
    this.question.hidden = false;
    this.keep.focus();
  }

  #goOn() {
    this.question.hidden = true;
    this.stage.overlay.focus();
  }

  /** @param {KeyboardEvent} event */
  #pressKey(event) {
    event.stopPropagation();
    const key = event.key.toLowerCase();
    if (key === "escape" && !event.defaultPrevented && this.#isChanged) {
      // Before the browser makes a request to close of it, of which it lets no page keep two.
      event.preventDefault();
      if (this.question.hidden) this.#leave();
      else this.#goOn();
      return;
    }
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
    if (key === "z" && !event.shiftKey) this.model.undo();
    else if (key === "y" || key === "z") this.model.redo();
    else if (key === "enter") this.dialog.close("apply");
    else return;
    event.preventDefault();
  }

  #refresh() {
    this.undo.disabled = !this.model.canUndo;
    this.redo.disabled = !this.model.canRedo;
    const text = this.#describeSelection();
    this.selection.textContent = text;
    this.stage.overlay.setAttribute("aria-label", text);
    if (!this.stage.isDragging) this.#announce(text);
  }

  #describeSelection() {
    const { faces, face, point, frame } = this.model;
    const t = this.texts;
    if (face < 0) return t.noFace;
    const name = t.place(face + 1, faces.length);
    if (point === null) return name;
    const [x, y] = faces[face][point];
    const [left, top] = [(x / frame.width) * 100, (y / frame.height) * 100];
    return t.pointAt(name, t.points[point], left.toFixed(1), top.toFixed(1));
  }

  /** Tells screen readers. @param {string} sentence */
  #announce(sentence) {
    if (this.status.textContent !== sentence) this.status.textContent = sentence;
  }
}
