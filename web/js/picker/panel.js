/** What panels on nodes share: a place on the node, and what the node shows. */

import { app } from "../../../../scripts/app.js";
import { api } from "../../../../scripts/api.js";
import { loadStyle } from "./elements.js";

const MARGINS = 20; // the host draws a DOM widget 10 pixels inside its place

/**
 * Puts an element on a node, in place of the pictures that the host would show there.
 * @param {object} node
 * @param {string} name of the widget; it is not saved
 * @param {HTMLElement} root
 * @param {{key: string, height: () => number, show: (report: unknown) => void,
 *   read?: (texts: string[]) => unknown, keepsPictures?: boolean}} panel `key` of the node's output,
 *   `height` in pixels that the element needs, and `show`, which gets what `read` makes of the output
 *   (JSON parsed, where it is not given) each time it changes: null where there is none yet
 */
export function addPanel(node, name, root, panel) {
  loadStyle();
  const widget = node.addDOMWidget(name, "instantid_panel", root, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: () => panel.height() + MARGINS,
  });
  widget.serialize = false;
  if (!panel.keepsPictures) hidePictures(node);
  letWheelThrough(root);
  follow(node, root, panel);
  takeOver(node, name, root);
}

/**
 * Gives a node room for what its panel shows now. Never makes it smaller.
 * @param {object} node
 * @param {number} width in pixels of the graph
 */
export function makeRoom(node, width) {
  requestAnimationFrame(() => {
    if (!node.graph) return;
    const [, height] = node.computeSize();
    node.setSize([Math.max(node.size[0], width), Math.max(node.size[1], height)]);
    node.graph.setDirtyCanvas(true, true);
  });
}

/**
 * Address of a picture that a run has left on the server.
 * @param {{filename: string, subfolder: string, type: string}} image
 * @returns {string}
 */
export function addressOf(image) {
  return api.apiURL(`/view?${new URLSearchParams(image)}`);
}

/** @type {Map<string, HTMLElement>} elements of nodes that are gone, by node and name */
const left = new Map();
const KEPT = 10_000; // milliseconds
const FRAMES = 60; // that a new node's element waits for its place

/** Undo makes every node anew. Nodes 2.0 of front end 1.58 keeps the gone node's element in place. */
function takeOver(node, name, root) {
  const key = () => `${node.graph?.id}:${node.id}:${name}`;
  let last = "";
  const removed = node.onRemoved;
  node.onRemoved = function (...given) {
    const place = last || key();
    left.set(place, root);
    setTimeout(() => left.get(place) === root && left.delete(place), KEPT);
    removed?.apply(this, given);
  };
  let frames = 0;
  const look = () => {
    if (node.graph) last = key();
    const old = left.get(last);
    if (old?.isConnected && old !== root && !root.isConnected) {
      old.replaceWith(root);
      left.delete(last);
    }
    if (!root.isConnected && ++frames < FRAMES) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

/** Both engines of the editor would draw the node's pictures beneath the panel. */
function hidePictures(node) {
  node.hideOutputImages = true;
  node.onDrawBackground = () => {};
}

/** On the classic canvas the element would swallow the wheel, which zooms everywhere else. */
function letWheelThrough(root) {
  root.addEventListener(
    "wheel",
    (event) => {
      const list = event.ctrlKey ? null : event.target.closest("[data-capture-wheel]");
      const scrolls = list && list.scrollHeight > list.clientHeight;
      if (!scrolls && root.closest(".dom-widget")) app.canvas.processMouseWheel?.(event);
    },
    { passive: false },
  );
}

/** Calls `panel.show` after every run, and when the node comes back: undo, another tab, reload. */
function follow(node, root, panel) {
  let shown;
  const refresh = (output = outputOf(node)) => {
    const text = output?.[panel.key]?.join("\n") ?? "";
    if (text === shown) return;
    shown = text;
    panel.show(given(output?.[panel.key], panel.read ?? parsed));
  };
  const before = node.onExecuted;
  node.onExecuted = function (output, ...more) {
    before?.call(this, output, ...more);
    refresh(output);
  };
  // The host puts outputs back a moment after the nodes, and says so to nobody.
  const observer = new ResizeObserver(() => refresh());
  observer.observe(root);
  root.addEventListener("pointerenter", () => refresh());
  const removed = node.onRemoved;
  node.onRemoved = function (...given) {
    observer.disconnect();
    removed?.apply(this, given);
  };
  refresh({});
}

/** What the host remembers of a node's last run. */
function outputOf(node) {
  const root = app.rootGraph ?? app.graph;
  const inside = node.graph && node.graph !== root ? `${node.graph.id}:` : "";
  return app.nodeOutputs?.[`${inside}${node.id}`];
}

/** What `read` makes of an output; null where there is none, or none that it can read. */
function given(found, read) {
  if (!Array.isArray(found) || !found.length) return null;
  try {
    return read(found);
  } catch {
    return null;
  }
}

/** A list of reports: one for each time that the run has called the node. */
function parsed(found) {
  return found.map((text) => JSON.parse(text));
}
