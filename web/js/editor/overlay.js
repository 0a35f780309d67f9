/** What lies over the drawn faces: the frame, the chosen face's outline and its handles. */

import { ovalOf } from "./edits.js";
import { spin } from "./face_model.js";
import { COLOURS } from "./drawing.js";

export const HANDLE_REACH = 12;
const KNOB_DISTANCE = 26;

/**
 * Where the handles of a face are, on the screen.
 * @param {number[][]} face pixels of the frame
 * @param {{toScreen: (point: number[]) => number[], scale: number}} view
 */
export function handlesOf(face, view) {
  const oval = ovalOf(face);
  const [x, y] = view.toScreen([oval.x, oval.y]);
  const halfWidth = Math.max(oval.halfWidth * view.scale, 16);
  const halfHeight = Math.max(oval.halfHeight * view.scale, 20);
  const at = (across, down) => {
    const [dx, dy] = spin([across, down], oval.angle);
    return [x + dx, y + dy];
  };
  return {
    centre: [x, y],
    halfWidth,
    halfHeight,
    angle: oval.angle,
    top: at(0, -halfHeight),
    rotate: at(0, -halfHeight - KNOB_DISTANCE),
    scale: [
      [-1, -1],
      [1, -1],
      [1, 1],
      [-1, 1],
    ].map(([a, b]) => at(a * halfWidth, b * halfHeight)),
  };
}

/** Whether a place on the screen lies in a face's outline. */
export function isInside(handles, [x, y]) {
  const [across, down] = spin([x - handles.centre[0], y - handles.centre[1]], -handles.angle);
  return Math.abs(across) <= handles.halfWidth && Math.abs(down) <= handles.halfHeight;
}

/**
 * Draws it all anew.
 * @param {CanvasRenderingContext2D} context in CSS pixels
 * @param {import("./model.js").PoseModel} model
 * @param {object} view of the stage
 * @param {Record<string, string>} theme colours
 */
export function drawOverlay(context, model, view, theme) {
  const { width, height } = view.stage;
  context.clearRect(0, 0, width, height);
  drawFrame(context, model.frame, view, theme);
  model.faces.forEach((face, i) => {
    if (i !== model.face) drawOutline(context, handlesOf(face, view), theme.faint, [3, 5]);
    if (model.faces.length > 1) drawNumber(context, handlesOf(face, view), i + 1, theme);
  });
  if (!model.chosen) return;
  const handles = handlesOf(model.chosen, view);
  drawOutline(context, handles, theme.accent, []);
  drawKnobs(context, handles, theme);
  model.chosen.forEach((point, i) => {
    const isChosen = i === model.point;
    const [x, y] = view.toScreen(point);
    ring(context, x, y, isChosen ? 11 : 8, isChosen ? theme.accent : "#fff", isChosen ? 3 : 1.5);
    if (isChosen) label(context, x, y, COLOURS[i]);
  });
}

function drawFrame(context, frame, view, theme) {
  const [x0, y0] = view.toScreen([0, 0]);
  const [x1, y1] = view.toScreen([frame.width, frame.height]);
  context.setLineDash([]);
  context.lineWidth = 1;
  context.strokeStyle = theme.faint;
  context.beginPath();
  for (const way of [1 / 3, 2 / 3]) {
    const [x, y] = [x0 + (x1 - x0) * way, y0 + (y1 - y0) * way];
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

function drawOutline(context, { centre, halfWidth, halfHeight, angle }, colour, dash) {
  context.save();
  context.translate(...centre);
  context.rotate((angle * Math.PI) / 180);
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.setLineDash(dash);
  context.beginPath();
  context.roundRect(-halfWidth, -halfHeight, 2 * halfWidth, 2 * halfHeight, 10);
  context.stroke();
  context.restore();
}

function drawKnobs(context, handles, theme) {
  context.setLineDash([]);
  context.strokeStyle = theme.accent;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(...handles.top);
  context.lineTo(...handles.rotate);
  context.stroke();
  for (const [x, y] of handles.scale) knob(context, x, y, 5, theme);
  knob(context, ...handles.rotate, 7, theme);
}

function knob(context, x, y, radius, theme) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = theme.surface;
  context.fill();
  context.strokeStyle = theme.accent;
  context.lineWidth = 2;
  context.stroke();
}

function ring(context, x, y, radius, colour, width) {
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

function label(context, x, y, colour) {
  context.fillStyle = `rgb(${colour.join()})`;
  context.beginPath();
  context.arc(x, y, 2.5, 0, 2 * Math.PI);
  context.fill();
}

function drawNumber(context, handles, number, theme) {
  const [x, y] = handles.scale[0];
  context.font = "600 12px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.beginPath();
  context.arc(x - 12, y - 12, 10, 0, 2 * Math.PI);
  context.fillStyle = theme.surface;
  context.fill();
  context.fillStyle = theme.text;
  context.fillText(String(number), x - 12, y - 11.5);
}
