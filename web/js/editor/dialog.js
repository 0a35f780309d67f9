/** The editor's dialog. It works on a pose of its own and hands a text back when the user applies. */

import { faceControls, Turner } from "./controls.js";
import { button, make } from "./elements.js";
import { PoseModel } from "./model.js";
import { photoControls, release } from "./photo.js";
import { Stage } from "./stage.js";
import { texts } from "../texts/texts.js";
import { thumbnails } from "./thumbnails.js";

const STYLE = new URL("./editor.css", import.meta.url).href;
const HINT_ID = "keys";

/**
 * Opens the editor over the page.
 * @param {import("./node_state.js").Start & {photoAddress: string | null,
 *   findPhotoPose: (() => Promise<string>) | null}} start
 * @returns {Promise<string | null>} the pose as text, empty to leave preset and photo in charge, or
 *   null when the user cancels
 */
export async function editPose(start) {
  const host = make("div");
  // ComfyUI undoes the graph's last change on Ctrl+Z unless the focused element says that one types
  // into it, older front ends by `type`, newer ones by the other; this editor has an undo of its own.
  host.type = "textarea";
  Object.defineProperty(host, "isContentEditable", { value: true });
  const root = host.attachShadow({ mode: "open" });
  const editor = new Editor(start);
  const style = make("link", { rel: "stylesheet", href: STYLE });
  root.append(style, editor.dialog);
  document.body.append(host);
  await new Promise((loaded) => {
    style.onload = style.onerror = loaded;
  });
  return editor.run().finally(() => host.remove());
}

class Editor {
  constructor(start) {
    this.start = start;
    this.texts = texts().editor;
    this.model = new PoseModel(start.frame, start.faces);
    this.turner = new Turner(this.model);
    this.stage = new Stage(this.model, start.style, HINT_ID);
    this.status = make("p", { className: "visually-hidden", role: "status", "aria-live": "polite" });
    this.where = make("span", { className: "where", "aria-hidden": "true" });
    this.dialog = make(
      "dialog",
      { "aria-labelledby": "title", tabIndex: -1 },
      this.header(),
      make("div", { className: "body" }, this.left(), this.panel()),
      this.footer(),
      this.status,
    );
    this.dialog.addEventListener("keydown", (event) => this.hearKey(event));
    for (const kind of ["keyup", "keypress", "paste", "copy", "cut", "wheel"]) {
      // Behind the dialog lies the graph, which listens to the whole page.
      this.dialog.addEventListener(kind, (event) => event.stopPropagation());
    }
    this.model.listen(() => this.refresh());
    this.refresh();
  }

  header() {
    const { width, height } = this.start.frame;
    const notices = this.start.notices.map((text) => make("p", { textContent: text }));
    return make(
      "header",
      {},
      make("h2", { id: "title", textContent: this.texts.title }),
      make("span", { className: "size", textContent: `${width} \u00d7 ${height}` }),
      this.where,
      make("div", { className: "notices", role: "alert", hidden: !notices.length }, ...notices),
    );
  }

  left() {
    const views = thumbnails((name) => {
      if (!this.model.chosen) this.model.addFace();
      this.turner.preset(name);
    });
    return make("div", { className: "left" }, this.stage.element, views);
  }

  panel() {
    const tell = (text) => this.tell(text);
    const isDragging = () => this.stage.gesture !== null;
    return make(
      "div",
      { className: "panel" },
      ...faceControls(this.model, this.turner, isDragging),
      photoControls(this.stage, { ...this.start, tell }),
      make(
        "details",
        {},
        make("summary", { textContent: this.texts.help }),
        make("p", { textContent: this.texts.mouse }),
        make("p", { id: HINT_ID, textContent: this.texts.keys }),
      ),
    );
  }

  footer() {
    const t = this.texts;
    this.undo = button(t.undo, () => this.model.undo(), { title: "Ctrl+Z" });
    this.redo = button(t.redo, () => this.model.redo(), { title: "Ctrl+Shift+Z" });
    return make(
      "footer",
      {},
      this.undo,
      this.redo,
      button(t.reset, () => this.model.edit(this.start.fresh()), {
        title: t.resetTitle,
      }),
      make("span", { className: "gap", textContent: t.shortHint, "aria-hidden": "true" }),
      button(t.clear, () => this.dialog.close("forget"), {
        title: t.clearTitle,
      }),
      button(t.cancel, () => this.dialog.close("cancel")),
      button(t.apply, () => this.dialog.close("apply"), { className: "primary" }),
    );
  }

  /** Shows the dialog until it is closed. */
  run() {
    return new Promise((resolve) => {
      this.dialog.addEventListener("close", () => {
        this.stage.close();
        release(this.stage.photo);
        const { returnValue } = this.dialog;
        resolve(returnValue === "apply" ? this.model.text : returnValue === "forget" ? "" : null);
      });
      this.dialog.showModal();
      this.stage.overlay.focus();
    });
  }

  hearKey(event) {
    event.stopPropagation();
    const key = event.key.toLowerCase();
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
    if (key === "z" && !event.shiftKey) this.model.undo();
    else if (key === "y" || key === "z") this.model.redo();
    else if (key === "enter") this.dialog.close("apply");
    else return;
    event.preventDefault();
  }

  refresh() {
    this.undo.disabled = !this.model.canUndo;
    this.redo.disabled = !this.model.canRedo;
    const text = describe(this.model, this.texts);
    this.where.textContent = text;
    this.stage.overlay.setAttribute("aria-label", text);
    if (this.stage.gesture === null) this.tell(text);
  }

  /** Says something to screen readers. */
  tell(text) {
    if (this.status.textContent !== text) this.status.textContent = text;
  }
}

/** What is chosen, in words. */
function describe({ faces, face, point, frame }, t) {
  if (face < 0) return t.noFace;
  const name = t.place(face + 1, faces.length);
  if (point === null) return name;
  const [x, y] = faces[face][point];
  const [left, top] = [(x / frame.width) * 100, (y / frame.height) * 100];
  return t.pointAt(name, t.points[point], left.toFixed(1), top.toFixed(1));
}
