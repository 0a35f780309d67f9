/** A slider with a label and its value. */

import { element } from "../shared/dom.js";

/**
 * @typedef {object} Settings
 * @property {string} name the label
 * @property {number} min
 * @property {number} max
 * @property {number} step
 * @property {string} unit
 * @property {(value: number) => void} oninput called while the slider moves
 * @property {() => void} [onchange] called when it is released
 */

export class Slider {
  /** @param {Settings} settings */
  constructor({ name, min, max, step, unit, oninput, onchange }) {
    const id = `slider-${name.toLowerCase().replaceAll(" ", "-")}`;
    this.unit = unit;
    this.output = element("output", { for: id });
    this.input = element("input", { type: "range", id, min, max, step, value: 0 });
    this.input.addEventListener("input", () => {
      this.#showValue();
      oninput(Number(this.input.value));
    });
    if (onchange) this.input.addEventListener("change", onchange);
    const label = element("label", { for: id }, name);
    this.element = element("div", { className: "slider" }, label, this.input, this.output);
  }

  /** @param {number} value */
  set(value) {
    this.input.value = String(value);
    this.#showValue();
  }

  /** @param {boolean} isEnabled */
  enable(isEnabled) {
    this.input.disabled = !isEnabled;
  }

  #showValue() {
    const text = `${Math.round(Number(this.input.value) * 10) / 10}${this.unit}`;
    this.output.textContent = text;
    this.input.setAttribute("aria-valuetext", text);
  }
}

/** A titled group of controls. @param {string} title @param {...Node} children */
export function group(title, ...children) {
  return element("fieldset", {}, element("legend", {}, title), ...children);
}
