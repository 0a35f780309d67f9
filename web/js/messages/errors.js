/**
 * Errors of a run, as the server tells them: which are this pack's, and what helps. No DOM.
 *
 * @typedef {import("./board.js").Help} Help
 * @typedef {{prompt_id?: string, node_id?: NodeId, node_type?: string, exception_type?: string,
 *   exception_message?: string}} RunError
 */

import { isOwnKind } from "../looks/nodes.js";

/** The module that the server gives the pack's errors. */
const OWN_TYPE = /^InstantID\./;
const NAMES_THE_MANAGER = /Get InstantID models/;
const ASKS_FOR_PIP = / -m pip /;
const ABOUT_FILES = /^(FaceModel|Checkpoint)Error$/;

/**
 * Whether an error is one of this pack: of one of its nodes, or of what it adds to a model.
 * @param {RunError} error
 */
export function isOwn({ node_type: node = "", exception_type: type = "" }) {
  return isOwnKind(node) || OWN_TYPE.test(type);
}

/** The name of an error without its module. @param {RunError} error */
export function nameOf({ exception_type: type = "" }) {
  return type.split(".").at(-1) || "Error";
}

/**
 * Whether the pack has written the message for people to read. Anything else is a fault, whose
 * message may hold whatever a library has said.
 * @param {RunError} error
 */
export function isSentence({ exception_type: type = "" }) {
  return OWN_TYPE.test(type);
}

/** What to offer beside an error. @param {RunError} error @returns {Help} */
export function helpFor(error) {
  const sentence = error.exception_message ?? "";
  if (!isSentence(error) || ASKS_FOR_PIP.test(sentence)) return "check";
  if (NAMES_THE_MANAGER.test(sentence) || ABOUT_FILES.test(nameOf(error))) return "models";
  return null;
}
