/** Enlarges and moves the frame on the stage: by buttons, by wheel, by mouse and by two fingers. */

import { button, element } from "../shared/dom.js";
import { texts } from "../texts/texts.js";
import { pinch, Zoom } from "./zoom.js";

const STEP = 1.5;
const WHEEL_STEP = 1.15;
const MIDDLE_BUTTON = 1;

export class FrameMover {
  zoom = new Zoom();
  /** Where the fingers and mouse buttons are that move the frame. @type {Map<number, number[]>} */
  #pointers = new Map();

  /** @param {import("./stage.js").Stage} stage */
  constructor(stage) {
    const t = texts().editor;
    this.stage = stage;
    this.whole = button(t.zoomFit, () => this.#change(() => this.zoom.reset()), {
      title: t.zoomHint,
    });
    const step = (/** @type {number} */ by) => this.#change(() => this.zoom.at([0, 0], by));
    this.buttons = element(
      "div",
      { className: "zoom", role: "group", "aria-label": t.zoom },
      button("\u2212", () => step(1 / STEP), { "aria-label": t.zoomOut }),
      this.whole,
      button("+", () => step(STEP), { "aria-label": t.zoomIn }),
    );
  }

  get isMoving() {
    return this.#pointers.size > 0;
  }

  /**
   * The place of the frame on a stage.
   * @param {number} fit scale at which the whole frame is shown @param {number[]} stage size
   */
  place(fit, stage) {
    const { frame } = this.stage.model;
    const scale = fit * this.zoom.factor;
    const size = [frame.width * scale, frame.height * scale];
    this.zoom.keepInside(stage, size);
    this.whole.disabled = this.zoom.isWhole;
    const [left, top] = stage.map((side, i) => (side - size[i]) / 2 + this.zoom.middle[i]);
    return { scale, left, top };
  }

  /** Whether a pointer moves the frame, whatever is under it. @param {PointerEvent} event */
  wants({ button: pressed, pointerType, isPrimary }) {
    return pressed === MIDDLE_BUTTON || (pointerType === "touch" && !isPrimary);
  }

  /**
   * A pointer begins to move the frame; a drag by the other finger ends.
   * @param {PointerEvent} event @param {number[]} position
   * @param {import("./stage.js").Drag | null} drag
   */
  start(event, position, drag) {
    if (drag) this.#pointers.set(drag.pointer, drag.at ?? drag.start);
    this.#pointers.set(event.pointerId, position);
  }

  /** @param {PointerEvent} event @param {number[]} position @returns {boolean} whether it moves the frame */
  move(event, position) {
    if (!this.#pointers.has(event.pointerId)) return false;
    const before = [...this.#pointers.values()];
    this.#pointers.set(event.pointerId, position);
    const after = [...this.#pointers.values()];
    // One finger or the mouse is a pinch of a single point.
    const { by, middle, way } = pinch([before[0], before.at(-1) ?? []], [after[0], after.at(-1) ?? []]);
    this.#change(() => {
      this.zoom.move(way);
      this.zoom.at(this.#fromMiddle(middle), by);
    });
    return true;
  }

  /** @param {PointerEvent} event */
  end(event) {
    this.#pointers.delete(event.pointerId);
  }

  /** @param {number[]} position @param {boolean} isOut */
  zoomAt(position, isOut) {
    this.#change(() =>
      this.zoom.at(this.#fromMiddle(position), isOut ? 1 / WHEEL_STEP : WHEEL_STEP),
    );
  }

  /** @param {() => void} change */
  #change(change) {
    change();
    this.stage.layOut();
  }

  /** @param {number[]} position */
  #fromMiddle([x, y]) {
    const { width, height } = this.stage.viewport;
    return [x - width / 2, y - height / 2];
  }
}
