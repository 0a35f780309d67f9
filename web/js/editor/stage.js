/** The canvas of the editor: shows the frame and edits it by mouse, pen, wheel and keys. */

import { element } from "../shared/dom.js";
import { texts } from "../texts/texts.js";
import { drawFaces } from "./drawing.js";
import { moved, ovalOf, reshaped, withPoint } from "./edits.js";
import { degrees, fitOf, rotatedFace } from "./face_model.js";
import { FrameMover } from "./frame_mover.js";
import { drawOverlay, HANDLE_REACH, handlesOf, isInside } from "./overlay.js";
import { keyHandler } from "./stage_keys.js";

/**
 * @typedef {import("./face_model.js").Face} Face
 * @typedef {import("./overlay.js").Handles} Handles
 * @typedef {import("./overlay.js").Viewport} Viewport
 * @typedef {{kind: "point", face: number, point: number}
 *   | {kind: "rotate" | "scale" | "face" | "turn", face: number}} Target what is under the pointer
 * @typedef {object} Drag
 * @property {Target} target
 * @property {number[]} start of the pointer
 * @property {number[]} [at] where the pointer is now
 * @property {Face} from the face at the start
 * @property {Handles} handles
 * @property {number} pointer
 */

/** Space around the frame for handles and for points outside it, in CSS pixels. */
const MARGIN = 44;
/** The same on small windows, as a share of the stage's shorter side. */
const MARGIN_SHARE = 0.06;
const SMALLEST_SCALE = 0.01;
/** A frame with more pixels is drawn at a reduced size. */
const MAX_PIXELS = 4096 * 4096;
const WHEEL_FACTOR = 1.03;
const WHEEL_DEGREES = 2;
const SNAP_DEGREES = 15;
/** Turn of the head per CSS pixel, and how far it turns by hand. */
const TURN_DEGREES = 0.4;
const MOST_YAW = 85;
const MOST_PITCH = 60;
const SMALLEST_REACH = 4;
/** Reach of a point in pixels of the frame, and at most this share of the face's half width. */
const POINT_REACH = 10;
const POINT_SHARE = 0.3;

/** Shows and edits a `PoseModel`. `element` goes into the page. */
export class Stage {
  /** @type {Viewport} */
  viewport = { width: 1, height: 1, scale: 1, toScreen: (point) => point };
  /** @type {Drag | null} */
  drag = null;
  /** Id of the requested animation frame, or 0. */
  pendingFrame = 0;

  /**
   * @param {import("./model.js").PoseModel} model
   * @param {import("./drawing.js").Style} style
   * @param {string} hintId id of the element that explains the keys
   */
  constructor(model, style, hintId) {
    this.model = model;
    this.style = style;
    const { width, height } = model.frame;
    this.reduction = Math.min(1, Math.sqrt(MAX_PIXELS / (width * height)));
    const size = {
      width: Math.max(1, Math.round(width * this.reduction)),
      height: Math.max(1, Math.round(height * this.reduction)),
    };
    this.picture = element("canvas", { ...size, className: "picture" });
    this.photo = element("img", { className: "photo", alt: "", hidden: true, draggable: false });
    this.overlay = element("canvas", {
      className: "overlay",
      tabIndex: 0,
      role: "application",
      "aria-roledescription": texts().editor.canvas,
      "aria-describedby": hintId,
    });
    this.paper = element("div", { className: "paper" }, this.photo, this.picture);
    this.mover = new FrameMover(this);
    const parts = [this.paper, this.overlay, this.mover.buttons];
    this.element = element("div", { className: "stage" }, ...parts);
    this.observer = new ResizeObserver(() => this.layOut());
    this.#listen();
  }

  get isDragging() {
    return this.drag !== null;
  }

