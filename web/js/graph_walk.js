/** Ways through a graph and the subgraphs in it. */

import { app } from "../../../scripts/app.js";

/** @returns {object} the graph that holds all others */
export function rootGraph() {
  return app.rootGraph ?? app.graph;
}

/**
 * Nodes of a graph and of the subgraphs in it, once for each place that a subgraph is used in.
 * @param {Iterable<object> | undefined} nodes
 */
export function* everyNode(nodes = rootGraph()?.nodes) {
  for (const node of nodes ?? []) {
    yield node;
    if (node.subgraph) yield* everyNode(node.subgraph.nodes);
  }
}

/**
 * The nodes that an execution id such as `3` or, in subgraphs, `7:5:3` names, from outside inwards.
 * @param {unknown} id
 * @returns {object[]} empty where there is no such node
 */
export function wayTo(id) {
  const way = [];
  let graph = rootGraph();
  for (const part of String(id ?? "").split(":")) {
    const node = graph?.getNodeById?.(Number(part)) ?? graph?.getNodeById?.(part);
    if (!node) return [];
    way.push(node);
    graph = node.subgraph;
  }
  return way;
}

/** Whether two nodes are one. The editor may hand out wrappers, which are no identical objects. */
export function isSame(one, other) {
  return one?.id === other?.id && one?.graph?.id === other?.graph?.id;
}
