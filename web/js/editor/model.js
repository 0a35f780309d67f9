/** The state of the editor: faces, the selected one, and the undo history. No DOM. */

import { centred, project } from "./face_model.js";
import { asWritten, writePose } from "./pose_text.js";
import { VIEWS } from "./presets.js";

/** @typedef {import("./face_model.js").Face} Face */

const LONGEST_HISTORY = 200;
/** Height of an added face as a share of the frame's shorter side. */
const ADDED_SIZE = 0.4;
/** Where an added face may go, as fractions of the frame; the first are preferred. */
const ADDED_X = [0.5, 0.25, 0.75, 0.125, 0.875];
const ADDED_Y = [0.4, 0.25, 0.7];

/** Faces in a frame. Every change goes through `edit` and can be undone; listeners are notified. */
export class PoseModel {
  /** @type {Snapshot[]} */
  past = [];
  /** @type {Snapshot[]} */
  future = [];
  /** @type {string | null} */
  mergeKey = null;
  /** @type {Set<() => void>} */
  listeners = new Set();
  /** Index of the selected point, null for the whole face. @type {number | null} */
  point = null;

  /**
   * @typedef {{faces: Face[], face: number, point: number | null}} Snapshot
   * @param {import("./pose_text.js").Frame} frame
   * @param {Face[]} faces pixels
   */
  constructor(frame, faces) {
    this.frame = frame;
    this.faces = faces;
    /** Index of the selected face, -1 without faces. */
    this.face = faces.length ? 0 : -1;
  }

  /** The selected face. @returns {Face | undefined} */
  get selected() {
    return this.faces[this.face];
  }

  /** The text for the widget. */
  get text() {
    return writePose(this.faces, this.frame);
  }

  /** Faces as the server will draw them. */
  get written() {
    return asWritten(this.faces, this.frame);
  }

  get canUndo() {
    return this.past.length > 0;
  }

  get canRedo() {
    return this.future.length > 0;
  }

  /** Calls a listener after every change. @param {() => void} listener */
  listen(listener) {
    this.listeners.add(listener);
  }

  /**
   * Replaces the faces.
   * @param {Face[]} faces
   * @param {string | null} mergeKey consecutive edits with the same key are undone together
   */
  edit(faces, mergeKey = null) {
    if (mergeKey === null || mergeKey !== this.mergeKey) {
      this.past.push(this.#snapshot());
      this.past.splice(0, this.past.length - LONGEST_HISTORY);
    }
    this.mergeKey = mergeKey;
    this.future = [];
    this.faces = faces;
    this.face = Math.min(this.face, faces.length - 1);
    if (this.face < 0 && faces.length) this.face = 0;
    this.notify();
  }

  /**
   * Changes the selected face.
   * @param {(face: Face) => Face} change
   * @param {string | null} mergeKey as for `edit`
   */
  editSelected(change, mergeKey = null) {
    if (!this.selected) return;
    const faces = this.faces.map((face, i) => (i === this.face ? change(face) : face));
    this.edit(faces, mergeKey);
  }

  /** Ends a series of edits that are undone together. */
  endSeries() {
    this.mergeKey = null;
  }

  undo() {
    this.#restore(this.past, this.future);
  }

  redo() {
    this.#restore(this.future, this.past);
  }

  /** @param {number} face index; out of range, the nearest @param {number | null} point */
  select(face, point = null) {
    this.face = Math.max(-1, Math.min(face, this.faces.length - 1));
    this.point = this.face < 0 ? null : point;
    this.endSeries();
    this.notify();
  }

  /** Selects the face so many places on, wrapping around. @param {number} steps */
  selectNext(steps) {
    const count = this.faces.length;
    if (count) this.select((this.face + steps + count) % count);
  }

  /** Adds a frontal face as far from the others as possible, and selects it. */
  addFace() {
    const { width, height } = this.frame;
    const size = (ADDED_SIZE * Math.min(width, height)) / (1 + this.faces.length / 4);
    const [x, y] = this.#farthestPlace();
    this.edit([...this.faces, project(VIEWS.front, { size, x, y: y - size * 0.1 })]);
    this.select(this.faces.length - 1);
  }

  /** Removes the selected face. */
  removeSelected() {
    if (!this.selected) return;
    this.point = null;
    this.edit(this.faces.filter((_, i) => i !== this.face));
  }

  /** Tells the listeners of a change. */
  notify() {
    for (const listener of this.listeners) listener();
  }

  #farthestPlace() {
    const { width, height } = this.frame;
    const centres = this.faces.map((face) => centred(face).mean);
    const distance = (/** @type {number[]} */ [x, y]) =>
      Math.min(Infinity, ...centres.map((centre) => Math.hypot(centre[0] - x, centre[1] - y)));
    const places = ADDED_X.flatMap((x) => ADDED_Y.map((y) => [x * width, y * height]));
    return places.reduce((a, b) => (distance(b) > distance(a) + 1e-9 ? b : a));
  }

  #snapshot() {
    return { faces: this.faces, face: this.face, point: this.point };
  }

  /** @param {Snapshot[]} from @param {Snapshot[]} to */
  #restore(from, to) {
    const snapshot = from.pop();
    if (!snapshot) return;
    to.push(this.#snapshot());
    Object.assign(this, snapshot);
    this.endSeries();
    this.notify();
  }
}
