/** Marks on the nodes that messages are about, in both engines of the front end. */

import { app } from "../../../../scripts/app.js";
import { element } from "../shared/dom.js";
import { nodePath } from "../shared/graph.js";
import { texts } from "../texts/texts.js";

/** @typedef {import("./board.js").Message} Message */
/** @typedef {import("./board.js").Severity} Severity */

const COLOURS = { error: "#b3261e", warning: "#8a5a00" };
const INK = "#ffffff";
const SIGN = "\u26a0";
/** Of a mark in Nodes 2.0: above the node's right corner, as badges are in the classic canvas. */
const LOOK =
  "position:absolute;top:-26px;right:8px;padding:1px 8px;border-radius:4px;" +
  `color:${INK};font:12px/1.5 Inter,sans-serif;white-space:nowrap;pointer-events:none`;

/** The badges that are shown, by node. @type {Map<ComfyNode, object>} */
const badges = new Map();
/** The rules that show marks in Nodes 2.0. */
const rules = element("style");

/**
 * Marks the nodes of messages and no others, each also on the subgraphs around it.
 * @param {Message[]} messages
 * @param {() => void} onclick for clicks on a mark, where the engine has them
 */
export function markNodes(messages, onclick) {
  const marked = markedNodes(messages);
  for (const [node, badge] of badges) {
    node.badges = node.badges?.filter((each) => each !== badge);
  }
  badges.clear();
  for (const [node, severity] of marked) addBadge(node, severity, onclick);
  showRules(marked);
  app.canvas.setDirty?.(true, true);
}

/** Whether a node has a mark. @param {ComfyNode} node */
export function isMarked(node) {
  return badges.has(node);
}

/** @param {Message[]} messages @returns {Map<ComfyNode, Severity>} an error goes before a warning */
function markedNodes(messages) {
  /** @type {Map<ComfyNode, Severity>} */
  const marked = new Map();
  for (const { node, severity } of messages) {
    for (const each of nodePath(node)) {
      if (marked.get(each) !== "error") marked.set(each, severity);
    }
  }
  return marked;
}

/** @param {Severity} severity */
function textOf(severity) {
  return `${SIGN} ${texts().messages.marks[severity]}`;
}

/**
 * A badge, for the classic canvas.
 * @param {ComfyNode} node @param {Severity} severity @param {() => void} onClick
 */
function addBadge(node, severity, onClick) {
  const { LGraphBadge } = window;
  if (!LGraphBadge || !node.badges) return;
  const look = { fgColor: INK, bgColor: COLOURS[severity] };
  const badge = new LGraphBadge({ text: textOf(severity), ...look, onClick });
  badges.set(node, badge);
  node.badges = [...node.badges, badge];
}

/**
 * Nodes 2.0 reads a node's badges once, and makes its elements when it likes: rules need neither.
 * @param {Map<ComfyNode, Severity>} marked
 */
function showRules(marked) {
  const shown = [...marked].filter(([node]) => node.graph === app.canvas.graph);
  const lines = shown.map(([{ id }, severity]) => {
    const look = `content:${JSON.stringify(textOf(severity))};background:${COLOURS[severity]}`;
    return `[data-node-id="${CSS.escape(String(id))}"]::after{${LOOK};${look}}`;
  });
  rules.textContent = lines.join("\n");
  if (!rules.isConnected) document.head.append(rules);
}
