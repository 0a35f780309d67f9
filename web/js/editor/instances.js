/** Which use of a subgraph somebody looks at: the nodes inside are the same objects for all. */

/** Subgraph to the node through which it was opened last. */
const openedFrom = new WeakMap();

/** @param {object} canvas the graph's canvas */
export function watchOpening(canvas) {
  canvas?.canvas?.addEventListener("subgraph-opened", ({ detail }) => {
    if (detail?.fromNode) openedFrom.set(detail.subgraph, detail.fromNode);
  });
}

/**
 * Whether a way from the root into a subgraph is the one that was taken.
 * @param {object[]} way nodes, from outside inwards
 */
export function isOpenWay(way) {
  return way.slice(0, -1).every((host) => openedFrom.get(host.subgraph)?.id === host.id);
}
