/** The face picker on InstantID Analyze Faces: after a run, click the face that is meant. */

import { app } from "../../../scripts/app.js";
import { chosenIn, only, readNumbers, toggled } from "./picker/choice.js";
import { element } from "./picker/elements.js";
import { addPanel, makeRoom } from "./picker/panel.js";
import { makeStage, mark } from "./picker/stage.js";
import { texts } from "./texts/texts.js";

const NODE = "InstantIDAnalyzeFaces";
const KEY = "instantid_faces";
const WIDGETS = ["select", "index", "numbers"];
const EMPTY_HEIGHT = 60;
const WIDTH = 320;
const HIGHEST = 232; // then the node stays within the place that shipped workflows keep for it
const STAGE = { width: WIDTH - 20, lowest: 140 };
const LINES_HEIGHT = 42;
const TURNER_HEIGHT = 34;

class FacePicker {
  /** @param {object} node */
  constructor(node) {
    this.node = node;
    this.pictures = [];
    this.current = 0;
    this.note = "";
    this.body = element("div", { class: "iid-body" });
    this.status = element("p", { class: "iid-status", role: "status" }, texts().picker.beforeARun);
    this.root = element("div", { class: "iid-panel iid-picker" }, this.body, this.status);
    this.watchWidgets();
    addPanel(node, "face_picker", this.root, {
      key: KEY,
      height: () => this.height(),
      show: (reports) => this.show(reports),
    });
  }

  /** @param {Array<Array<object>> | null} reports pictures of each call of the node */
  show(reports) {
    this.pictures = reports ? reports.flat() : [];
    this.current = Math.min(this.current, Math.max(0, this.pictures.length - 1));
    this.root.style.setProperty("--iid-height", `${this.height()}px`);
    this.draw();
    makeRoom(this.node, this.pictures.length ? WIDTH : 0);
  }

  /** Pixels for the tallest picture at the usual width; a node that is made larger shows more. */
  height() {
    if (!this.pictures.length) return EMPTY_HEIGHT;
    const tallest = Math.max(...this.pictures.map(({ width, height }) => height / width));
    const lines = LINES_HEIGHT + (this.pictures.length > 1 ? TURNER_HEIGHT : 0);
    const wanted = Math.max(STAGE.lowest, Math.round(STAGE.width * tallest));
    return Math.min(HIGHEST, wanted + lines);
  }

  draw() {
    const count = this.pictures.length;
    const picture = this.pictures[this.current];
    if (!picture) {
      this.body.replaceChildren();
      this.status.textContent = [this.note, texts().picker.beforeARun].filter(Boolean).join(" ");
      return;
    }
    const label = texts().picker.faces(this.current + 1, count);
    this.stage = makeStage(picture, label, (number, add) => this.choose(number, add));
    this.body.replaceChildren(this.stage, ...(count > 1 ? [this.makeTurner()] : []));
    this.paint();
  }

  /** Shows what the widgets say, which keeps the buttons and the focus where they are. */
  paint() {
    const picture = this.pictures[this.current];
    if (!picture || !this.stage) return;
    const chosen = chosenIn(picture, this.setting());
    mark(this.stage, chosen);
    this.status.textContent = this.sentence(picture, chosen);
  }

  sentence(picture, chosen) {
    const t = texts().picker;
    const { select, index, numbers } = this.setting();
    const linked = WIDGETS.find((name) => this.isLinked(name));
    if (linked) return t.linked(linked);
    if (select === "index" && readNumbers(numbers) === null) return t.noList(numbers, index);
    const count = picture.faces.length;
    if (!count) return t.noFace;
    const told = chosen.length ? t.chosen(chosen.join(", "), count) : t.noSuchFace;
    return this.pictures.length > 1 ? `${told} ${t.everyPicture}` : told;
  }

  /** Buttons from picture to picture of a batch. */
  makeTurner() {
    const t = texts().picker;
    const count = this.pictures.length;
    const turn = (by) => () => {
      this.current = (this.current + by + count) % count;
      this.draw();
      this.body.querySelector(`[data-turn="${by}"]`)?.focus();
    };
    const button = (by, label, text) =>
      element(
        "button",
        { type: "button", class: "iid-turn", "aria-label": label, "data-turn": by, onclick: turn(by) },
        text,
      );
    return element(
      "div",
      { class: "iid-turner" },
      button(-1, t.previous, "\u2039"),
      element("span", {}, t.place(this.current + 1, count)),
      button(1, t.next, "\u203a"),
    );
  }

  choose(number, add) {
    const picture = this.pictures[this.current];
    this.write(add ? toggled(picture, this.setting(), number) : only(number));
    this.paint();
  }

  /** @returns {import("./picker/choice.js").Setting} what the widgets hold */
  setting() {
    const value = (name) => this.widget(name)?.value;
    return {
      select: String(value("select") ?? "largest"),
      index: Math.trunc(Number(value("index"))) || 0,
      numbers: String(value("numbers") ?? ""),
    };
  }

  /** Sets the widgets as one change, so that one undo takes it back. */
  write(setting) {
    const { canvas } = app;
    canvas.emitBeforeChange?.();
    for (const name of WIDGETS) {
      const widget = this.widget(name);
      if (!widget || widget.value === setting[name]) continue;
      widget.value = setting[name];
      widget.callback?.(widget.value, canvas, this.node, this.node.pos);
    }
    canvas.emitAfterChange?.();
    this.node.graph?.setDirtyCanvas(true, true);
  }

  /** Puts defaults where a workflow file had values of another kind, and says so. */
  mend() {
    const sound = { index: Number.isInteger, numbers: (value) => typeof value === "string" };
    const usual = { index: 0, numbers: "" };
    const odd = Object.keys(sound).filter((name) => {
      const widget = this.widget(name);
      return widget && !sound[name](widget.value);
    });
    for (const name of odd) this.widget(name).value = usual[name];
    if (!odd.length) return;
    const t = texts().picker;
    this.note = t.mended(odd.join(t.and));
    this.draw();
  }

  /** Follows changes that are made in the widgets themselves. */
  watchWidgets() {
    for (const widget of WIDGETS.map((name) => this.widget(name)).filter(Boolean)) {
      const before = widget.callback;
      widget.callback = (...given) => {
        const result = before?.apply(widget, given);
        this.paint();
        return result;
      };
    }
  }

  widget(name) {
    return this.node.widgets?.find((widget) => widget.name === name);
  }

  isLinked(name) {
    const slot = this.node.inputs?.find((input) => input.widget?.name === name);
    return slot?.link !== null && slot?.link !== undefined;
  }
}

/** @type {WeakMap<object, FacePicker>} by node */
const pickers = new WeakMap();

app.registerExtension({
  name: "InstantIDCompose.FacePicker",
  nodeCreated(node) {
    if (node.comfyClass === NODE) pickers.set(node, new FacePicker(node));
  },
  loadedGraphNode(node) {
    pickers.get(node)?.mend();
  },
});
