/** Colour and width of the pack's nodes, as defaults that no workflow file stores. No DOM. */

const TITLE_BAR = "#5a3a2e";
const OWN = /^InstantID[A-Z]/;
const LEAST_WIDTH = 270; // pixels; the longest titles fit

/** Whether a class of nodes is the pack's. @param {string | undefined} kind */
export function isOwnKind(kind) {
  return OWN.test(kind ?? "");
}

/** Colours all nodes of a class in the classic canvas. @param {{color?: string}} kind */
export function colourKind(kind) {
  kind.color ??= TITLE_BAR;
}

/** Makes a new node wide enough for its title. @param {ComfyNode} node */
export function widen(node) {
  if (node.size[0] < LEAST_WIDTH) node.setSize([LEAST_WIDTH, node.size[1]]);
}
