/** Waiting until the front end has loaded a workflow. */

import { app } from "../../../../scripts/app.js";
import { sleep } from "./server.js";

const POLL_INTERVAL = 20; // milliseconds
const TIMEOUT = 10_000;

/** The undo history of the graph. */
export function changeTracker() {
  return app.extensionManager?.workflow?.activeWorkflow?.changeTracker;
}

/** Waits until no graph is being loaded: its workflow is then the active one. */
export async function graphLoaded() {
  const end = Date.now() + TIMEOUT;
  do await sleep(POLL_INTERVAL);
  while (changeTracker()?.constructor.isLoadingGraph && Date.now() < end);
}
