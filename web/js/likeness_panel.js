/** The likeness panel on InstantID Score Identity: reference, result, score and its band. */

import { app } from "../../../scripts/app.js";
import { addPanel, readJson, resize } from "./panels/panel.js";
import { bandOf, formatCosine, meanCosine } from "./panels/scores.js";
import { element } from "./shared/dom.js";
import { imageUrl } from "./shared/server.js";
import { texts } from "./texts/texts.js";

/**
 * @typedef {import("./panels/scores.js").Result} Result
 * @typedef {import("./panels/scores.js").Limits} Limits
 * @typedef {import("./shared/server.js").StoredImage} StoredImage
 * @typedef {{reference: StoredImage | null, name?: string, limits: Limits,
 *   results: (Result & {image: StoredImage})[]}} Report name: the person's, empty if it is not known
 * @typedef {Result & {image: StoredImage} & Pick<Report, "reference" | "name" | "limits">} Row
 */

const NODE = "InstantIDScoreIdentity";
const OUTPUT = "instantid_likeness";
const EMPTY_HEIGHT = 60;
const HEAD_HEIGHT = 34;
const ROW_HEIGHT = 132;
const VISIBLE_ROWS = 2;
const WIDTH = 320;
const SYMBOLS = { copy: "\u25cd", strong: "\u25cf", moderate: "\u25d0", weak: "\u25cb" };
const NO_SYMBOL = "\u2013";

class LikenessPanel {
  /** @type {Row[]} */
  rows = [];

  /** @param {ComfyNode} node */
  constructor(node) {
    this.node = node;
    this.root = element("div", { className: "iid-panel iid-likeness" });
    addPanel(node, "likeness_panel", this.root, {
      key: OUTPUT,
      height: () => this.height(),
      show: (reports) => this.show(reports),
      read: readJson,
    });
  }

  height() {
    if (!this.rows.length) return EMPTY_HEIGHT;
    return HEAD_HEIGHT + ROW_HEIGHT * Math.min(this.rows.length, VISIBLE_ROWS);
  }

  /** @param {Report[] | null} reports one for each call of the node */
  show(reports) {
    this.rows = (reports ?? []).flatMap(({ results, reference, name, limits }) =>
      results.map((result) => ({ ...result, reference, name, limits })),
    );
    const count = this.rows.length;
    const head = element("p", { className: "iid-status", role: "status" }, summary(this.rows));
    const rows = this.rows.map((row, i) => makeRow(row, i + 1, count));
    const list = {
      className: "iid-rows",
      role: "list",
      "aria-label": texts().likeness.list,
      tabIndex: 0,
      // Nodes 2.0 then lets the wheel scroll the list while it has the focus.
      "data-capture-wheel": "true",
    };
    this.root.replaceChildren(head, ...(count ? [element("div", list, ...rows)] : []));
    resize(this.node, this.root, this.height(), count ? WIDTH : 0);
  }
}

/** @param {Row[]} rows */
function summary(rows) {
  const t = texts().likeness;
  if (!rows.length) return t.beforeARun;
  const { mean, count } = meanCosine(rows);
  if (mean === null) return t.noScore;
  const band = t.bands[bandOf(mean, rows[0].limits)];
  if (rows.length === 1) return t.one(formatCosine(mean), band);
  return t.mean(count, rows.length, formatCosine(mean), band);
}

/** @param {Row} row @param {number} number @param {number} count */
function makeRow(row, number, count) {
  const t = texts().likeness;
  const name = count > 1 ? t.picture(number) : t.result;
  const score = row.cosine === null ? t.notAvailable : formatCosine(row.cosine);
  return element(
    "div",
    { className: "iid-row", role: "listitem" },
    makeCrop(row.reference, row.name || t.reference, t.noPhoto),
    makeCrop(row.image, name, ""),
    element(
      "div",
      { className: "iid-figures" },
      element("span", { className: "iid-cosine" }, score),
      makeBand(row),
      ...makeBar(row),
    ),
  );
}

/** @param {StoredImage | null} image @param {string} caption @param {string} placeholder */
function makeCrop(image, caption, placeholder) {
  const alt = texts().likeness.crop(caption);
  const picture = image
    ? element("img", { src: imageUrl(image), alt, draggable: false })
    : element("div", { className: "iid-nobody" }, placeholder);
  const text = element("figcaption", {}, caption);
  return element("figure", { className: "iid-crop" }, picture, text);
}

/**
 * The band as a symbol and a word: nothing depends on its colour alone.
 * @param {Row} row
 */
function makeBand({ band, text }) {
  const symbol = band ? SYMBOLS[band] : NO_SYMBOL;
  const words = band ? texts().likeness.bands[band] : reasonOf(text);
  return element(
    "span",
    { className: "iid-band", "data-band": band ?? "none" },
    element("span", { className: "iid-sign", "aria-hidden": "true" }, symbol),
    words,
  );
}

/**
 * The reason for a missing score, which the server puts in brackets: "n/a (weak detection, 0.41)".
 * @param {string} text
 */
function reasonOf(text) {
  const [reason, ...rest] = text.replace(/^n\/a \((.*)\)$/, "$1").split(", ");
  /** @type {Record<string, string>} */
  const translations = texts().likeness.reasons;
  return [translations[reason] ?? reason, ...rest].join(", ");
}

/** A bar with a tick at each limit; none without a score. @param {Row} row */
function makeBar({ cosine, band, limits }) {
  if (cosine === null || band === null) return [];
  const t = texts().likeness;
  const label = t.score(formatCosine(cosine), t.bands[band]);
  const ticks = Object.values(limits).map((limit) => {
    const tick = element("span", { className: "iid-limit" });
    tick.style.left = `${limit * 100}%`;
    return tick;
  });
  const properties = { className: "iid-bar", role: "img", "aria-label": label, "data-band": band };
  const bar = element("div", properties, ...ticks);
  bar.style.setProperty("--iid-score", `${Math.max(0, Math.min(1, cosine)) * 100}%`);
  return [bar];
}

app.registerExtension({
  name: "InstantIDCompose.LikenessPanel",
  nodeCreated(node) {
    if (node.comfyClass === NODE) new LikenessPanel(node);
  },
});
