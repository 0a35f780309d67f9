/** The controls for the photo behind the frame: a file, or the photo connected to the node. */

import { button, element } from "../shared/dom.js";
import { messageOf } from "../shared/server.js";
import { texts } from "../texts/texts.js";
import { readPose } from "./pose_text.js";
import { group, Slider } from "./slider.js";

/**
 * @typedef {import("./stage.js").Stage} Stage
 * @typedef {object} PhotoSource the photo connected to the node
 * @property {string | null} url null if it is unknown
 * @property {(() => Promise<string>) | null} findPose finds its pose, as text; null without a photo
 */

const FIRST_OPACITY = 60; // per cent

/**
 * @param {Stage} stage
 * @param {PhotoSource} source
 * @param {(sentence: string) => void} announce tells screen readers
 */
export function photoControls(stage, { url, findPose }, announce) {
  const t = texts().editor;
  const opacity = new Slider({
    name: t.photoOpacity,
    min: 0,
    max: 100,
    step: 5,
    unit: " %",
    oninput: (value) => setOpacity(stage.photo, value),
  });
  opacity.enable(false);
  const show = (/** @type {string} */ address) =>
    showPhoto(stage.photo, address, opacity, announce);
  const file = element("input", { type: "file", accept: "image/*", className: "hidden-file" });
  file.addEventListener("change", () => {
    const [chosen] = file.files ?? [];
    if (chosen) show(URL.createObjectURL(chosen));
  });
  const open = button(t.openPhoto, () => file.click());
  const connected = button(t.connectedPhoto, () => url && show(url), {
    disabled: !url,
    title: url ? "" : t.noConnectedPhoto,
  });
  const status = element("p", { className: "said", role: "status" });
  const start = button(t.startFromPoints, () => findPose && startFrom(findPose, stage, status), {
    disabled: !findPose,
    title: findPose ? "" : t.noConnectedFaces,
  });
  const row = element("div", { className: "row" }, open, connected, start, file);
  return group(t.photo, row, status, opacity.element);
}

/**
 * Replaces the faces by those of the photo.
 * @param {() => Promise<string>} findPose @param {Stage} stage @param {HTMLElement} status
 */
async function startFrom(findPose, { model }, status) {
  status.textContent = texts().editor.looking;
  try {
    model.edit(readPose(await findPose(), model.frame));
    status.textContent = texts().editor.started(model.faces.length);
  } catch (error) {
    status.textContent = messageOf(error);
  }
}

/**
 * @param {HTMLImageElement} photo @param {string} address
 * @param {Slider} opacity @param {(sentence: string) => void} announce
 */
function showPhoto(photo, address, opacity, announce) {
  photo.onload = () => {
    photo.hidden = false;
    opacity.enable(true);
    opacity.set(FIRST_OPACITY);
    setOpacity(photo, FIRST_OPACITY);
    announce(texts().editor.photoShown);
  };
  photo.onerror = () => {
    photo.hidden = true;
    opacity.enable(false);
    announce(texts().editor.noPicture);
  };
  releasePhoto(photo);
  photo.src = address;
}

/** @param {HTMLImageElement} photo @param {number} percent */
function setOpacity(photo, percent) {
  photo.style.opacity = String(percent / 100);
}

/** Frees the memory of a file that was shown. @param {HTMLImageElement} photo */
export function releasePhoto(photo) {
  if (photo.src.startsWith("blob:")) URL.revokeObjectURL(photo.src);
}
