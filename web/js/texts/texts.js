/**
 * The texts of panels, dialogs and messages in the front end's language. Sentences from the server are
 * in English.
 */

import { app } from "../../../../scripts/app.js";
import { CHINESE } from "./chinese.js";
import { CHINESE_CHOICES } from "./choices.js";
import { ENGLISH } from "./english.js";

/** @typedef {import("./english.js").Texts} Texts */

const LOCALE = "Comfy.Locale";

/** Chinese in simplified characters, which readers of traditional ones are not given. */
const SIMPLIFIED = /^zh(?:$|[-_](?:hans|cn|sg|my)\b)/i;

/**
 * The texts for a locale such as "zh", "zh-CN" or "en"; English for any other, "zh-TW" included, as
 * the nodes themselves have it.
 * @param {unknown} locale
 * @returns {Texts}
 */
export function textsFor(locale) {
  return SIMPLIFIED.test(String(locale)) ? CHINESE : ENGLISH;
}

/**
 * Labels of choices for a locale; none where the values are shown as they are.
 * @param {unknown} locale
 * @returns {Record<string, string>}
 */
export function choicesFor(locale) {
  return textsFor(locale) === CHINESE ? CHINESE_CHOICES : {};
}

/** The texts in the current language. Not for use while a module loads. */
export function texts() {
  return textsFor(currentLocale());
}

/** Labels of choices in the current language. */
export function choices() {
  return choicesFor(currentLocale());
}

function currentLocale() {
  const setting = app.extensionManager?.setting?.get?.(LOCALE);
  return setting ?? app.ui?.settings?.getSettingValue?.(LOCALE);
}
