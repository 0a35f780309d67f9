/** Nodes and graphs as ComfyUI's front end has them. */

import { app } from "./app.js";

/**
 * A node with widgets. `calls` lists the widgets' callbacks; `links` names connected inputs and, for
 * those that lead to a node, the node.
 */
export function makeNode({ id = 1, type = "InstantIDPose", widgets = {}, links = {} } = {}) {
  const calls = [];
  const entries = Object.entries(links);
  const node = {
    id,
    type,
    comfyClass: type,
    pos: [0, 0],
    calls,
    widgets: Object.entries(widgets).map(([name, value]) => ({
      name,
      value,
      callback: (to, canvas, owner) => calls.push([name, to, canvas, owner]),
    })),
    inputs: entries.map(([name], slot) => ({ name, link: slot + 1 })),
    getInputNode: (slot) => entries[slot]?.[1] ?? null,
  };
  return node;
}

/** Puts nodes into a graph, links included. */
export function makeGraph(id, ...nodes) {
  const graph = {
    id,
    nodes,
    getNodeById: (wanted) => nodes.find((node) => node.id === wanted) ?? null,
  };
  for (const node of nodes) {
    node.graph = graph;
    graph.getLink ??= () => undefined;
  }
  return graph;
}

/** Makes a graph the root of the front end's. */
export function setRoot(...nodes) {
  app.rootGraph = makeGraph("root", ...nodes);
}
