/** HTML elements and style sheets. Text becomes text nodes: no data is ever read as markup. */

/**
 * @typedef {Record<string, unknown> & {
 *   onclick?: (event: MouseEvent) => void,
 *   onchange?: (event: Event) => void,
 *   oninput?: (event: Event) => void,
 *   onkeydown?: (event: KeyboardEvent) => void,
 * }} Properties
 */

const ATTRIBUTE = /^(aria-|data-|role$|for$)/;

/**
 * An element with properties and children.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties} [properties] DOM properties by name; `aria-...`, `data-...`, `role` and `for`
 *   become attributes, `on...` become listeners
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") listen(made, name.slice("on".length), value);
    else if (ATTRIBUTE.test(name)) made.setAttribute(name, String(value));
    else Reflect.set(made, name, value);
  }
  made.append(...children);
  return made;
}

/** @param {HTMLElement} target @param {string} kind @param {Function} listener */
function listen(target, kind, listener) {
  target.addEventListener(kind, (event) => listener(event));
}

/**
 * A button with a text.
 * @param {string} text
 * @param {(event: MouseEvent) => void} onclick
 * @param {Properties} [properties]
 */
export function button(text, onclick, properties = {}) {
  return element("button", { type: "button", onclick, ...properties }, text);
}

/** Keeps keys pressed in an element from the graph behind it. @param {HTMLElement} target */
export function keepKeys(target) {
  target.addEventListener("keydown", (event) => event.stopPropagation());
}

/**
 * Loads a style sheet, once for each document or shadow root.
 * @param {string} name path below `web/js`
 * @param {ParentNode} [parent]
 */
export async function loadStyle(name, parent = document.head) {
  const { href } = new URL(`../${name}`, import.meta.url);
  if ([...parent.querySelectorAll("link")].some((link) => link.href === href)) return;
  await new Promise((resolve) => {
    parent.append(element("link", { rel: "stylesheet", href, onload: resolve, onerror: resolve }));
  });
}
