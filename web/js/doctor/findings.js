/**
 * What the Doctor has found, in the order in which people read it. No DOM.
 *
 * @typedef {"problem" | "note" | "ok"} State
 * @typedef {{check: string, state: State, found: string, advice: string}} Finding
 * @typedef {{findings: Finding[], text: string}} Report text: the same as plain text
 */

/** @type {State[]} */
const ORDER = ["problem", "note", "ok"];

/** Problems first; otherwise in the Doctor's order. @param {Finding[]} findings */
export function byUrgency(findings) {
  return [...findings].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
}

/** @param {Finding[]} findings @param {State} state */
export function countOf(findings, state) {
  return findings.filter((finding) => finding.state === state).length;
}
