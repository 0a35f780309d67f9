/** Small helpers for the DOM. Texts become text nodes: no data is ever read as markup. */

const STYLE_ID = "instantid-picker-style";

/**
 * Makes an element.
 * @param {string} tag
 * @param {Record<string, unknown>} [properties] `class`, `on...` listeners, `aria-...` and other
 *   attributes; null, undefined and false leave one out
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false)
      made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children);
  return made;
}

/** Loads the style sheet of picker and panel, once per page. */
export function loadStyle() {
  if (document.getElementById(STYLE_ID)) return;
  const href = new URL("./picker.css", import.meta.url).href;
  document.head.append(element("link", { id: STYLE_ID, rel: "stylesheet", href }));
}
