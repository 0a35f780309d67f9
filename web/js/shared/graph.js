/** Walks through the graph and its subgraphs. */

import { app } from "../../../../scripts/app.js";

/** The graph that contains all others. */
export function rootGraph() {
  return app.rootGraph ?? app.graph;
}

/**
 * Nodes and the contents of their subgraphs; a subgraph used twice is visited twice.
 * @param {Iterable<ComfyNode>} [nodes]
 * @returns {Generator<ComfyNode>}
 */
export function* everyNode(nodes = rootGraph()?.nodes ?? []) {
  for (const node of nodes) {
    yield node;
    if (node.subgraph) yield* everyNode(node.subgraph.nodes);
  }
}

/**
 * The nodes that an execution id names, from the outermost to the node itself: one for `3`, three
 * for `7:5:3`, a node in nested subgraphs.
 * @param {unknown} id
 * @returns {ComfyNode[]} empty if there is no such node
 */
export function nodePath(id) {
  const path = [];
  /** @type {ComfyGraph | undefined} */
  let graph = rootGraph();
  for (const part of String(id ?? "").split(":")) {
    /** @type {ComfyNode | null | undefined} */
    const node = graph?.getNodeById?.(Number(part)) ?? graph?.getNodeById?.(part);
    if (!node) return [];
    path.push(node);
    graph = node.subgraph;
  }
  return path;
}

/**
 * Whether two objects stand for one node. The front end may hand out proxies, which are not equal.
 * @param {ComfyNode | undefined} one @param {ComfyNode | undefined} other
 */
export function isSameNode(one, other) {
  return one?.id === other?.id && one?.graph?.id === other?.graph?.id;
}

/**
 * Calls a listener before one of a node's own callbacks.
 * @template {"onExecuted" | "onRemoved"} Name
 * @param {ComfyNode} node
 * @param {Name} name
 * @param {(...given: Parameters<NonNullable<ComfyNode[Name]>>) => void} listener
 */
export function listenTo(node, name, listener) {
  const original = /** @type {((...given: unknown[]) => unknown) | undefined} */ (node[name]);
  /** @param {Parameters<NonNullable<ComfyNode[Name]>>} given */
  const both = (...given) => {
    listener(...given);
    return original?.apply(node, given);
  };
  Reflect.set(node, name, both);
}
