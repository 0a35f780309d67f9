/**
 * The texts of panels, dialogs and messages in the front end's language. Sentences from the server are
 * in English.
 */

import { app } from "../../../../scripts/app.js";
import { CHINESE } from "./chinese.js";
import { ENGLISH } from "./english.js";

/** @typedef {import("./english.js").Texts} Texts */

const LOCALE = "Comfy.Locale";

/**
 * The texts for a locale such as "zh", "zh-TW" or "en"; English for any other.
 * @param {unknown} locale
 * @returns {Texts}
 */
export function textsFor(locale) {
  return String(locale).startsWith("zh") ? CHINESE : ENGLISH;
}

/** The texts in the current language. Not for use while a module loads. */
export function texts() {
  const setting = app.extensionManager?.setting?.get?.(LOCALE);
  return textsFor(setting ?? app.ui?.settings?.getSettingValue?.(LOCALE));
}
