/** What the server says during a run: warnings, and errors of this pack, as messages. */

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { helpFor, isOwn, isSentence, nameOf } from "./messages/errors.js";
import {
  beginRun,
  currentWorkflow,
  isMarked,
  refresh,
  rememberRun,
  showAgain,
  tell,
} from "./messages/messages.js";
import { graphLoaded } from "./shared/loading.js";
import { MESSAGE_SECONDS } from "./shared/settings.js";
import { texts } from "./texts/texts.js";

const WARNING = "instantid_compose.warning";

/** @param {CustomEvent} event */
function showWarning({ detail }) {
  const { message, node, prompt_id: run } = detail ?? {};
  if (typeof message !== "string") return;
  tell(run, { node: String(node ?? ""), text: message, severity: "warning", help: null });
}

/** @param {CustomEvent} event */
function showError({ detail }) {
  if (!detail || !isOwn(detail)) return;
  const said = String(detail.exception_message ?? "").trim();
  const text = isSentence(detail) ? said : texts().messages.fault(nameOf(detail));
  const node = String(detail.node_id ?? "");
  tell(detail.prompt_id, { node, text, severity: "error", help: helpFor(detail) });
}

/** Remembers the workflow of every run: the front end keeps that to itself. */
function watchQueue() {
  const queue = api.queuePrompt;
  if (!queue) return;
  api.queuePrompt = function (...given) {
    const workflow = currentWorkflow();
    const asked = queue.apply(this, given);
    // Beside the caller, so that a refused prompt's trace does not lead through here.
    asked.then(
      (answer) => answer?.prompt_id && rememberRun(answer.prompt_id, workflow),
      () => {},
    );
    return asked;
  };
}

app.registerExtension({
  name: "InstantIDCompose.Notices",
  settings: [MESSAGE_SECONDS],
  getNodeMenuItems(node) {
    if (!isMarked(node)) return [];
    return [{ content: texts().messages.again, callback: showAgain }];
  },
  setup() {
    watchQueue();
    app.canvas.canvas?.addEventListener("litegraph:set-graph", refresh);
    api.addEventListener(WARNING, showWarning);
    api.addEventListener("execution_error", showError);
    api.addEventListener("execution_start", ({ detail }) => beginRun(detail?.prompt_id));
  },
  afterConfigureGraph() {
    // Not returned: the front end would wait for this while it loads.
    graphLoaded().then(refresh);
  },
});
