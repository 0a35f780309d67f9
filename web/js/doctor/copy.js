/** Copying a text, also on pages without https, which browsers keep from the clipboard. */

import { element } from "../shared/dom.js";

/**
 * Puts a text on the clipboard. Returns whether it is there.
 * @param {string} text
 * @param {HTMLElement} parent an open dialog around the button that was pressed
 */
export async function copyText(text, parent) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = element("textarea", { value: text, readOnly: true, "aria-hidden": "true" });
    parent.append(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    return isCopied;
  }
}
