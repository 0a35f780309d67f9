/** The canvas of the editor: shows the frame and turns what mouse, pen and keys do into edits. */

import { drawFaces } from "./drawing.js";
import { moved, ovalOf, reshaped, withPoint } from "./edits.js";
import { make } from "./elements.js";
import { handlesOf, HANDLE_REACH, isInside, drawOverlay } from "./overlay.js";
import { keysFor } from "./stage_keys.js";
import { texts } from "../texts/texts.js";

/** Room around the frame, for points that lie outside and for handles. */
const MARGIN = 44;
/** A frame with more pixels is drawn smaller, sizes in proportion. */
const MOST_PIXELS = 4096 * 4096;
const WHEEL_STEP = 1.03;

/** Shows a `PoseModel` and edits it. `element` goes into the page. */
export class Stage {
  /**
   * @param {import("./model.js").PoseModel} model
   * @param {{limbs: number, points: number}} style
   * @param {string} hintId id of the element that explains the keys
   */
  constructor(model, style, hintId) {
    this.model = model;
    this.style = style;
    this.reduction = Math.min(1, Math.sqrt(MOST_PIXELS / (model.frame.width * model.frame.height)));
    const size = ["width", "height"].map((side) =>
      Math.max(1, Math.round(model.frame[side] * this.reduction)),
    );
    this.picture = make("canvas", { width: size[0], height: size[1], className: "picture" });
    this.photo = make("img", { className: "photo", alt: "", hidden: true, draggable: false });
    this.overlay = make("canvas", {
      className: "overlay",
      tabIndex: 0,
      role: "application",
      "aria-roledescription": texts().editor.canvas,
      "aria-describedby": hintId,
    });
    this.paper = make("div", { className: "paper" }, this.photo, this.picture);
    this.element = make("div", { className: "stage" }, this.paper, this.overlay);
    this.view = { stage: { width: 1, height: 1 }, scale: 1, toScreen: (point) => point };
    this.waiting = 0;
    this.gesture = null;
    model.listen(() => this.refresh());
    this.listen();
  }

  listen() {
    const on = (kind, act, options) => this.overlay.addEventListener(kind, act, options);
    on("pointerdown", (event) => this.grab(event));
    on("pointermove", (event) => this.drag(event));
    for (const end of ["pointerup", "pointercancel"]) on(end, () => this.release());
    on("wheel", (event) => this.turnWheel(event), { passive: false });
    on("keydown", keysFor(this.model));
    this.observer = new ResizeObserver(() => this.layOut());
    this.observer.observe(this.element);
  }

  /** Stops what would go on behind the page. */
  close() {
    this.observer.disconnect();
    cancelAnimationFrame(this.waiting);
  }

  /** Fits the frame into the element, margins left free. */
  layOut() {
    const { clientWidth: width, clientHeight: height } = this.element;
    const { frame } = this.model;
    const scale = Math.max(
      0.01,
      Math.min((width - 2 * MARGIN) / frame.width, (height - 2 * MARGIN) / frame.height),
    );
    const left = (width - frame.width * scale) / 2;
    const top = (height - frame.height * scale) / 2;
    Object.assign(this.paper.style, {
      left: `${left}px`,
      top: `${top}px`,
      width: `${frame.width * scale}px`,
      height: `${frame.height * scale}px`,
    });
    this.view = {
      stage: { width, height },
      scale,
      toScreen: ([x, y]) => [left + x * scale, top + y * scale],
      toFrame: ([x, y]) => [(x - left) / scale, (y - top) / scale],
    };
    const ratio = window.devicePixelRatio || 1;
    this.overlay.width = Math.max(1, Math.round(width * ratio));
    this.overlay.height = Math.max(1, Math.round(height * ratio));
    this.refresh();
  }

  /** Draws once before the next frame of the screen, however often it is called. */
  refresh() {
    this.waiting ||= requestAnimationFrame(() => {
      this.waiting = 0;
      this.draw();
    });
  }

  draw() {
    const faces = this.model.drawn.map((face) =>
      face.map((point) => point.map((value) => value * this.reduction)),
    );
    const paper = this.picture.getContext("2d");
    paper.clearRect(0, 0, this.picture.width, this.picture.height);
    drawFaces(paper, faces, this.style, this.reduction);
    const context = this.overlay.getContext("2d");
    const ratio = window.devicePixelRatio || 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawOverlay(context, this.model, this.view, this.theme());
  }

