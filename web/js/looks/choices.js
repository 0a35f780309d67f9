/** Labels of choices in the front end's language; the values stay as they are. */

import { choices } from "../texts/texts.js";

/** @param {ComfyNode} node */
export function labelChoices(node) {
  for (const widget of node.widgets ?? []) {
    const { options } = widget;
    const values = options?.values;
    if (widget.type !== "combo" || !options || !Array.isArray(values)) continue;
    const labels = labelsFor(values);
    if (labels) options.getOptionLabel = (value) => labels[value ?? ""] ?? value ?? "";
  }
}

/**
 * The labels of a list of choices; null where a choice has none, as in a list of files.
 * @param {unknown[]} values
 */
export function labelsFor(values) {
  const labels = choices();
  return values.every((value) => Object.hasOwn(labels, String(value))) ? labels : null;
}
