/** Widgets and inputs of nodes, by name. */

import { app } from "../../../../scripts/app.js";

/** @param {ComfyNode} node @param {string} name */
export function widgetOf(node, name) {
  return node.widgets?.find((widget) => widget.name === name);
}

/** @param {ComfyNode} node @param {string} name @returns {unknown} undefined without such a widget */
export function valueOf(node, name) {
  return widgetOf(node, name)?.value;
}

/**
 * Sets a widget as typing into it does, callback included. An equal value changes nothing.
 * @param {ComfyNode} node @param {string} name @param {unknown} value
 */
export function setWidget(node, name, value) {
  const widget = widgetOf(node, name);
  if (!widget || widget.value === value) return;
  widget.value = value;
  widget.callback?.(value, app.canvas, node, node.pos);
}

/** The only choice where no file is saved yet. */
const NOTHING_YET = /^(nobody|none) saved yet - /;

/** Whether a choice stands for no file at all. @param {unknown} choice */
export function isNothingYet(choice) {
  return NOTHING_YET.test(String(choice));
}

/**
 * Gives a widget other choices. One that had nothing to choose takes the first.
 * @param {ComfyNode} node @param {string} name @param {string[]} choices
 */
export function offer(node, name, choices) {
  const widget = widgetOf(node, name);
  if (!widget?.options || !choices.length) return;
  widget.options.values = choices;
  if (widget.value === undefined || isNothingYet(widget.value)) setWidget(node, name, choices[0]);
}

/**
 * Calls a listener after a widget's own callback: when the user or `setWidget` changes it.
 * @param {ComfyNode} node @param {string} name @param {() => void} listener
 */
export function followWidget(node, name, listener) {
  const widget = widgetOf(node, name);
  if (!widget) return;
  const original = widget.callback;
  widget.callback = (...given) => {
    const result = original?.apply(widget, given);
    listener();
    return result;
  };
}

/** Number of an input of that name, -1 without one. @param {ComfyNode} node @param {string} name */
export function inputSlot(node, name) {
  return node.inputs?.findIndex((input) => input.name === name) ?? -1;
}

/**
 * The id of the link into an input, or into a widget that was turned into one.
 * @param {ComfyNode} node @param {string} name
 * @returns {NodeId | null}
 */
export function linkInto(node, name) {
  const input = node.inputs?.find((one) => one.name === name || one.widget?.name === name);
  return input?.link ?? null;
}

/** @param {ComfyNode} node @param {string} name */
export function isConnected(node, name) {
  return linkInto(node, name) !== null;
}