  theme() {
    const style = getComputedStyle(this.element);
    const colour = (name) => style.getPropertyValue(name).trim();
    return {
      accent: colour("--accent"),
      faint: colour("--faint"),
      surface: colour("--surface"),
      text: colour("--text"),
    };
  }

  at(event) {
    const frame = this.overlay.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  }

  grab(event) {
    if (event.button !== 0) return;
    this.overlay.focus();
    const at = this.at(event);
    const held = this.heldAt(at);
    if (!held) return;
    this.overlay.setPointerCapture(event.pointerId);
    this.model.choose(held.face, held.point ?? null);
    const face = this.model.chosen;
    this.gesture = { ...held, start: at, from: face, handles: handlesOf(face, this.view) };
    this.element.classList.add("dragging");
  }

  /** What lies under a place of the screen, nearest first: points, handles, faces. */
  heldAt(at) {
    const { model, view } = this;
    const near = (point, reach) => Math.hypot(point[0] - at[0], point[1] - at[1]) <= reach;
    const order = [model.face, ...model.faces.keys()].filter((face) => face >= 0);
    for (const face of order) {
      // Less of a small face belongs to its points, so that there is a place to move it by.
      const room = 0.3 * ovalOf(model.faces[face]).halfWidth * view.scale;
      const reach = Math.max(4, Math.min(room, Math.max(HANDLE_REACH, 10 * view.scale)));
      const distances = model.faces[face].map((point) => {
        const [x, y] = view.toScreen(point);
        return Math.hypot(x - at[0], y - at[1]);
      });
      const nearest = Math.min(...distances);
      if (nearest <= reach) return { kind: "point", face, point: distances.indexOf(nearest) };
    }
    if (model.chosen) {
      const handles = handlesOf(model.chosen, view);
      if (near(handles.rotate, HANDLE_REACH)) return { kind: "rotate", face: model.face };
      if (handles.scale.some((corner) => near(corner, HANDLE_REACH))) {
        return { kind: "scale", face: model.face };
      }
    }
    const face = order.find((i) => isInside(handlesOf(model.faces[i], view), at));
    return face === undefined ? null : { kind: "face", face };
  }

  drag(event) {
    const at = this.at(event);
    if (!this.gesture) {
      this.overlay.dataset.over = this.heldAt(at)?.kind ?? "";
      return;
    }
    this.model.editChosen(() => this.draggedTo(at, event), "drag");
  }

  /** The face of the gesture with the pointer at a place of the screen. */
  draggedTo(at, { shiftKey }) {
    const { kind, start, from, point, handles } = this.gesture;
    let [x, y] = [0, 1].map((i) => (at[i] - start[i]) / this.view.scale);
    if (kind === "point" || kind === "face") {
      if (shiftKey) [x, y] = Math.abs(x) > Math.abs(y) ? [x, 0] : [0, y];
      if (kind === "face") return moved(from, x, y);
      return withPoint(from, point, [from[point][0] + x, from[point][1] + y]);
    }
    const [now, then] = [at, start].map((place) => place.map((v, i) => v - handles.centre[i]));
    if (kind === "scale") return reshaped(from, Math.hypot(...now) / Math.hypot(...then), 0);
    const turn = Math.atan2(now[1], now[0]) - Math.atan2(then[1], then[0]);
    const degrees = (turn * 180) / Math.PI;
    return reshaped(from, 1, shiftKey ? Math.round(degrees / 15) * 15 : degrees);
  }

  release() {
    this.gesture = null;
    this.element.classList.remove("dragging");
    this.model.settle();
    this.model.tell();
  }

  turnWheel(event) {
    event.preventDefault();
    // A swipe to the side, or the wheel with Shift, turns nothing up or down.
    if (event.deltaY === 0) return;
    const down = event.deltaY > 0;
    const change = event.altKey
      ? (face) => reshaped(face, 1, down ? 2 : -2)
      : (face) => reshaped(face, down ? 1 / WHEEL_STEP : WHEEL_STEP, 0);
    this.model.editChosen(change, event.altKey ? "wheel turn" : "wheel size");
  }
}
