/** The person on InstantID Load Identity, and the gallery that a button opens. */

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { PeopleDialog } from "./people/dialog.js";
import { People } from "./people/people.js";
import { portraitOf } from "./people/portrait.js";
import { addPanel } from "./panels/panel.js";
import { button, element, loadStyle } from "./shared/dom.js";
import { listenTo } from "./shared/graph.js";
import { SAVED } from "./shared/server.js";
import { asOneStep } from "./shared/undo.js";
import { followWidget, isConnected, isNothingYet, offer, setWidget, valueOf } from "./shared/widgets.js";
import { texts } from "./texts/texts.js";

const NODE = "InstantIDLoadIdentity";
const NAME = "identity_name";
const HEIGHT = 72;

/** @type {{people: People, dialog: PeopleDialog} | undefined} made when the first node needs it */
let gallery;

function theGallery() {
  if (gallery) return gallery;
  const people = new People(api, texts().models.silent);
  const made = { people, dialog: new PeopleDialog(people) };
  gallery = made;
  refresh();
  return made;
}

/** Reads the list again; if the server does not answer, the nodes stay as they are. */
async function refresh() {
  try {
    await gallery?.people.refresh();
  } catch (error) {
    console.info("InstantID Compose: the list of identities could not be read.", error);
  }
}

class PersonPanel {
  /** @param {ComfyNode} node */
  constructor(node) {
    this.node = node;
    this.gallery = theGallery();
    this.root = element("div", { className: "iid-panel iid-person" });
    addPanel(node, "person", this.root, {
      key: NAME,
      height: () => HEIGHT,
      show: () => this.draw(),
      read: () => null,
    });
    this.follow();
  }

  follow() {
    const update = () => this.update();
    this.gallery.people.listen(update);
    listenTo(this.node, "onRemoved", () => this.gallery.people.forget(update));
    followWidget(this.node, NAME, () => this.draw());
    this.update();
  }

  /** Offers the files that are there now. */
  update() {
    offer(this.node, NAME, this.gallery.people.list?.map(({ file }) => file) ?? []);
    this.draw();
  }

  draw() {
    const t = texts().people;
    const file = valueOf(this.node, NAME);
    const person = this.gallery?.people.of(file);
    const choose = button(t.choose, () =>
      this.gallery.dialog.open(file, (chosen) => this.choose(chosen.file)),
    );
    choose.disabled = isConnected(this.node, NAME);
    const [name, about] = this.words(person, file);
    this.root.replaceChildren(
      portraitOf(person),
      element(
        "div",
        { className: "iid-who" },
        element("strong", { title: name }, name),
        element("span", { className: "iid-about", title: about }, about),
      ),
      choose,
    );
  }

  /** Name, and what is to be said. @param {import("./people/people.js").Person | undefined} person @param {unknown} file */
  words(person, file) {
    const t = texts().people;
    if (isConnected(this.node, NAME)) return [t.byWire, ""];
    if (person) return [person.name, person.problem || person.consent || ""];
    if (isNothingYet(file)) return [t.nobodyYet, t.nobody];
    if (!this.gallery?.people.list) return [String(file ?? ""), ""];
    return [t.gone, String(file)];
  }

  /** One step of the graph's undo. @param {string} file */
  choose(file) {
    asOneStep(() => setWidget(this.node, NAME, file));
    this.draw();
    this.node.graph?.setDirtyCanvas(true, true);
  }
}

/** @type {WeakMap<ComfyNode, PersonPanel>} */
const panels = new WeakMap();

app.registerExtension({
  name: "InstantIDCompose.PeopleGallery",
  nodeCreated(node) {
    if (node.comfyClass !== NODE) return;
    loadStyle("people/people.css");
    panels.set(node, new PersonPanel(node));
  },
  loadedGraphNode(node) {
    panels.get(node)?.update();
  },
  refreshComboInNodes: refresh,
  setup() {
    api.addEventListener(SAVED, ({ detail }) => {
      if (detail?.node === NODE) refresh();
    });
  },
});
