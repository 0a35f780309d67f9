/** A snapshot of everything that the faces of a node depend on, to detect changes since a run. */

import { everyNode, rootGraph } from "../shared/graph.js";
import { inputSlot } from "../shared/widgets.js";

/**
 * Links and widget values of the nodes that lead to a node's input `faces`, as text.
 * @param {ComfyNode} node
 * @returns {string | null} null if they are ambiguous, as in a subgraph that is used twice
 */
export function upstreamSnapshot(node) {
  const upstream = new Upstream();
  upstream.addHosts(node.graph);
  upstream.addInput(node, inputSlot(node, "faces"));
  return upstream.text;
}

class Upstream {
  /** @type {Map<string, unknown>} */
  #entries = new Map();
  #isAmbiguous = false;

  get text() {
    return this.#isAmbiguous ? null : JSON.stringify([...this.#entries]);
  }

  /**
   * Adds the nodes around a subgraph, which may show some of its widgets.
   * @param {ComfyGraph | null | undefined} graph
   */
  addHosts(graph) {
    for (let host = this.#hostOf(graph); host; host = this.#hostOf(host.graph)) this.#add(host);
  }

  /**
   * Follows a link upstream, and out of a subgraph where it starts at the subgraph's edge.
   * @param {ComfyNode} node @param {number} slot
   */
  addInput(node, slot) {
    const id = node.inputs?.[slot]?.link ?? null;
    if (id === null) return;
    const link = node.graph?.getLink?.(id) ?? node.graph?.links?.[id];
    this.#entries.set(`${keyOf(node)} ${slot}`, [link?.origin_id, link?.origin_slot]);
    const source = node.getInputNode?.(slot);
    if (source) {
      this.#visit(source);
      return;
    }
    const host = this.#hostOf(node.graph);
    if (host && link) this.addInput(host, link.origin_slot);
  }

  /** The node that a subgraph is inside of. @param {ComfyGraph | null | undefined} graph */
  #hostOf(graph) {
    if (!graph || graph.id === rootGraph()?.id) return null;
    const hosts = [...everyNode()].filter((node) => node.subgraph?.id === graph.id);
    if (hosts.length !== 1) this.#isAmbiguous = true;
    return hosts.length === 1 ? hosts[0] : null;
  }

  /** @param {ComfyNode} node */
  #visit(node) {
    if (this.#entries.has(keyOf(node))) return;
    this.#add(node);
    for (const slot of (node.inputs ?? []).keys()) this.addInput(node, slot);
    for (const inner of node.subgraph?.nodes ?? []) this.#visit(inner);
  }

  /** @param {ComfyNode} node */
  #add(node) {
    const values = (node.widgets ?? [])
      .filter((widget) => widget.serialize !== false && typeof widget.value !== "object")
      .map((widget) => [widget.name, widget.value]);
    this.#entries.set(keyOf(node), [node.mode ?? 0, ...values]);
  }
}

/** @param {ComfyNode} node */
function keyOf(node) {
  return `${node.graph?.id}:${node.id}`;
}
