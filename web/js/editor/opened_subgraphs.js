/**
 * The instance through which each subgraph was opened: nodes inside a subgraph are the same objects
 * for all its instances.
 */

/** @type {WeakMap<ComfyGraph, ComfyNode>} */
const openedThrough = new WeakMap();

/** @param {ComfyCanvas | undefined} canvas the graph's canvas */
export function watchOpening(canvas) {
  canvas?.canvas?.addEventListener("subgraph-opened", (event) => {
    const { detail } = /** @type {CustomEvent} */ (event);
    if (detail?.fromNode) openedThrough.set(detail.subgraph, detail.fromNode);
  });
}

/**
 * Whether the subgraphs along a path were last opened through the path's own nodes.
 * @param {ComfyNode[]} path from the outermost node inwards
 */
export function isOpenedPath(path) {
  return path
    .slice(0, -1)
    .every(({ id, subgraph }) => subgraph && openedThrough.get(subgraph)?.id === id);
}
