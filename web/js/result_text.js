/** The text that a run has given, on the node that gave it. */

import { app } from "../../../scripts/app.js";
import { addPanel, resize } from "./panels/panel.js";
import { element } from "./shared/dom.js";
import { texts } from "./texts/texts.js";

const OUTPUT = "text";
const EMPTY_HEIGHT = 40;
const WIDTH = 300;
/** Height of the text in pixels, by class of node; a longer text scrolls. @type {Record<string, number>} */
const HEIGHTS = {
  InstantIDCompareIdentities: 100,
  InstantIDSaveIdentity: 50,
  InstantIDDoctor: 280,
};

class ResultText {
  text = "";

  /** @param {ComfyNode} node */
  constructor(node) {
    this.node = node;
    this.root = element("div", { className: "iid-panel iid-result" });
    addPanel(node, "result_text", this.root, {
      key: OUTPUT,
      height: () => this.height(),
      show: (text) => this.show(text ?? ""),
      read: (lines) => lines.join("\n"),
      keepsPictures: true,
    });
  }

  height() {
    return this.text ? HEIGHTS[this.node.comfyClass ?? ""] : EMPTY_HEIGHT;
  }

  /** @param {string} text of the last run, empty before it */
  show(text) {
    const t = texts().result;
    this.text = text;
    const region = {
      className: "iid-text",
      tabIndex: 0,
      role: "region",
      "aria-label": t.name,
      // Nodes 2.0 then lets the wheel scroll the text while it has the focus.
      "data-capture-wheel": "true",
    };
    const content = text
      ? element("pre", region, text)
      : element("p", { className: "iid-status" }, t.beforeARun);
    this.root.replaceChildren(content);
    resize(this.node, this.root, this.height(), text ? WIDTH : 0);
  }
}

app.registerExtension({
  name: "InstantIDCompose.ResultText",
  nodeCreated(node) {
    if (Object.hasOwn(HEIGHTS, node.comfyClass ?? "")) new ResultText(node);
  },
});
