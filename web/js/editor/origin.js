/** What the faces of a node are made from, as text, to notice when it has changed since a run. */

import { everyNode, rootGraph } from "../graph_walk.js";

/**
 * Links, and values of widgets, of everything on the way to the input `faces` of a node.
 * @param {object} node
 * @returns {string | null} null where they cannot be told, as in a subgraph that is used twice
 */
export function originOf(node) {
  const origin = new Origin();
  origin.surroundings(node.graph);
  origin.input(node, node.inputs?.findIndex((input) => input.name === "faces") ?? -1);
  return origin.text;
}

class Origin {
  #told = new Map();
  #isClear = true;

  get text() {
    return this.#isClear ? JSON.stringify([...this.#told]) : null;
  }

  /** The nodes that a graph is the inside of: some of its widgets may show on them. */
  surroundings(graph) {
    for (let host = this.#host(graph); host; host = this.#host(host.graph)) this.#tell(host);
  }

  #host(graph) {
    if (!graph || graph.id === rootGraph()?.id) return null;
    const hosts = [...everyNode()].filter((node) => node.subgraph?.id === graph.id);
    if (hosts.length !== 1) this.#isClear = false;
    return hosts.length === 1 ? hosts[0] : null;
  }

  #tell(node) {
    const values = (node.widgets ?? [])
      .filter((widget) => widget.serialize !== false && typeof widget.value !== "object")
      .map((widget) => [widget.name, widget.value]);
    this.#told.set(keyOf(node), [node.mode ?? 0, ...values]);
  }

  #visit(node) {
    if (this.#told.has(keyOf(node))) return;
    this.#tell(node);
    for (const slot of (node.inputs ?? []).keys()) this.input(node, slot);
    for (const inner of node.subgraph?.nodes ?? []) this.#visit(inner);
  }

  /** Follows a link upwards, out of a subgraph where it begins at its edge. */
  input(node, slot) {
    const id = node.inputs?.[slot]?.link ?? null;
    if (id === null) return;
    const link = node.graph?.getLink?.(id) ?? node.graph?.links?.[id];
    this.#told.set(`${keyOf(node)} ${slot}`, [link?.origin_id, link?.origin_slot]);
    const source = node.getInputNode?.(slot);
    if (source) return this.#visit(source);
    const host = this.#host(node.graph);
    if (host && link) this.input(host, link.origin_slot);
  }
}

function keyOf(node) {
  return `${node.graph?.id}:${node.id}`;
}
