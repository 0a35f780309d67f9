/** The gallery of saved people: search, choose, rename, delete. */

import { button, element, keepKeys, loadStyle } from "../shared/dom.js";
import { messageOf } from "../shared/server.js";
import { texts } from "../texts/texts.js";
import { PersonCard } from "./card.js";
import { matching } from "./people.js";

/** @typedef {import("./people.js").Person} Person */

export class PeopleDialog {
  /** File of the person that is chosen now. @type {unknown} */
  #chosen = null;
  /** @type {(person: Person) => void} */
  #onchoose = () => {};

  /** @param {import("./people.js").People} people */
  constructor(people) {
    const t = texts().people;
    this.people = people;
    this.search = element("input", {
      type: "search",
      placeholder: t.search,
      "aria-label": t.search,
      oninput: () => this.#draw(),
    });
    this.list = element("ul", { className: "people", "aria-label": t.title });
    this.empty = element("p", { className: "empty" });
    this.message = element("p", { className: "error", role: "status", "aria-live": "polite" });
    this.root = this.#build();
    people.listen(() => this.root.open && this.#draw());
  }

  /** Opens the gallery. @param {unknown} chosen file @param {(person: Person) => void} onchoose */
  async open(chosen, onchoose) {
    this.#chosen = chosen;
    this.#onchoose = onchoose;
    await Promise.all([loadStyle("shared/dialog.css"), loadStyle("people/people.css")]);
    if (!this.root.isConnected) document.body.append(this.root);
    this.search.value = "";
    this.#draw();
    if (!this.root.open) this.root.showModal();
    await this.#attempt(() => this.people.refresh());
  }

  #build() {
    const t = texts().people;
    const heading = element("h2", { id: "instantid-people-title" }, t.title);
    const close = button(t.close, () => this.root.close());
    const root = element(
      "dialog",
      { className: "instantid-dialog instantid-people", "aria-labelledby": heading.id },
      element("header", {}, heading, this.search, close),
      this.empty,
      this.list,
      this.message,
    );
    keepKeys(root);
    return root;
  }

  #draw() {
    const t = texts().people;
    const everybody = this.people.list ?? [];
    const found = matching(everybody, this.search.value);
    const chosen = this.people.of(this.#chosen);
    const actions = {
      choose: (/** @type {Person} */ person) => this.#choose(person),
      rename: (/** @type {Person} */ person, /** @type {string} */ name) =>
        this.#attempt(() => this.people.rename(person.file, name)),
      remove: (/** @type {Person} */ person) =>
        this.#attempt(() => this.people.remove(person.file)),
    };
    const cards = found.map((person) => new PersonCard(person, person === chosen, actions));
    this.list.replaceChildren(...cards.map((card) => card.element));
    this.search.hidden = !everybody.length;
    this.empty.hidden = found.length > 0 || this.people.list === null;
    this.empty.textContent = everybody.length ? t.noMatch(this.search.value) : t.nobody;
  }

  /** @param {Person} person */
  #choose(person) {
    this.#onchoose(person);
    this.root.close();
  }

  /** @param {() => Promise<void>} request */
  async #attempt(request) {
    this.message.textContent = "";
    try {
      await request();
    } catch (error) {
      this.message.textContent = messageOf(error);
    }
  }
}
