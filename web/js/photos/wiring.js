/** Changes of the graph that bring a photo to a node of the pack, each one step of undo. */

import { app } from "../../../../scripts/app.js";
import { asOneStep } from "../shared/undo.js";
import { inputSlot, setWidget, widgetOf } from "../shared/widgets.js";

const LOAD_IMAGE = "LoadImage";
const APPLY = "InstantIDApply";
const MODELS = "InstantIDLoadModels";
const SAMPLER = "KSampler";
const GAP = 60; // pixels between nodes
const LOADER_SIZE = [315, 314]; // of a Load Image with a picture
/** Inputs for a photo, by class of node. @type {Record<string, string>} */
export const PHOTO_INPUTS = {
  [APPLY]: "image",
  InstantIDAnalyzeFaces: "image",
};

/**
 * Lets a node take a photo: from the Load Image that it has, else from a new one beside it.
 * @param {ComfyNode} node one of `PHOTO_INPUTS`
 * @param {string} name of the uploaded photo
 */
export function givePhoto(node, name) {
  rewire(() => {
    const slot = inputSlot(node, PHOTO_INPUTS[node.comfyClass ?? ""]);
    const known = node.getInputNode?.(slot);
    const loader = known?.type === LOAD_IMAGE ? known : addBeside(node, LOAD_IMAGE);
    if (!loader) return;
    offer(loader, name);
    setWidget(loader, "image", name);
    if (loader !== known) loader.connect?.(0, node, slot);
  });
}

/**
 * Uses the photo of a Load Image: in the first node InstantID that has none, else in a new one with
 * its models, before the sampler if there is just one.
 * @param {ComfyNode} loader
 */
export function usePhoto(loader) {
  rewire(() => {
    const nodes = loader.graph?.nodes ?? [];
    const free = nodes.find((node) => node.type === APPLY && !isTaken(node, "image"));
    const apply = free ?? addApply(loader);
    if (apply) loader.connect?.(0, apply, inputSlot(apply, "image"));
  });
}

/** @param {ComfyNode} loader */
function addApply(loader) {
  const samplers = (loader.graph?.nodes ?? []).filter(({ type }) => type === SAMPLER);
  const below = [loader.pos[0], loader.pos[1] + loader.size[1] + GAP + 40];
  const models = add(loader.graph, MODELS, below);
  const apply = add(loader.graph, APPLY, [loader.pos[0] + loader.size[0] + GAP, loader.pos[1]]);
  if (!models || !apply) return null;
  for (const name of ["adapter", "control_net", "analyzer"]) {
    models.connect?.(outputSlot(models, name), apply, inputSlot(apply, name));
  }
  if (samplers.length === 1) putBefore(samplers[0], apply);
  return apply;
}

/**
 * Leads what a sampler takes through the node InstantID.
 * @param {ComfyNode} sampler @param {ComfyNode} apply
 */
function putBefore(sampler, apply) {
  for (const name of ["model", "positive", "negative"]) {
    const slot = inputSlot(sampler, name);
    const source = sampler.getInputNode?.(slot);
    const link = sampler.getInputLink?.(slot);
    if (source && link) source.connect?.(link.origin_slot, apply, inputSlot(apply, name));
    apply.connect?.(outputSlot(apply, name), sampler, slot);
  }
}

/** @param {ComfyNode} node @param {string} kind a node left of it */
function addBeside(node, kind) {
  const [width, height] = LOADER_SIZE;
  const made = add(node.graph, kind, [node.pos[0] - width - GAP, node.pos[1]]);
  made?.setSize([width, height]);
  return made;
}

/**
 * @param {ComfyGraph | null | undefined} graph @param {string} kind @param {number[]} pos
 * @returns {ComfyNode | null} null where the front end has no such node
 */
function add(graph, kind, pos) {
  const node = window.LiteGraph?.createNode(kind) ?? null;
  if (!node || !graph?.add) return null;
  node.pos = pos;
  graph.add(node);
  return node;
}

/** Puts a new file into a widget's list. @param {ComfyNode} loader @param {string} name */
function offer(loader, name) {
  const values = widgetOf(loader, "image")?.options?.values;
  if (Array.isArray(values) && !values.includes(name)) values.push(name);
}

/** @param {ComfyNode} node @param {string} name */
function isTaken(node, name) {
  return node.inputs?.[inputSlot(node, name)]?.link != null;
}

/** @param {ComfyNode} node @param {string} name */
function outputSlot(node, name) {
  return node.outputs?.findIndex((output) => output.name === name) ?? -1;
}

/** Changes the graph in one step of undo, and draws it. @param {() => void} change */
function rewire(change) {
  asOneStep(change);
  app.canvas.setDirty?.(true, true);
}
