/** The pack's entries in the front end's settings, and their values. */

import { app } from "../../../../scripts/app.js";

const CATEGORY = "InstantID Compose";

export const MESSAGE_SECONDS = {
  id: "InstantIDCompose.MessageSeconds",
  category: [CATEGORY, "Messages", "Seconds"],
  name: "Seconds that a message stays",
  type: "slider",
  attrs: { min: 2, max: 60, step: 1 },
  defaultValue: 8,
};
export const MISSING_FILES_HINT = {
  id: "InstantIDCompose.MissingFilesHint",
  category: [CATEGORY, "Messages", "MissingFiles"],
  name: "Say when model files are missing",
  type: "boolean",
  defaultValue: true,
};

/** @param {{id: string, defaultValue: number}} setting */
export function numberOf({ id, defaultValue }) {
  const value = Number(app.extensionManager?.setting?.get?.(id) ?? defaultValue);
  return value > 0 ? value : defaultValue;
}

/** @param {{id: string, defaultValue: boolean}} setting */
export function isOn({ id, defaultValue }) {
  return Boolean(app.extensionManager?.setting?.get?.(id) ?? defaultValue);
}
