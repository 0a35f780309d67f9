/** The part of the frame that the stage shows. No DOM. */

export const MOST = 8;
/** CSS pixels of the frame that stay in view however far it is moved. */
const KEPT = 40;

/** Positions are in CSS pixels from the middle of the stage. */
export class Zoom {
  /** 1 shows the whole frame. */
  factor = 1;
  /** The middle of the frame. */
  middle = [0, 0];

  /** Whether the whole frame is shown, where it belongs. */
  get isWhole() {
    return this.factor === 1 && this.middle.every((value) => value === 0);
  }

  /** Enlarges about a position, which stays where it is. @param {number[]} position @param {number} by */
  at(position, by) {
    const factor = Math.min(MOST, Math.max(1, this.factor * by));
    const ratio = factor / this.factor;
    this.middle = this.middle.map((value, i) => position[i] - (position[i] - value) * ratio);
    this.factor = factor;
    if (factor === 1 && by < 1) this.reset();
  }

  /** Moves the frame. @param {number[]} way */
  move(way) {
    this.middle = this.middle.map((value, i) => value + way[i]);
  }

  /** Shows the whole frame. */
  reset() {
    this.factor = 1;
    this.middle = [0, 0];
  }

  /** Keeps a part of the frame on the stage. @param {number[]} stage @param {number[]} frame sizes */
  keepInside(stage, frame) {
    this.middle = this.middle.map((value, i) => {
      const most = Math.max(0, (stage[i] + frame[i]) / 2 - KEPT);
      return Math.min(most, Math.max(-most, value));
    });
  }
}

/**
 * Two fingers on the stage.
 * @param {number[][]} before @param {number[][]} after positions of both
 * @returns {{by: number, middle: number[], way: number[]}} enlargement, about where, and movement
 */
export function pinch(before, after) {
  const span = (/** @type {number[][]} */ [a, b]) => Math.hypot(a[0] - b[0], a[1] - b[1]);
  const middle = (/** @type {number[][]} */ [a, b]) => a.map((value, i) => (value + b[i]) / 2);
  const [from, to] = [middle(before), middle(after)];
  const by = span(before) > 0 ? span(after) / span(before) : 1;
  return { by, middle: to, way: to.map((value, i) => value - from[i]) };
}
