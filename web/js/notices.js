/** Warnings that the server sends while a graph runs, as messages in the corner of the editor. */

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";

const EVENT = "instantid_compose.warning";
const SECONDS = 20;

/** The title of the node that an execution id such as `3` or, in a subgraph, `7:3` names. */
function titleOf(id) {
  let graph = app.rootGraph ?? app.graph;
  let node;
  for (const part of String(id ?? "").split(":")) {
    node = graph?.getNodeById?.(Number(part)) ?? graph?.getNodeById?.(part);
    graph = node?.subgraph;
  }
  return node?.title;
}

function tell({ detail }) {
  const { message, node } = detail ?? {};
  if (typeof message !== "string") return;
  app.extensionManager?.toast?.add({
    severity: "warn",
    summary: titleOf(node) ?? "InstantID Compose",
    detail: message,
    life: SECONDS * 1000,
  });
}

app.registerExtension({
  name: "InstantIDCompose.Notices",
  setup() {
    api.addEventListener(EVENT, tell);
  },
});
