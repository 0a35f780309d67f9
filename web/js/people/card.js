/** One person in the gallery: choose, rename, and delete after a question. */

import { button, element } from "../shared/dom.js";
import { texts } from "../texts/texts.js";
import { portraitOf } from "./portrait.js";

/**
 * @typedef {import("./people.js").Person} Person
 * @typedef {object} Actions
 * @property {(person: Person) => void} choose
 * @property {(person: Person, name: string) => Promise<void>} rename
 * @property {(person: Person) => Promise<void>} remove
 */

const LONGEST_NAME = 80;

export class PersonCard {
  /** @param {Person} person @param {boolean} isChosen @param {Actions} actions */
  constructor(person, isChosen, actions) {
    this.person = person;
    this.actions = actions;
    this.tools = element("div", { className: "tools" });
    this.element = element("li", { className: "person" }, this.#face(isChosen), this.tools);
    this.#showTools();
  }

  /** @param {boolean} isChosen */
  #face(isChosen) {
    const { person } = this;
    const { name, consent, problem } = person;
    const label = { type: "button", className: "face", "aria-pressed": String(isChosen) };
    return element(
      "button",
      { ...label, title: person.file, onclick: () => this.actions.choose(person), disabled: Boolean(problem) },
      portraitOf(person),
      element("strong", {}, name),
      element("span", { className: problem ? "problem" : "about" }, problem || consent || factsOf(person)),
    );
  }

  /** @param {string} [focused] name of the button that takes the focus */
  #showTools(focused) {
    const t = texts().people;
    const { name, own, problem } = this.person;
    if (!own) {
      this.tools.replaceChildren(element("span", { className: "about" }, t.elsewhere));
      return;
    }
    const rename = button(t.rename, () => this.#askName(), {
      "aria-label": t.renameName(name),
      hidden: Boolean(problem),
    });
    const remove = button(t.remove, () => this.#askRemoval(), { "aria-label": t.removeName(name) });
    this.tools.replaceChildren(rename, remove);
    if (focused === "rename") rename.focus();
    if (focused === "remove") remove.focus();
  }

  #askName() {
    const t = texts().people;
    const { person } = this;
    const label = { "aria-label": t.newName(person.name), maxLength: LONGEST_NAME };
    const field = element("input", { type: "text", value: person.name, ...label });
    const save = () => this.actions.rename(person, field.value.trim());
    const back = () => this.#showTools("rename");
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") save();
      if (event.key === "Escape") {
        // The dialog stays.
        event.preventDefault();
        event.stopPropagation();
        back();
      }
    });
    this.tools.replaceChildren(field, button(t.save, save), button(t.cancel, back));
    field.focus();
    field.select();
  }

  #askRemoval() {
    const t = texts().people;
    const { person } = this;
    const keep = button(t.keep, () => this.#showTools("remove"));
    const remove = button(t.remove, () => this.actions.remove(person), { className: "danger" });
    const question = element("span", { role: "alert" }, t.sure(person.name));
    this.tools.replaceChildren(question, remove, keep);
    keep.focus();
  }
}

/** What there is to say without consent: how many people or photos. @param {Person} person */
function factsOf({ identities = 1, references = 1 }) {
  const t = texts().people;
  if (identities > 1) return t.batch(identities);
  return references > 1 ? t.photos(references) : "";
}
