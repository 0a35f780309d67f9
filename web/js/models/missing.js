/** Signs that a model file of InstantID is missing. No DOM. */

import { isSameFile } from "../shared/file_names.js";

const ADAPTER_NODE = "InstantIDLoadAdapter";
const ANALYZER_NODE = "InstantIDLoadFaceAnalyzer";
const MODELS_NODE = "InstantIDLoadModels";
const CONTROL_NET_NODE = "ControlNetLoader";
/** Classes of the pack's own loaders. */
export const LOADERS = [ADAPTER_NODE, ANALYZER_NODE, MODELS_NODE];
/** Those that open the face models. */
export const FACE_MODEL_LOADERS = [ANALYZER_NODE, MODELS_NODE];
/** Widgets that name a file of InstantID, by class of node. @type {Record<string, string[]>} */
const FILE_WIDGETS = {
  [ADAPTER_NODE]: ["adapter_name"],
  [MODELS_NODE]: ["adapter_name", "control_net_name"],
  [CONTROL_NET_NODE]: ["control_net_name"],
};
// The server's entry in a list of files when there is none.
const NO_FILE = /^no file found - see Get InstantID models$/;
// Modes of a node, as the editor numbers them.
const NEVER = 2;
const BYPASSED = 4;
const IDENTITY_NET = /instantid|diffusion_pytorch_model/i;

/** @param {unknown} value of a widget that names a file */
export function isPlaceholder(value) {
  return NO_FILE.test(String(value));
}

/**
 * Names of files that a widget offers.
 * @param {ComfyWidget | undefined} widget
 * @returns {unknown[]}
 */
export function offeredFiles(widget) {
  const values = widget?.options?.values;
  return Array.isArray(values) ? values : [];
}

/** The names of a node's widgets that name a file of InstantID. @param {ComfyNode} node */
export function fileWidgetNames(node) {
  return FILE_WIDGETS[node.comfyClass ?? ""] ?? [];
}

/**
 * Whether a widget names a file that the server does not have.
 * @param {ComfyNode} node
 * @param {ComfyWidget} widget
 */
export function isMissing(node, widget) {
  if (!Array.isArray(widget.options?.values)) return false; // not known yet
  if (node.comfyClass === CONTROL_NET_NODE && !IDENTITY_NET.test(String(widget.value))) return false;
  if (isPlaceholder(widget.value)) return true;
  return !offeredFiles(widget).includes(widget.value) && sameFileElsewhere(widget) === undefined;
}

/** Whether a node is muted or bypassed: it runs nothing and lacks nothing. @param {ComfyNode} node */
export function isOff({ mode }) {
  return mode === NEVER || mode === BYPASSED;
}

/**
 * The offered name of the file that a widget means. Windows lists `folder\file`, and workflows come
 * from every system: a name that differs in separators alone is the same file.
 * @param {ComfyWidget} widget
 * @returns {unknown} undefined where the widget's own value is right, or no name is like it
 */
export function sameFileElsewhere(widget) {
  const offered = offeredFiles(widget);
  if (offered.includes(widget.value)) return undefined;
  return offered.find((name) => isSameFile(name, widget.value));
}

/**
 * Whether InstantID lacks a published file. One that is optional does not lack.
 * @param {import("./server.js").Model} model
 */
export function isLacking(model) {
  return model.state === "missing" && !model.optional;
}

/**
 * Whether the server has rejected a prompt because a file of InstantID is missing.
 * @param {Record<string, PromptError> | null | undefined} nodeErrors
 */
export function isFileMissing(nodeErrors) {
  return Object.values(nodeErrors ?? {}).some(({ class_type: kind, errors }) => {
    if (kind === ADAPTER_NODE || kind === MODELS_NODE) return true;
    if (kind !== CONTROL_NET_NODE) return false;
    return errors.some((error) => IDENTITY_NET.test(error.extra_info?.received_value ?? ""));
  });
}
