/** A person's picture, or the first letter of the name. */

import { element } from "../shared/dom.js";
import { initialOf } from "./people.js";

/** @param {import("./people.js").Person | undefined} person */
export function portraitOf(person) {
  if (person?.portrait) {
    const src = `data:image/jpeg;base64,${person.portrait}`;
    return element("img", { className: "iid-portrait", src, alt: "", draggable: false });
  }
  const letter = person?.problem ? "!" : initialOf(person?.name ?? "");
  return element("span", { className: "iid-portrait iid-letter", "aria-hidden": "true" }, letter);
}
