/** Warnings that the server sends during a run, as messages in the corner of the front end. */

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { nodePath } from "./shared/graph.js";
import { warn } from "./shared/toasts.js";

const EVENT = "instantid_compose.warning";

/** @param {CustomEvent} event */
function showWarning({ detail }) {
  const { message, node } = detail ?? {};
  if (typeof message === "string") warn(nodePath(node).at(-1), message);
}

app.registerExtension({
  name: "InstantIDCompose.Notices",
  setup() {
    api.addEventListener(EVENT, showWarning);
  },
});
