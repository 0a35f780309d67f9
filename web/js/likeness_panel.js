/** The likeness panel on InstantID Score Identity: reference, result, score and its band. */

import { app } from "../../../scripts/app.js";
import { element } from "./picker/elements.js";
import { addPanel, addressOf, makeRoom } from "./picker/panel.js";
import { texts } from "./texts/texts.js";

const NODE = "InstantIDScoreIdentity";
const KEY = "instantid_likeness";
const EMPTY_HEIGHT = 60;
const HEAD_HEIGHT = 34;
const ROW_HEIGHT = 132;
const ROWS_IN_VIEW = 2;
const WIDTH = 320;
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
      "aria-label": texts().likeness.list,
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
  const t = texts().likeness;
  if (!rows.length) return t.beforeARun;
  const known = rows.map((row) => row.cosine).filter((cosine) => cosine !== null);
  if (!known.length) return t.noScore;
  const mean = known.reduce((sum, cosine) => sum + cosine, 0) / known.length;
  if (rows.length === 1) return t.one(shown(mean), t.bands[rows[0].band]);
  const band = bandOf(mean, rows[0].limits);
  return t.mean(known.length, rows.length, shown(mean), t.bands[band]);
}

/** Two digits, and no minus before a zero. */
function shown(cosine) {
  return (Math.round(cosine * 100) / 100 || 0).toFixed(2);
}

function bandOf(cosine, limits) {
  return cosine >= limits.strong ? "strong" : cosine >= limits.moderate ? "moderate" : "weak";
}

function makeRow(row, number, count) {
  const t = texts().likeness;
  const name = count > 1 ? t.picture(number) : t.result;
  return element(
    "div",
    { class: "iid-row", role: "listitem" },
    makeCrop(row.reference, t.reference, t.noPhoto),
    makeCrop(row.image, name, ""),
    element(
      "div",
      { class: "iid-figures" },
      element("span", { class: "iid-cosine" }, row.cosine === null ? t.notAvailable : shown(row.cosine)),
      makeBand(row),
      ...(row.cosine === null ? [] : [makeBar(row)]),
    ),
  );
}

function makeCrop(image, caption, instead) {
  const alt = texts().likeness.crop(caption);
  const picture = image
    ? element("img", { src: addressOf(image), alt, draggable: "false" })
    : element("div", { class: "iid-nobody" }, instead);
  return element("figure", { class: "iid-crop" }, picture, element("figcaption", {}, caption));
}

/** The band as a sign and a word, so that its colour says nothing that is not said otherwise. */
function makeBand({ band, text }) {
  const sign = element("span", { class: "iid-sign", "aria-hidden": "true" }, SYMBOLS[band] ?? "\u2013");
  const words = band ? texts().likeness.bands[band] : reasonOf(text);
  return element("span", { class: "iid-band", "data-band": band ?? "none" }, sign, words);
}

/** Why there is no figure: what the server has put into brackets, such as "weak detection, 0.41". */
function reasonOf(text) {
  const [reason, ...rest] = text.replace(/^n\/a \((.*)\)$/, "$1").split(", ");
  return [texts().likeness.reasons[reason] ?? reason, ...rest].join(", ");
}

function makeBar({ cosine, band, limits }) {
  const t = texts().likeness;
  const label = t.score(shown(cosine), t.bands[band]);
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
