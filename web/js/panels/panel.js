/** The frame that all panels on nodes share: a DOM widget that follows the node's output. */

import { app } from "../../../../scripts/app.js";
import { loadStyle } from "../shared/dom.js";
import { listenTo, rootGraph } from "../shared/graph.js";
import { acceptSize } from "../shared/undo.js";

const MARGINS = 20; // the front end draws a DOM widget 10 pixels inside its area
/** In these after a panel has grown, Nodes 2.0 measures it and sets the node's size once more. */
const SETTLING_FRAMES = 5;

/**
 * @template Report
 * @typedef {object} Panel
 * @property {string} key of the node's output
 * @property {() => number} height that the content needs, in pixels
 * @property {(report: Report | null) => void} show called when the output changes; null before a run
 *   and for an output that cannot be read
 * @property {(texts: string[]) => Report} read makes a report of the output
 * @property {boolean} [keepsPictures] leaves the node's own image previews in place
 */

/**
 * Puts an element on a node, in place of the node's image previews.
 * @template Report
 * @param {ComfyNode} node
 * @param {string} name of the widget; it is not saved
 * @param {HTMLElement} root
 * @param {Panel<Report>} panel
 */
export function addPanel(node, name, root, panel) {
  loadStyle("panels/panels.css");
  const widget = node.addDOMWidget(name, "instantid_panel", root, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: () => panel.height() + MARGINS,
  });
  widget.serialize = false;
  if (!panel.keepsPictures) hidePictures(node);
  passWheelOn(root);
  followOutput(node, root, panel);
  replaceRemoved(node, name, root);
}

/**
 * Fits a panel and its node to the panel's content. A node is never made smaller.
 * @param {ComfyNode} node @param {HTMLElement} root
 * @param {number} height of the content in pixels @param {number} width that the node needs, or 0
 */
export function resize(node, root, height, width) {
  root.style.setProperty("--iid-height", `${height}px`);
  requestAnimationFrame(() => {
    if (!node.graph) return;
    const needed = node.computeSize()[1];
    const size = [Math.max(node.size[0], width), Math.max(node.size[1], needed)];
    if (size.some((side, i) => side !== node.size[i])) node.setSize(size);
    node.graph.setDirtyCanvas(true, true);
    acceptGrowth(node, SETTLING_FRAMES);
  });
}

/**
 * Keeps the growth of a node out of undo, in this frame and in some that follow.
 * @param {ComfyNode} node @param {number} frames
 */
function acceptGrowth(node, frames) {
  if (!node.graph) return;
  acceptSize(node);
  if (frames) requestAnimationFrame(() => acceptGrowth(node, frames - 1));
}

/**
 * Reads an output of JSON texts, one for each time that the run has called the node.
 * @param {string[]} texts @returns {any[]}
 */
export function readJson(texts) {
  return texts.map((text) => JSON.parse(text));
}

/** Elements of removed nodes, by node and widget. @type {Map<string, HTMLElement>} */
const removedElements = new Map();
const KEEP_REMOVED = 10_000; // milliseconds
const ATTACH_FRAMES = 60; // a new node's element gets its place within these

/**
 * Undo recreates every node, and Nodes 2.0 of front end 1.58 goes on showing the removed node's
 * element: the new element takes its place.
 * @param {ComfyNode} node @param {string} name @param {HTMLElement} root
 */
function replaceRemoved(node, name, root) {
  const key = () => `${node.graph?.id}:${node.id}:${name}`;
  let lastKey = "";
  listenTo(node, "onRemoved", () => {
    const place = lastKey || key();
    removedElements.set(place, root);
    setTimeout(() => {
      if (removedElements.get(place) === root) removedElements.delete(place);
    }, KEEP_REMOVED);
  });
  let frames = 0;
  const attach = () => {
    if (node.graph) lastKey = key();
    const old = removedElements.get(lastKey);
    if (old?.isConnected && old !== root && !root.isConnected) {
      old.replaceWith(root);
      removedElements.delete(lastKey);
    }
    if (!root.isConnected && ++frames < ATTACH_FRAMES) requestAnimationFrame(attach);
  };
  requestAnimationFrame(attach);
}

/**
 * Both engines of the front end would draw the node's images below the panel.
 * @param {ComfyNode} node
 */
function hidePictures(node) {
  node.hideOutputImages = true;
  node.onDrawBackground = () => {};
}

/**
 * Lets the wheel zoom the classic canvas, which a DOM widget would otherwise prevent. A list that
 * can scroll keeps it.
 * @param {HTMLElement} root
 */
function passWheelOn(root) {
  const pass = (/** @type {WheelEvent} */ event) => {
    const target = event.ctrlKey ? null : /** @type {Element} */ (event.target);
    const list = target?.closest("[data-capture-wheel]");
    const scrolls = list && list.scrollHeight > list.clientHeight;
    if (!scrolls && root.closest(".dom-widget")) app.canvas.processMouseWheel?.(event);
  };
  root.addEventListener("wheel", pass, { passive: false });
}

/**
 * Calls `panel.show` after every run, and when the node returns by undo, another tab or a reload.
 * @template Report
 * @param {ComfyNode} node @param {HTMLElement} root @param {Panel<Report>} panel
 */
function followOutput(node, root, panel) {
  /** @type {string | undefined} */
  let shown;
  const refresh = (/** @type {NodeOutput} */ output) => {
    const texts = output?.[panel.key];
    const text = texts?.join("\n") ?? "";
    if (text === shown) return;
    shown = text;
    panel.show(read(texts, panel.read));
  };
  listenTo(node, "onExecuted", (output) => refresh(output ?? lastOutput(node)));
  // The front end restores outputs a moment after the nodes, without an event.
  const observer = new ResizeObserver(() => refresh(lastOutput(node)));
  observer.observe(root);
  root.addEventListener("pointerenter", () => refresh(lastOutput(node)));
  listenTo(node, "onRemoved", () => observer.disconnect());
  refresh(undefined);
}

/** The output of a node's last run, as the front end keeps it. @param {ComfyNode} node */
function lastOutput(node) {
  const isInside = node.graph && node.graph !== rootGraph();
  const prefix = isInside ? `${node.graph?.id}:` : "";
  return app.nodeOutputs?.[`${prefix}${node.id}`];
}

/**
 * @template Report
 * @param {unknown} texts @param {(texts: string[]) => Report} reader
 * @returns {Report | null}
 */
function read(texts, reader) {
  if (!Array.isArray(texts) || !texts.length) return null;
  try {
    return reader(texts);
  } catch {
    return null;
  }
}
