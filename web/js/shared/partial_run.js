/**
 * Runs a part of the graph on the server, outside of the front end's own queue of the workflow.
 * Results that the server has cached are not computed again.
 */

import { texts } from "../texts/texts.js";
import { isSameNode, nodePath } from "./graph.js";
import { sleep } from "./server.js";

const POLL_INTERVAL = 500; // milliseconds

/** @typedef {Record<string, Record<string, string[] | undefined> | undefined>} Outputs by node */

/**
 * A node of a prompt and everything upstream of it.
 * @param {Prompt} output @param {string} id @param {Prompt} found
 * @returns {Prompt}
 */
export function ancestors(output, id, found = {}) {
  if (found[id] || !output[id]) return found;
  found[id] = output[id];
  for (const input of Object.values(output[id].inputs)) {
    if (Array.isArray(input)) ancestors(output, input[0], found);
  }
  return found;
}

/** Ids in a prompt that stand for a node: several in a subgraph that is used several times. @param {Prompt} output @param {ComfyNode} node */
export function idsOf(output, node) {
  return Object.keys(output).filter((id) => isSameNode(nodePath(id).at(-1), node));
}

/**
 * Runs a prompt and waits for something in its outputs.
 * @template Found
 * @param {ComfyApi} api @param {Prompt} prompt
 * @param {(outputs: Outputs) => Found | undefined} find
 * @param {() => boolean} isWanted whether to go on waiting
 * @returns {Promise<Found>}
 * @throws {Error} with a sentence
 */
export async function runPart(api, prompt, find, isWanted) {
  const response = await api.fetchApi("/prompt", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ prompt }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(rejection(answer));
  const id = answer.prompt_id;
  while (isWanted()) {
    const history = await (await api.fetchApi(`/history/${id}`)).json();
    const entry = history[id];
    const found = entry && find(entry.outputs ?? {});
    if (found) return found;
    if (entry) throw new Error(failure(entry));
    await sleep(POLL_INTERVAL);
  }
  throw new Error(texts().partialRun.abandoned);
}

/**
 * @typedef {{message?: string, details?: string}} ServerError
 * @param {{error?: ServerError, node_errors?: Record<string, {errors?: ServerError[]}>}} answer
 */
function rejection({ error, node_errors: nodeErrors }) {
  const [first] = Object.values(nodeErrors ?? {});
  const details = first?.errors?.[0]?.details ?? error?.details ?? "";
  return texts().partialRun.refused(error?.message ?? texts().partialRun.noReason, details);
}

/** @param {{status?: {messages?: [string, {exception_message?: string}][]}}} entry of the history */
function failure({ status }) {
  const found = status?.messages?.find(([kind]) => kind === "execution_error");
  return found?.[1].exception_message?.trim() ?? texts().partialRun.noResult;
}
