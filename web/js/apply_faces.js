/** Find faces on the node InstantID: the face is chosen in a dialog before anything is sampled. */

import { app } from "../../../scripts/app.js";
import { faceBoxes, markSelected } from "./panels/face_boxes.js";
import { selectedFaces } from "./panels/face_choice.js";
import { findFacesFor } from "./panels/find_faces.js";
import { readJson } from "./panels/panel.js";
import { button, element, keepKeys, loadStyle } from "./shared/dom.js";
import { messageOf } from "./shared/server.js";
import { asOneStep } from "./shared/undo.js";
import { isConnected, setWidget, valueOf } from "./shared/widgets.js";
import { texts } from "./texts/texts.js";

/** @typedef {import("./panels/face_boxes.js").ShownPicture} ShownPicture */

const NODE = "InstantIDApply";
const WIDGET = "face";

class FaceDialog {
  /** @param {ComfyNode} node */
  constructor(node) {
    const t = texts().picker;
    this.node = node;
    this.pictures = element("div", { className: "iid-pictures" });
    this.status = element("p", { className: "iid-status", role: "status" }, t.looking);
    const close = button(t.done, () => this.root.close(), { className: "iid-find" });
    const heading = element("h2", { id: "instantid-faces-title" }, t.find);
    this.root = element(
      "dialog",
      { className: "iid-panel iid-faces-dialog", "aria-labelledby": heading.id },
      heading,
      this.pictures,
      element("div", { className: "iid-foot" }, this.status, close),
    );
    keepKeys(this.root);
    this.root.addEventListener("close", () => this.root.remove());
  }

  async open() {
    await loadStyle("panels/panels.css");
    document.body.append(this.root);
    this.root.showModal();
    try {
      const found = await findFacesFor(app, this.node, () => this.root.isConnected);
      if (this.root.isConnected) this.show(readJson(found).flat());
    } catch (error) {
      this.status.textContent = messageOf(error);
    }
  }

  /** @param {ShownPicture[]} pictures */
  show(pictures) {
    const t = texts().picker;
    const drawn = pictures.map((picture, i) =>
      faceBoxes(picture, t.faces(i + 1, pictures.length), (number) => {
        this.choose(number + 1);
        update();
      }),
    );
    const update = () => {
      const chosen = pictures.map((picture) => selectedFaces(picture, this.selection()));
      drawn.forEach((boxes, i) => markSelected(boxes, chosen[i]));
      this.status.textContent = this.sentence(pictures, chosen);
    };
    this.pictures.replaceChildren(...drawn);
    update();
  }

  /** @param {ShownPicture[]} pictures @param {number[][]} chosen */
  sentence(pictures, chosen) {
    const t = texts().picker;
    if (isConnected(this.node, WIDGET)) return t.linked(WIDGET);
    const bare = pictures.findIndex(({ faces }) => !faces.length);
    if (bare >= 0) return t.noFaceIn(bare + 1);
    const [[first = -1]] = chosen;
    if (first < 0) return t.noSuchFace;
    const every = pictures.length > 1 ? ` ${t.everyPicture}` : "";
    return t.chosen(first + 1, pictures[0].faces.length) + every;
  }

  /** @returns {import("./panels/face_choice.js").Selection} */
  selection() {
    const face = Math.trunc(Number(valueOf(this.node, WIDGET))) || 0;
    return { select: face ? "index" : "largest", index: face - 1, numbers: "" };
  }

  /** One step of the graph's undo. @param {number} face counted from 1 */
  choose(face) {
    if (isConnected(this.node, WIDGET)) return;
    asOneStep(() => setWidget(this.node, WIDGET, face));
    this.node.graph?.setDirtyCanvas(true, true);
  }
}

app.registerExtension({
  name: "InstantIDCompose.ApplyFaces",
  nodeCreated(node) {
    if (node.comfyClass !== NODE) return;
    const open = () => new FaceDialog(node).open();
    const finder = node.addWidget("button", "find_faces", null, open, { serialize: false });
    finder.label = texts().picker.find;
    finder.tooltip = texts().picker.findTitle;
    // Workflow files save widget values by position; this widget must not take one.
    finder.serialize = false;
  },
});
