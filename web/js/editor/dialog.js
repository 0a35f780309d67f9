/** The editor's dialog. It works on a pose of its own and hands a text back when the user applies. */

import { faceControls, Turner } from "./controls.js";
import { button, make } from "./elements.js";
import { PoseModel, POINT_NAMES } from "./model.js";
import { photoControls, release } from "./photo.js";
import { Stage } from "./stage.js";
import { HINT } from "./stage_keys.js";
import { thumbnails } from "./thumbnails.js";

const STYLE = new URL("./editor.css", import.meta.url).href;
const HINT_ID = "keys";
const SHORT_HINT = "Drag points or the face \u00b7 wheel resizes \u00b7 arrows nudge \u00b7 1-5 points";

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
      make("h2", { id: "title", textContent: "Edit pose" }),
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
        make("summary", { textContent: "Mouse and keys" }),
        make("p", {
          textContent:
            "Drag a point, or a face by its inside; the knob above rotates, the corners resize. " +
            "Shift keeps a direction, or turns by 15 degrees. The wheel resizes, with Alt it rotates.",
        }),
        make("p", { id: HINT_ID, textContent: HINT }),
      ),
    );
  }

  footer() {
    this.undo = button("Undo", () => this.model.undo(), { title: "Ctrl+Z" });
    this.redo = button("Redo", () => this.model.redo(), { title: "Ctrl+Shift+Z" });
    return make(
      "footer",
      {},
      this.undo,
      this.redo,
      button("Reset", () => this.model.edit(this.start.fresh()), {
        title: "Back to what the node's other settings make; can be undone",
      }),
      make("span", { className: "gap", textContent: SHORT_HINT, "aria-hidden": "true" }),
      button("Clear kept pose", () => this.dialog.close("forget"), {
        title: "Empties pose_json, so that preset and photo are in charge again",
      }),
      button("Cancel", () => this.dialog.close("cancel")),
      button("Apply", () => this.dialog.close("apply"), { className: "primary" }),
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
    const text = describe(this.model);
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
function describe({ faces, face, point, frame }) {
  if (face < 0) return "No face: press A or Add face.";
  const name = `Face ${face + 1} of ${faces.length}`;
  if (point === null) return name;
  const [x, y] = faces[face][point];
  const [left, top] = [(x / frame.width) * 100, (y / frame.height) * 100];
  return `${name}, ${POINT_NAMES[point]} at ${left.toFixed(1)} %, ${top.toFixed(1)} %`;
}
