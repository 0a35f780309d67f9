/** The likeness panel on InstantID Score Identity: reference, result, score and its band. */

import { app } from "../../../scripts/app.js";
import { element } from "./picker/elements.js";
import { addPanel, addressOf, makeRoom } from "./picker/panel.js";

const NODE = "InstantIDScoreIdentity";
const KEY = "instantid_likeness";
const EMPTY_HEIGHT = 60;
const HEAD_HEIGHT = 34;
const ROW_HEIGHT = 132;
const ROWS_IN_VIEW = 2;
const WIDTH = 320;
const BEFORE_A_RUN = "Run the graph, and faces with their scores show here.";
const SYMBOLS = { strong: "\u25cf", moderate: "\u25d0", weak: "\u25cb" };

/**
 * @typedef {{cosine: number | null, band: string | null, text: string, image: object}} Result
 * @typedef {{reference: object | null, results: Result[], limits: Record<string, number>}} Report
 */

class LikenessPanel {
  /** @param {object} node */
  constructor(node) {
    this.node = node;
    this.rows = 0;
    this.root = element("div", { class: "iid-panel iid-likeness" });
    addPanel(node, "likeness_panel", this.root, {
      key: KEY,
      height: () => this.height(),
      show: (reports) => this.show(reports),
    });
  }

  height() {
    if (!this.rows) return EMPTY_HEIGHT;
    return HEAD_HEIGHT + ROW_HEIGHT * Math.min(this.rows, ROWS_IN_VIEW);
  }

  /** @param {Report[] | null} reports one for each call of the node */
  show(reports) {
    const rows = (reports ?? []).flatMap((report) =>
      report.results.map((result) => ({ ...result, ...pick(report) })),
    );
    this.rows = rows.length;
    this.root.style.setProperty("--iid-height", `${this.height()}px`);
    const head = element("p", { class: "iid-status", role: "status" }, summary(rows));
    const list = rows.map((row, place) => makeRow(row, place + 1, rows.length));
    const scroller = {
      class: "iid-rows",
      role: "list",
      "aria-label": "Likeness",
      tabindex: "0",
      // Nodes 2.0 then lets the wheel scroll here while this has the focus.
      "data-capture-wheel": "true",
    };
    this.root.replaceChildren(head, ...(rows.length ? [element("div", scroller, ...list)] : []));
    makeRoom(this.node, rows.length ? WIDTH : 0);
  }
}

function pick({ reference, limits }) {
  return { reference, limits };
}

function summary(rows) {
  if (!rows.length) return BEFORE_A_RUN;
  const known = rows.map((row) => row.cosine).filter((cosine) => cosine !== null);
  if (!known.length) return "No score: no face is seen clearly enough.";
  const mean = known.reduce((sum, cosine) => sum + cosine, 0) / known.length;
  if (rows.length === 1) return `Likeness ${shown(mean)}, ${rows[0].band}.`;
  const band = bandOf(mean, rows[0].limits);
  return `Mean likeness of ${known.length} of ${rows.length} pictures: ${shown(mean)}, ${band}.`;
}

/** Two digits, and no minus before a zero. */
function shown(cosine) {
  return (Math.round(cosine * 100) / 100 || 0).toFixed(2);
}

function bandOf(cosine, limits) {
  return cosine >= limits.strong ? "strong" : cosine >= limits.moderate ? "moderate" : "weak";
}

function makeRow(row, number, count) {
  const name = count > 1 ? `Picture ${number}` : "Result";
  return element(
    "div",
    { class: "iid-row", role: "listitem" },
    makeCrop(row.reference, "Reference", "No photo: connect reference_image to see one here."),
    makeCrop(row.image, name, ""),
    element(
      "div",
      { class: "iid-figures" },
      element("span", { class: "iid-cosine" }, row.cosine === null ? "n/a" : shown(row.cosine)),
      makeBand(row),
      ...(row.cosine === null ? [] : [makeBar(row)]),
    ),
  );
}

function makeCrop(image, caption, instead) {
  const picture = image
    ? element("img", { src: addressOf(image), alt: `${caption}: the face`, draggable: "false" })
    : element("div", { class: "iid-nobody" }, instead);
  return element("figure", { class: "iid-crop" }, picture, element("figcaption", {}, caption));
}

/** The band as a sign and a word, so that its colour says nothing that is not said otherwise. */
function makeBand({ band, text }) {
  const sign = element("span", { class: "iid-sign", "aria-hidden": "true" }, SYMBOLS[band] ?? "\u2013");
  const words = band ?? text.replace(/^n\/a \((.*)\)$/, "$1");
  return element("span", { class: "iid-band", "data-band": band ?? "none" }, sign, words);
}

function makeBar({ cosine, band, limits }) {
  const label = `Score ${shown(cosine)} of 1, ${band}`;
  const bar = element("div", { class: "iid-bar", role: "img", "aria-label": label });
  bar.dataset.band = band;
  bar.style.setProperty("--iid-score", `${Math.max(0, Math.min(1, cosine)) * 100}%`);
  for (const limit of [limits.moderate, limits.strong]) {
    const tick = element("span", { class: "iid-limit" });
    tick.style.left = `${limit * 100}%`;
    bar.append(tick);
  }
  return bar;
}

app.registerExtension({
  name: "InstantIDCompose.LikenessPanel",
  nodeCreated(node) {
    if (node.comfyClass === NODE) new LikenessPanel(node);
  },
});
