/** The photo behind the frame, to trace: from a file, or the one that the node takes faces from. */

import { button, group, make, slider } from "./elements.js";
import { readPose } from "./pose_text.js";
import { texts } from "../texts/texts.js";

/**
 * The controls for the photo.
 * @param {import("./stage.js").Stage} stage
 * @param {{photoAddress: string | null, findPhotoPose: (() => Promise<string>) | null,
 *   tell: (text: string) => void}} source address of the connected photo, and what finds the pose in it
 */
export function photoControls(stage, { photoAddress, findPhotoPose, tell }) {
  const t = texts().editor;
  const file = make("input", { type: "file", accept: "image/*", className: "hidden-file" });
  const strength = slider({
    name: t.photoStrength,
    min: 0,
    max: 100,
    step: 5,
    unit: " %",
    input: (value) => {
      stage.photo.style.opacity = String(value / 100);
    },
  });
  const show = (address) => showPhoto(stage, address, strength, tell);
  file.addEventListener("change", () => {
    if (file.files[0]) show(URL.createObjectURL(file.files[0]));
  });
  strength.enable(false);
  const connected = button(t.connectedPhoto, () => show(photoAddress), {
    disabled: !photoAddress,
    title: photoAddress ? "" : t.noConnectedPhoto,
  });
  const said = make("p", { className: "said", role: "status" });
  const points = button(t.startFromPoints, () => startFrom(findPhotoPose, stage.model, said), {
    disabled: !findPhotoPose,
    title: findPhotoPose ? "" : t.noConnectedFaces,
  });
  const choose = button(t.openPhoto, () => file.click());
  const row = make("div", { className: "row" }, choose, connected, points, file);
  return group(t.photo, row, said, strength.row);
}

async function startFrom(findPhotoPose, model, said) {
  said.textContent = texts().editor.looking;
  try {
    model.edit(readPose(await findPhotoPose(), model.frame));
    said.textContent = texts().editor.started(model.faces.length);
  } catch (error) {
    said.textContent = error.message;
  }
}

function showPhoto(stage, address, strength, tell) {
  const { photo } = stage;
  photo.onload = () => {
    photo.hidden = false;
    strength.enable(true);
    strength.set(60);
    photo.style.opacity = "0.6";
    tell(texts().editor.photoShown);
  };
  photo.onerror = () => {
    photo.hidden = true;
    strength.enable(false);
    tell(texts().editor.noPicture);
  };
  release(photo);
  photo.src = address;
}

/** Gives back the memory of a file that was shown. @param {HTMLImageElement} photo */
export function release(photo) {
  if (photo.src.startsWith("blob:")) URL.revokeObjectURL(photo.src);
}
