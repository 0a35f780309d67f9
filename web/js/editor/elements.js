/** Small makers of HTML elements. Text goes in as text, never as markup. */

/**
 * An element with properties, attributes and children.
 * @param {string} tag
 * @param {Record<string, unknown>} given properties; `aria-...`, `role`, `for` and `data-...` become
 *   attributes, `on...` listeners
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function make(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (/^(aria-|data-|role$|for$)/.test(name)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** A button with a text. @param {string} text @param {() => void} act */
export function button(text, act, given = {}) {
  return make("button", { type: "button", textContent: text, onclick: act, ...given });
}

/** A titled group of controls. @param {string} title @param {...Node} children */
export function group(title, ...children) {
  return make("fieldset", {}, make("legend", { textContent: title }), ...children);
}

/**
 * A slider with its name and its value.
 * @param {{name: string, min: number, max: number, step: number, unit: string,
 *   input: (value: number) => void, change?: () => void}} settings
 * @returns {{row: HTMLElement, set: (value: number) => void, enable: (on: boolean) => void}}
 */
export function slider({ name, min, max, step, unit, input, change }) {
  const id = `slider-${name.toLowerCase().replaceAll(" ", "-")}`;
  const shown = make("output", { "for": id });
  const range = make("input", { type: "range", id, min, max, step, value: 0 });
  const show = () => {
    const text = `${Math.round(Number(range.value) * 10) / 10}${unit}`;
    shown.textContent = text;
    range.setAttribute("aria-valuetext", text);
  };
  range.addEventListener("input", () => {
    show();
    input(Number(range.value));
  });
  if (change) range.addEventListener("change", change);
  const label = make("label", { "for": id, textContent: name });
  return {
    row: make("div", { className: "slider" }, label, range, shown),
    set: (value) => {
      range.value = String(value);
      show();
    },
    enable: (on) => {
      range.disabled = !on;
    },
  };
}
