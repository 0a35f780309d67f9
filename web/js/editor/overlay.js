/** The drawing over the faces: frame, outlines, handles and numbers. */

import { COLOURS } from "./drawing.js";
import { ovalOf } from "./edits.js";
import { radians, rotate } from "./face_model.js";
import { drawHead, headOf } from "./head.js";

/**
 * @typedef {import("./face_model.js").Face} Face
 * @typedef {{width: number, height: number, scale: number,
 *   toScreen: (point: number[]) => number[]}} Viewport the stage in CSS pixels; scale: CSS pixels per
 *   pixel of the frame
 * @typedef {{accent: string, faint: string, surface: string, text: string}} Theme colours
 * @typedef {{centre: number[], halfWidth: number, halfHeight: number, angle: number, top: number[],
 *   rotate: number[], scale: number[][]}} Handles positions in CSS pixels, angle in degrees
 */

export const HANDLE_REACH = 12;
const KNOB_DISTANCE = 26;
const SMALLEST_HALF_WIDTH = 16;
const SMALLEST_HALF_HEIGHT = 20;
const CORNERS = [
  [-1, -1],
  [1, -1],
  [1, 1],
  [-1, 1],
];
const THIRDS = [1 / 3, 2 / 3];

/** @param {Face} face pixels of the frame @param {Viewport} viewport @returns {Handles} */
export function handlesOf(face, { scale, toScreen }) {
  const oval = ovalOf(face);
  const [x, y] = toScreen([oval.x, oval.y]);
  const halfWidth = Math.max(oval.halfWidth * scale, SMALLEST_HALF_WIDTH);
  const halfHeight = Math.max(oval.halfHeight * scale, SMALLEST_HALF_HEIGHT);
  const at = (/** @type {number} */ across, /** @type {number} */ down) => {
    const [dx, dy] = rotate([across, down], oval.angle);
    return [x + dx, y + dy];
  };
  return {
    centre: [x, y],
    halfWidth,
    halfHeight,
    angle: oval.angle,
    top: at(0, -halfHeight),
    rotate: at(0, -halfHeight - KNOB_DISTANCE),
    scale: CORNERS.map(([across, down]) => at(across * halfWidth, down * halfHeight)),
  };
}

/** Whether a position is in a face's outline. @param {Handles} handles @param {number[]} position */
export function isInside({ centre, angle, halfWidth, halfHeight }, [x, y]) {
  const [across, down] = rotate([x - centre[0], y - centre[1]], -angle);
  return Math.abs(across) <= halfWidth && Math.abs(down) <= halfHeight;
}

/**
 * Clears and draws the overlay.
 * @param {CanvasRenderingContext2D} context in CSS pixels
 * @param {import("./model.js").PoseModel} model
 * @param {Viewport} viewport @param {Theme} theme
 */
export function drawOverlay(context, model, viewport, theme) {
  context.clearRect(0, 0, viewport.width, viewport.height);
  drawFrame(context, model.frame, viewport, theme);
  model.faces.forEach((face, i) => {
    const isSelected = i === model.face;
    const pen = { colour: isSelected ? "#fff" : theme.faint, opacity: isSelected ? 0.6 : 0.4, width: 1.25 };
    drawHead(context, headOf(face), viewport.toScreen, pen);
    const handles = handlesOf(face, viewport);
    if (i !== model.face) drawOutline(context, handles, theme.faint, [3, 5]);
    if (model.faces.length > 1) drawNumber(context, handles, i + 1, theme);
  });
  if (!model.selected) return;
  const handles = handlesOf(model.selected, viewport);
  drawOutline(context, handles, theme.accent, []);
  drawKnobs(context, handles, theme);
  model.selected.forEach((point, i) => {
    const centre = viewport.toScreen(point);
    if (i !== model.point) {
      drawRing(context, centre, 8, "#fff", 1.5);
      return;
    }
    drawRing(context, centre, 11, theme.accent, 3);
    drawDisc(context, centre, 2.5, `rgb(${COLOURS[i].join()})`);
  });
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {import("./pose_text.js").Frame} frame
 * @param {Viewport} viewport @param {Theme} theme
 */
function drawFrame(context, frame, { toScreen }, theme) {
  const [x0, y0] = toScreen([0, 0]);
  const [x1, y1] = toScreen([frame.width, frame.height]);
  context.setLineDash([]);
  context.lineWidth = 1;
  context.strokeStyle = theme.faint;
  context.beginPath();
  for (const share of THIRDS) {
    const [x, y] = [x0 + (x1 - x0) * share, y0 + (y1 - y0) * share];
    context.moveTo(x, y0);
    context.lineTo(x, y1);
    context.moveTo(x0, y);
    context.lineTo(x1, y);
  }
  context.globalAlpha = 0.35;
  context.stroke();
  context.globalAlpha = 1;
  context.strokeRect(x0 - 0.5, y0 - 0.5, x1 - x0 + 1, y1 - y0 + 1);
}

/**
 * @param {CanvasRenderingContext2D} context @param {Handles} handles
 * @param {string} colour @param {number[]} dash
 */
function drawOutline(context, { centre, halfWidth, halfHeight, angle }, colour, dash) {
  context.save();
  context.translate(centre[0], centre[1]);
  context.rotate(radians(angle));
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.setLineDash(dash);
  context.beginPath();
  context.roundRect(-halfWidth, -halfHeight, 2 * halfWidth, 2 * halfHeight, 10);
  context.stroke();
  context.restore();
}

/** @param {CanvasRenderingContext2D} context @param {Handles} handles @param {Theme} theme */
function drawKnobs(context, handles, theme) {
  context.setLineDash([]);
  context.strokeStyle = theme.accent;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(handles.top[0], handles.top[1]);
  context.lineTo(handles.rotate[0], handles.rotate[1]);
  context.stroke();
  for (const corner of handles.scale) drawKnob(context, corner, 5, theme);
  drawKnob(context, handles.rotate, 7, theme);
}

/**
 * @param {CanvasRenderingContext2D} context @param {number[]} centre @param {number} radius
 * @param {Theme} theme
 */
function drawKnob(context, centre, radius, theme) {
  drawDisc(context, centre, radius, theme.surface);
  context.strokeStyle = theme.accent;
  context.lineWidth = 2;
  context.stroke();
}

/**
 * @param {CanvasRenderingContext2D} context @param {number[]} centre @param {number} radius
 * @param {string} colour
 */
function drawDisc(context, [x, y], radius, colour) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
}

/**
 * A ring with a dark edge, visible on any photo.
 * @param {CanvasRenderingContext2D} context @param {number[]} centre @param {number} radius
 * @param {string} colour @param {number} width
 */
function drawRing(context, [x, y], radius, colour, width) {
  context.setLineDash([]);
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.lineWidth = width + 1.5;
  context.strokeStyle = "#000a";
  context.stroke();
  context.lineWidth = width;
  context.strokeStyle = colour;
  context.stroke();
}

/**
 * @param {CanvasRenderingContext2D} context @param {Handles} handles @param {number} number
 * @param {Theme} theme
 */
function drawNumber(context, handles, number, theme) {
  const [x, y] = handles.scale[0].map((value) => value - 12);
  drawDisc(context, [x, y], 10, theme.surface);
  context.font = "600 12px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillStyle = theme.text;
  context.fillText(String(number), x, y + 0.5);
}
