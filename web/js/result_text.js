/** The text that a run has given, on the node that gave it. */

import { app } from "../../../scripts/app.js";
import { addPanel, resize } from "./panels/panel.js";
import { element } from "./shared/dom.js";
import { texts } from "./texts/texts.js";

const OUTPUT = "text";
const EMPTY_HEIGHT = 40;
/**
 * By class of node: pixels of the text, of which the rest scrolls.
 * @type {Record<string, {width: number, height: number}>}
 */
const LAYOUTS = {
  InstantIDCompareIdentities: { width: 300, height: 116 },
  InstantIDSaveIdentity: { width: 300, height: 50 },
  InstantIDLearnDirection: { width: 320, height: 84 },
  InstantIDDoctor: { width: 460, height: 280 },
};

/** Right-aligned columns, as in a comparison. */
const ROW_OF_TABLE = /^ *\S+(?: {2,}\S+)+$/;

class ResultText {
  text = "";

  /** @param {ComfyNode} node */
  constructor(node) {
    this.node = node;
    this.layout = LAYOUTS[node.comfyClass ?? ""];
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
    return this.text ? this.layout.height : EMPTY_HEIGHT;
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
      ? element("pre", region, ...text.split("\n").map(makeLine))
      : element("p", { className: "iid-status" }, t.beforeARun);
    this.root.replaceChildren(content);
    resize(this.node, this.root, this.height(), text ? this.layout.width : 0);
  }
}

/** A line, broken where it is a sentence and not a row of a table. @param {string} line */
function makeLine(line) {
  const className = ROW_OF_TABLE.test(line) ? "iid-line iid-columns" : "iid-line";
  return element("div", { className }, line);
}

app.registerExtension({
  name: "InstantIDCompose.ResultText",
  nodeCreated(node) {
    if (Object.hasOwn(LAYOUTS, node.comfyClass ?? "")) new ResultText(node);
  },
});