  #listen() {
    const { overlay, model } = this;
    overlay.addEventListener("pointerdown", (event) => this.#startDrag(event));
    overlay.addEventListener("pointermove", (event) => this.#movePointer(event));
    overlay.addEventListener("pointerup", (event) => this.#endDrag(event));
    overlay.addEventListener("pointercancel", (event) => this.#endDrag(event));
    overlay.addEventListener("wheel", (event) => this.#turnWheel(event), { passive: false });
    overlay.addEventListener("keydown", keyHandler(model));
    model.listen(() => this.refresh());
    this.observer.observe(this.element);
  }

  /** Ends observers and pending frames. */
  close() {
    this.observer.disconnect();
    cancelAnimationFrame(this.pendingFrame);
  }

  /** Fits the frame into the element. */
  layOut() {
    const { clientWidth: width, clientHeight: height } = this.element;
    const { frame } = this.model;
    const margin = Math.min(MARGIN, MARGIN_SHARE * Math.min(width, height));
    const fit = Math.min((width - 2 * margin) / frame.width, (height - 2 * margin) / frame.height);
    const { scale, left, top } = this.mover.place(Math.max(SMALLEST_SCALE, fit), [width, height]);
    Object.assign(this.paper.style, {
      left: `${left}px`,
      top: `${top}px`,
      width: `${frame.width * scale}px`,
      height: `${frame.height * scale}px`,
    });
    this.viewport = {
      width,
      height,
      scale,
      toScreen: ([x, y]) => [left + x * scale, top + y * scale],
    };
    const ratio = window.devicePixelRatio || 1;
    this.overlay.width = Math.max(1, Math.round(width * ratio));
    this.overlay.height = Math.max(1, Math.round(height * ratio));
    this.refresh();
  }

  /** Draws before the next screen refresh, once however often it is called. */
  refresh() {
    this.pendingFrame ||= requestAnimationFrame(() => {
      this.pendingFrame = 0;
      this.#draw();
    });
  }

  #draw() {
    const faces = this.model.written.map((face) =>
      face.map((point) => point.map((value) => value * this.reduction)),
    );
    const picture = contextOf(this.picture);
    picture.clearRect(0, 0, this.picture.width, this.picture.height);
    drawFaces(picture, faces, this.style, this.reduction);
    const overlay = contextOf(this.overlay);
    const ratio = window.devicePixelRatio || 1;
    overlay.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawOverlay(overlay, this.model, this.viewport, this.#theme());
  }

  /** @returns {import("./overlay.js").Theme} */
  #theme() {
    const style = getComputedStyle(this.element);
    const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    return {
      accent: colour("--accent"),
      faint: colour("--faint"),
      surface: colour("--surface"),
      text: colour("--text"),
    };
  }

  /** The pointer's position on the stage, in CSS pixels. @param {MouseEvent} event */
  #position(event) {
    const { left, top } = this.overlay.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  /** @param {PointerEvent} event */
  #startDrag(event) {
    const start = this.#position(event);
    if (event.button > 1) return;
    this.overlay.focus();
    let target = this.mover.wants(event) ? null : this.#targetAt(start);
    if (target?.kind === "face" && event.altKey) target = { kind: "turn", face: target.face };
    this.overlay.setPointerCapture(event.pointerId);
    if (!target) {
      event.preventDefault(); // the middle button would scroll
      this.mover.start(event, start, this.drag);
      this.#endDrag();
      this.element.classList.add("dragging");
      return;
    }
    this.model.select(target.face, target.kind === "point" ? target.point : null);
    const from = this.model.faces[target.face];
    const handles = handlesOf(from, this.viewport);
    this.drag = { target, start, from, handles, pointer: event.pointerId };
    this.element.classList.add("dragging");
  }

  /**
   * What a position hits: points before handles before faces, the selected face first.
   * @param {number[]} position
   * @returns {Target | null}
   */
  #targetAt(position) {
    const { model, viewport } = this;
    const order = [model.face, ...model.faces.keys()].filter((face) => face >= 0);
    for (const face of order) {
      const point = this.#pointAt(model.faces[face], position);
      if (point !== null) return { kind: "point", face, point };
    }
    if (model.selected) {
      const handles = handlesOf(model.selected, viewport);
      const isNear = (/** @type {number[]} */ handle) => distance(handle, position) <= HANDLE_REACH;
      if (isNear(handles.rotate)) return { kind: "rotate", face: model.face };
      if (handles.scale.some(isNear)) return { kind: "scale", face: model.face };
    }
    const face = order.find((i) => isInside(handlesOf(model.faces[i], viewport), position));
    return face === undefined ? null : { kind: "face", face };
  }

  /**
   * The point of a face at a position, or null. The points of a small face have a smaller reach, which
   * leaves space to drag the face itself.
   * @param {Face} face @param {number[]} position
   */
  #pointAt(face, position) {
    const { scale, toScreen } = this.viewport;
    const limit = POINT_SHARE * ovalOf(face).halfWidth * scale;
    const wanted = Math.max(HANDLE_REACH, POINT_REACH * scale);
    const reach = Math.max(SMALLEST_REACH, Math.min(limit, wanted));
    const distances = face.map((point) => distance(toScreen(point), position));
    const nearest = Math.min(...distances);
    return nearest <= reach ? distances.indexOf(nearest) : null;
  }

