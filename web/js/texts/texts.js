/** What panels, dialogs and messages say, in the editor's language. Sentences that the server sends
 * come in English. */

import { app } from "../../../../scripts/app.js";
import { CHINESE } from "./chinese.js";
import { ENGLISH } from "./english.js";

const LOCALE = "Comfy.Locale";

/** Texts for a locale of the editor, such as "zh" or "en". */
export function textsFor(locale) {
  return String(locale).startsWith("zh") ? CHINESE : ENGLISH;
}

/** Texts in the language that the editor has now. Not for use while a module loads. */
export function texts() {
  const chosen = app.extensionManager?.setting?.get?.(LOCALE);
  return textsFor(chosen ?? app.ui?.settings?.getSettingValue?.(LOCALE) ?? "en");
}
