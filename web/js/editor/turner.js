/** Rotation of the selected face in three dimensions. No DOM. */

import { fit, rotatedFace } from "./face_model.js";
import { VIEWS } from "./presets.js";

/**
 * @typedef {import("./face_model.js").Face} Face
 * @typedef {import("./face_model.js").Fit} Fit
 * @typedef {import("./face_model.js").View} View
 */

/**
 * Keeps the fit of the selected face. A fit takes milliseconds: it is computed when the points have
 * changed by other means, not while a slider moves.
 */
export class Turner {
  /** The face that was fitted. @type {Face | undefined} */
  #face;
  /** @type {Fit | null} */
  #fit = null;

  /** @param {import("./model.js").PoseModel} model */
  constructor(model) {
    this.model = model;
  }

  /** The fit of the selected face; null without one. */
  get current() {
    const face = this.model.selected;
    if (face !== this.#face) {
      this.#face = face;
      this.#fit = face ? fit(face) : null;
    }
    return this.#fit;
  }

  /**
   * Turns the selected face.
   * @param {Partial<View>} change angles in degrees
   * @param {string | null} mergeKey as for `PoseModel.edit`
   */
  turn(change, mergeKey = null) {
    const fitted = this.current;
    if (!fitted) return;
    const view = { ...fitted.view, ...change };
    this.model.editSelected(() => {
      this.#face = rotatedFace(fitted, view);
      this.#fit = { ...fitted, view };
      return this.#face;
    }, mergeKey);
  }

  /** Replaces the face by the model in a preset view. @param {string} name */
  applyPreset(name) {
    const fitted = this.current;
    if (!fitted) return;
    const exact = { ...fitted, residual: fitted.residual.map(() => [0, 0]) };
    this.model.editSelected(() => rotatedFace(exact, VIEWS[name]));
  }
}
