/** The card that shows what a run has said: one for all its messages, gone after some seconds. */

import { button, element, keepKeys } from "../shared/dom.js";
import { texts } from "../texts/texts.js";
import { showInCorner } from "./corner.js";

/**
 * @typedef {import("./board.js").Message} Message
 * @typedef {Exclude<import("./board.js").Help, null>} Offer
 */

const PACK = "InstantID Compose";

export class Card {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {Record<Offer, () => void>} offers what its buttons do
   * @param {(id: string) => string | undefined} titleOf of the node with an execution id
   * @param {() => number} seconds that the card stays after the last message
   */
  constructor(offers, titleOf, seconds) {
    this.offers = offers;
    this.seconds = seconds;
    this.titleOf = titleOf;
    this.list = element("div", { className: "list" });
    this.root = element("section", { className: "instantid-message", "aria-live": "polite" });
    for (const kind of ["pointerenter", "focusin"]) {
      this.root.addEventListener(kind, () => this.#hold(true));
    }
    for (const kind of ["pointerleave", "focusout"]) {
      this.root.addEventListener(kind, () => this.#hold(false));
    }
    keepKeys(this.root);
  }

  /** @param {Message[]} messages all that the run has said */
  show(messages) {
    const t = texts().messages;
    const hasError = messages.some(({ severity }) => severity === "error");
    this.root.dataset.severity = hasError ? "error" : "warning";
    this.root.setAttribute("aria-label", hasError ? t.failed : t.warnings);
    const close = button("\u00d7", () => this.hide(), { className: "close", "aria-label": t.close });
    const offers = [...new Set(messages.flatMap(({ help }) => help ?? []))];
    const buttons = offers.map((offer) => button(t.offers[offer], () => this.#accept(offer)));
    this.list.replaceChildren(...messages.map((message) => this.#entry(message)));
    this.root.replaceChildren(close, this.list);
    if (buttons.length) this.root.append(element("div", { className: "buttons" }, ...buttons));
    if (!this.root.isConnected) showInCorner(this.root);
    this.#hold(false);
  }

  hide() {
    clearTimeout(this.#timer);
    this.root.remove();
  }

  /** @param {Message} message */
  #entry({ node, title: known, text, severity }) {
    const title = known ?? this.titleOf(node) ?? PACK;
    const properties = { className: "entry", role: severity === "error" ? "alert" : "group" };
    return element("div", properties, element("strong", {}, title), element("p", {}, text));
  }

  /** @param {Offer} offer */
  #accept(offer) {
    this.hide();
    this.offers[offer]();
  }

  /** Stays while somebody reads or works in it. @param {boolean} isHeld */
  #hold(isHeld) {
    clearTimeout(this.#timer);
    if (!isHeld) this.#timer = setTimeout(() => this.hide(), this.seconds() * 1000);
  }
}
