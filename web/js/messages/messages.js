/** The messages of this page: kept by workflow, shown in a card and as marks on nodes. */

import { app } from "../../../../scripts/app.js";
import { nodePath, rootGraph } from "../shared/graph.js";
import { MESSAGE_SECONDS, numberOf } from "../shared/settings.js";
import { Board } from "./board.js";
import { Card } from "./card.js";
import { isMarked, markNodes } from "./marks.js";

/** @typedef {import("./board.js").Message} Message */

const COMMANDS = { models: "InstantIDCompose.GetModels", check: "InstantIDCompose.Check" };

const board = new Board();
const card = new Card(
  { models: () => execute(COMMANDS.models), check: () => execute(COMMANDS.check) },
  (id) => nodePath(id).at(-1)?.title,
  () => numberOf(MESSAGE_SECONDS),
);
/** The workflow that marks and card are of. */
let shown = "";

/**
 * What stands for the workflow on the screen: its graph's id, which it keeps when it is saved under
 * another name; its path where the graph has none.
 */
export function currentWorkflow() {
  const id = String(rootGraph()?.id ?? "");
  return /[1-9a-f]/.test(id) ? id : (app.extensionManager?.workflow?.activeWorkflow?.path ?? "");
}

/** Remembers which workflow has queued a run. @param {string} run @param {string} workflow */
export function rememberRun(run, workflow) {
  board.queued(run, workflow);
}

/** Forgets what the last run of a run's workflow has said. @param {string} run */
export function beginRun(run) {
  const workflow = board.workflowOf(run, currentWorkflow());
  const hadError = board.of(workflow).some(({ severity }) => severity === "error");
  board.clear(workflow);
  if (workflow !== currentWorkflow()) return;
  // Of several runs in the queue, the next begins at once: there would be no time to read.
  if (!hadError) card.hide();
  showMarks();
}

/**
 * Tells the reader, at once if the message's workflow is on the screen.
 * @param {string} run empty for what is not of a run
 * @param {Message} message
 */
export function tell(run, message) {
  const current = currentWorkflow();
  const workflow = board.workflowOf(run, current);
  board.add(workflow, message);
  if (workflow !== current) return;
  card.show(board.of(current));
  showMarks();
}

/** Warns of something in a node that is on the screen. @param {ComfyNode} node @param {string} text */
export function warn(node, text) {
  const id = node.graph === rootGraph() ? String(node.id) : "";
  tell("", { node: id, title: node.title, text, severity: "warning", help: null });
}

/** Adjusts to the workflow on the screen, whose nodes may have been recreated. */
export function refresh() {
  if (shown !== currentWorkflow()) card.hide();
  showMarks();
}

/** Shows the messages of the workflow on the screen again. */
export function showAgain() {
  const messages = board.of(currentWorkflow());
  if (messages.length) card.show(messages);
}

export { isMarked };

function showMarks() {
  shown = currentWorkflow();
  markNodes(board.of(shown), showAgain);
}

/** @param {string} command */
function execute(command) {
  app.extensionManager?.command.execute(command);
}
