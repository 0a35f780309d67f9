/** The photo behind the frame, to trace: from a file, or the one that the node takes faces from. */

import { button, group, make, slider } from "./elements.js";
import { readPose } from "./pose_text.js";

/**
 * The controls for the photo.
 * @param {import("./stage.js").Stage} stage
 * @param {{photoAddress: string | null, findPhotoPose: (() => Promise<string>) | null,
 *   tell: (text: string) => void}} source address of the connected photo, and what finds the pose in it
 */
export function photoControls(stage, { photoAddress, findPhotoPose, tell }) {
  const file = make("input", { type: "file", accept: "image/*", className: "hidden-file" });
  const strength = slider({
    name: "Photo",
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
  const connected = button("Connected photo", () => show(photoAddress), {
    disabled: !photoAddress,
    title: photoAddress ? "" : "No Load Image leads to the input faces of this node.",
  });
  const said = make("p", { className: "said", role: "status" });
  const points = button("Start from its points", () => startFrom(findPhotoPose, stage.model, said), {
    disabled: !findPhotoPose,
    title: findPhotoPose ? "" : "Nothing is connected to the input faces of this node.",
  });
  const choose = button("Open a photo", () => file.click());
  const row = make("div", { className: "row" }, choose, connected, points, file);
  return group("Photo to trace", row, said, strength.row);
}

async function startFrom(findPhotoPose, model, said) {
  said.textContent = "Looking for faces in the connected photo...";
  try {
    model.edit(readPose(await findPhotoPose(), model.frame));
    const count = model.faces.length;
    said.textContent = `Started from ${count} ${count === 1 ? "face" : "faces"} of the photo.`;
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
    tell("The photo lies behind the frame.");
  };
  photo.onerror = () => {
    photo.hidden = true;
    strength.enable(false);
    tell("The file could not be read as a picture.");
  };
  release(photo);
  photo.src = address;
}

/** Gives back the memory of a file that was shown. @param {HTMLImageElement} photo */
export function release(photo) {
  if (photo.src.startsWith("blob:")) URL.revokeObjectURL(photo.src);
}