  /** @param {PointerEvent} event */
  #movePointer(event) {
    const position = this.#position(event);
    const { drag } = this;
    if (this.mover.move(event, position)) return;
    if (!drag) {
      this.#showTarget(this.#targetAt(position));
      return;
    }
    drag.at = position;
    this.model.editSelected(
      () => dragged(drag, position, event.shiftKey, this.viewport.scale),
      "drag",
    );
  }

  /** Shape of the pointer, and the name of the point under it. @param {Target | null} target */
  #showTarget(target) {
    const { points } = texts().editor;
    this.overlay.dataset.over = target?.kind ?? "";
    this.overlay.title = target?.kind === "point" ? points[target.point] : "";
  }

  /** @param {PointerEvent} [event] */
  #endDrag(event) {
    if (event) this.mover.end(event);
    this.element.classList.toggle("dragging", this.mover.isMoving);
    if (!this.drag) return;
    this.drag = null;
    this.model.endSeries();
    this.model.notify();
  }

  /** @param {WheelEvent} event */
  #turnWheel(event) {
    event.preventDefault();
    // Sideways, as the wheel goes with Shift held.
    if (event.deltaY === 0) return;
    const isDown = event.deltaY > 0;
    // Pinching a touch pad comes as the wheel with Ctrl, too.
    if (event.ctrlKey || event.metaKey) {
      this.mover.zoomAt(this.#position(event), isDown);
      return;
    }
    const scale = isDown ? 1 / WHEEL_FACTOR : WHEEL_FACTOR;
    const angle = isDown ? WHEEL_DEGREES : -WHEEL_DEGREES;
    if (event.altKey) this.model.editSelected((face) => reshaped(face, 1, angle), "wheel rotates");
    else this.model.editSelected((face) => reshaped(face, scale, 0), "wheel resizes");
  }
}

/**
 * The face of a drag with the pointer at a position.
 * @param {Drag} drag @param {number[]} position
 * @param {boolean} isConstrained to one direction, or to steps of an angle
 * @param {number} scale CSS pixels per pixel of the frame
 */
export function dragged({ target, start, from, handles }, position, isConstrained, scale) {
  let [x, y] = [0, 1].map((i) => (position[i] - start[i]) / scale);
  if (isConstrained) [x, y] = Math.abs(x) > Math.abs(y) ? [x, 0] : [0, y];
  const [now, then] = [position, start].map((one) => one.map((v, i) => v - handles.centre[i]));
  switch (target.kind) {
    case "face":
      return moved(from, x, y);
    case "point": {
      const point = from[target.point];
      return withPoint(from, target.point, [point[0] + x, point[1] + y]);
    }
    case "turn":
      return turned(from, position[0] - start[0], position[1] - start[1]);
    case "scale":
      return reshaped(from, Math.hypot(...now) / Math.hypot(...then), 0);
    default:
      return reshaped(from, 1, angleBetween(then, now, isConstrained));
  }
}

/**
 * A face as if the head were turned by hand.
 * @param {Face} from @param {number} across @param {number} down CSS pixels of the pointer's way
 */
function turned(from, across, down) {
  const fitted = fitOf(from);
  const { yaw, pitch, roll } = fitted.view;
  return rotatedFace(fitted, {
    yaw: within(yaw + across * TURN_DEGREES, MOST_YAW),
    pitch: within(pitch - down * TURN_DEGREES, MOST_PITCH),
    roll,
  });
}

/** @param {number} angle @param {number} most */
function within(angle, most) {
  return Math.max(-most, Math.min(most, angle));
}

/**
 * @param {number[]} from @param {number[]} to vectors
 * @param {boolean} isSnapped to whole steps
 * @returns {number} degrees, clockwise on screen
 */
function angleBetween(from, to, isSnapped) {
  const angle = degrees(Math.atan2(to[1], to[0]) - Math.atan2(from[1], from[0]));
  return isSnapped ? Math.round(angle / SNAP_DEGREES) * SNAP_DEGREES : angle;
}

/** @param {number[]} a @param {number[]} b */
function distance(a, b) {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

/** @param {HTMLCanvasElement} canvas */
export function contextOf(canvas) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}
