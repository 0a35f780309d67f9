/** What a run has found, as text on the node that found it. */

import { app } from "../../../scripts/app.js";
import { element } from "./picker/elements.js";
import { addPanel, makeRoom } from "./picker/panel.js";
import { texts } from "./texts/texts.js";

const KEY = "text";
const EMPTY_HEIGHT = 40;
const WIDTH = 300;
/** Pixels that the text of each class needs; a longer one scrolls. */
const HEIGHTS = {
  InstantIDCompareIdentities: 100,
  InstantIDSaveIdentity: 50,
  InstantIDDoctor: 280,
};

class ResultText {
  /** @param {object} node */
  constructor(node) {
    this.node = node;
    this.text = "";
    this.root = element("div", { class: "iid-panel iid-result" });
    addPanel(node, "result_text", this.root, {
      key: KEY,
      height: () => this.height(),
      show: (found) => this.show(found),
      read: (found) => found.join("\n"),
      keepsPictures: true,
    });
  }

  height() {
    return this.text ? HEIGHTS[this.node.comfyClass] : EMPTY_HEIGHT;
  }

  /** @param {string | null} text what the run has told, null before it */
  show(text) {
    const t = texts().result;
    this.text = text ?? "";
    const hint = element("p", { class: "iid-status" }, t.beforeARun);
    // Nodes 2.0 then lets the wheel scroll here while this has the focus.
    const kept = { tabindex: "0", role: "region", "aria-label": t.name, "data-capture-wheel": "true" };
    const shown = element("pre", { class: "iid-text", ...kept }, this.text);
    this.root.style.setProperty("--iid-height", `${this.height()}px`);
    this.root.replaceChildren(this.text ? shown : hint);
    makeRoom(this.node, this.text ? WIDTH : 0);
  }
}

app.registerExtension({
  name: "InstantIDCompose.ResultText",
  nodeCreated(node) {
    if (node.comfyClass in HEIGHTS) new ResultText(node);
  },
});
