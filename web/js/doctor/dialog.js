/** The dialog of Check InstantID: what the Doctor has found, and a text for bug reports. */

import { button, element, keepKeys, loadStyle } from "../shared/dom.js";
import { messageOf } from "../shared/server.js";
import { copyText } from "./copy.js";
import { byUrgency, countOf } from "./findings.js";

/**
 * @typedef {import("./findings.js").Finding} Finding
 * @typedef {import("./findings.js").Report} Report
 * @typedef {import("../texts/english.js").Texts["doctor"]} DoctorTexts
 */

const SIGNS = { problem: "\u2716", note: "\u25cf", ok: "\u2714" };

export class DoctorDialog {
  #text = "";

  /** @param {() => Promise<Report>} examine @param {DoctorTexts} texts */
  constructor(examine, texts) {
    this.examine = examine;
    this.texts = texts;
    this.summary = element("p", { className: "summary", role: "status" });
    this.list = element("ul", { className: "findings", tabIndex: 0, "aria-label": texts.list });
    this.copyButton = button(texts.copy, () => this.#copy(), { disabled: true });
    this.againButton = button(texts.again, () => this.refresh());
    this.root = this.#build();
  }

  /** Opens the dialog and looks at the installation. */
  async open() {
    await Promise.all([loadStyle("shared/dialog.css"), loadStyle("doctor/doctor.css")]);
    if (!this.root.isConnected) document.body.append(this.root);
    if (!this.root.open) this.root.showModal();
    await this.refresh();
  }

  /** Looks at the installation, which takes some seconds. */
  async refresh() {
    this.againButton.disabled = true;
    this.summary.textContent = this.texts.looking;
    try {
      this.#show(await this.examine());
    } catch (error) {
      this.summary.textContent = messageOf(error);
    }
    this.againButton.disabled = false;
  }

  #build() {
    const t = this.texts;
    const heading = element("h2", { id: "instantid-doctor-title" }, t.title);
    const close = button(t.close, () => this.root.close(), { autofocus: true });
    const buttons = { className: "buttons" };
    const root = element(
      "dialog",
      { className: "instantid-dialog instantid-doctor", "aria-labelledby": heading.id },
      heading,
      this.summary,
      this.list,
      element("div", buttons, this.copyButton, this.againButton, close),
    );
    keepKeys(root);
    return root;
  }

  /** @param {Report} report */
  #show({ findings, text }) {
    const [problems, notes] = [countOf(findings, "problem"), countOf(findings, "note")];
    this.#text = text;
    this.copyButton.disabled = false;
    this.summary.textContent = this.texts.summary(problems, notes, findings.length);
    this.list.replaceChildren(...byUrgency(findings).map((finding) => this.#item(finding)));
    this.list.scrollTop = 0;
  }

  /** @param {Finding} finding */
  #item({ check, state, found, advice }) {
    const sign = element("span", { className: "sign", "aria-hidden": "true" }, SIGNS[state]);
    const head = element("strong", {}, `${this.texts.states[state]}: ${check}`);
    const said = [head, element("p", {}, found)];
    if (advice) said.push(element("p", { className: "advice" }, advice));
    return element("li", { "data-state": state }, sign, element("div", {}, ...said));
  }

  async #copy() {
    const isCopied = await copyText(this.#text, this.root);
    this.copyButton.textContent = isCopied ? this.texts.copied : this.texts.notCopied;
  }
}
