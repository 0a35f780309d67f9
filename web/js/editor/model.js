/** The state of the editor: faces, which of them is chosen, and the way back. No DOM. */

import { centred, project } from "./face_model.js";
import { asKept, writePose } from "./pose_text.js";
import { VIEWS } from "./presets.js";

const LONGEST_HISTORY = 200;
/** Height of an added face, of the frame's shorter side. */
const ADDED_SIZE = 0.4;

/**
 * Faces on a frame. Every change goes through `edit`, so that it can be undone; listeners hear of it.
 *
 * `face` is the index of the chosen face, -1 when there is none; `point` is the chosen one of its
 * points, or null for all of it.
 */
export class PoseModel {
  /** @param {import("./pose_text.js").Frame} frame @param {number[][][]} faces pixels */
  constructor(frame, faces) {
    this.frame = frame;
    this.faces = faces;
    this.face = faces.length ? 0 : -1;
    this.point = null;
    this.past = [];
    this.future = [];
    this.mergeKey = null;
    this.listeners = new Set();
  }

  /** The chosen face's points, or undefined. */
  get chosen() {
    return this.faces[this.face];
  }

  /** The widget's text. */
  get text() {
    return writePose(this.faces, this.frame);
  }

  /** Faces as the server will draw them. */
  get drawn() {
    return asKept(this.faces, this.frame);
  }

  get canUndo() {
    return this.past.length > 0;
  }

  get canRedo() {
    return this.future.length > 0;
  }

  /** Calls `listener` after every change. @param {() => void} listener */
  listen(listener) {
    this.listeners.add(listener);
  }

  /**
   * Puts new faces in place of the old ones.
   * @param {number[][][]} faces
   * @param {string | null} mergeKey edits in a row with one key are undone together
   */
  edit(faces, mergeKey = null) {
    if (mergeKey === null || mergeKey !== this.mergeKey) {
      this.past.push(this.snapshot());
      this.past.splice(0, this.past.length - LONGEST_HISTORY);
    }
    this.mergeKey = mergeKey;
    this.future = [];
    this.faces = faces;
    this.face = Math.min(this.face, faces.length - 1);
    if (this.face < 0 && faces.length) this.face = 0;
    this.tell();
  }

  /** Changes the chosen face. @param {(face: number[][]) => number[][]} change */
  editChosen(change, mergeKey = null) {
    if (!this.chosen) return;
    const key = mergeKey && `${mergeKey} ${this.face} ${this.point}`;
    const faces = this.faces.map((face, i) => (i === this.face ? change(face) : face));
    this.edit(faces, key);
  }

  /** Ends a run of edits that are undone together. */
  settle() {
    this.mergeKey = null;
  }

  undo() {
    this.travel(this.past, this.future);
  }

  redo() {
    this.travel(this.future, this.past);
  }

  /** @param {number} face @param {number | null} point */
  choose(face, point = null) {
    this.face = Math.max(-1, Math.min(face, this.faces.length - 1));
    this.point = this.face < 0 ? null : point;
    this.settle();
    this.tell();
  }

  /** Chooses the face that many further on, from the last to the first. @param {number} steps */
  chooseNext(steps) {
    const count = this.faces.length;
    if (count) this.choose((this.face + steps + count) % count);
  }

  /** Adds a face that looks ahead, as far from the others as can be, and chooses it. */
  addFace() {
    const { width, height } = this.frame;
    const middles = this.faces.map((face) => centred(face).mean);
    const distance = ([x, y]) =>
      Math.min(Infinity, ...middles.map((m) => Math.hypot(m[0] - x, m[1] - y)));
    const places = [0.5, 0.25, 0.75, 0.125, 0.875].flatMap((x) =>
      [0.4, 0.25, 0.7].map((y) => [x * width, y * height]),
    );
    const [x, y] = places.reduce((a, b) => (distance(b) > distance(a) + 1e-9 ? b : a));
    const size = (ADDED_SIZE * Math.min(width, height)) / (1 + this.faces.length / 4);
    this.edit([...this.faces, project(VIEWS.front, { size, x, y: y - size * 0.1 })]);
    this.choose(this.faces.length - 1);
  }

  /** Removes the chosen face. */
  removeChosen() {
    if (!this.chosen) return;
    this.point = null;
    this.edit(this.faces.filter((_, i) => i !== this.face));
  }

  snapshot() {
    return { faces: this.faces, face: this.face, point: this.point };
  }

  travel(from, to) {
    if (!from.length) return;
    to.push(this.snapshot());
    Object.assign(this, from.pop());
    this.settle();
    this.tell();
  }

  tell() {
    for (const listener of this.listeners) listener();
  }
}
