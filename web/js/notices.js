/** Warnings that the server sends while a graph runs, as messages in the corner of the editor. */

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { wayTo } from "./graph_walk.js";
import { warn } from "./warn.js";

const EVENT = "instantid_compose.warning";

function tell({ detail }) {
  const { message, node } = detail ?? {};
  if (typeof message === "string") warn(wayTo(node).at(-1), message);
}

app.registerExtension({
  name: "InstantIDCompose.Notices",
  setup() {
    api.addEventListener(EVENT, tell);
  },
});
