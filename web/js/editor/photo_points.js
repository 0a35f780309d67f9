/**
 * Asks the server for the keypoints of a node's photo.
 *
 * A small prompt runs the face analysis upstream of the node and an InstantID Pose node, whose output
 * has the pose as text. Results that the server has cached are not computed again.
 */

import { isSameNode, nodePath } from "../shared/graph.js";
import { sleep } from "../shared/server.js";
import { texts } from "../texts/texts.js";
import { isOpenedPath } from "./opened_subgraphs.js";

/** Key of the node's output that has the pose as text. */
export const POSE_OUTPUT = "instantid_pose";
const POSE_CLASS = "InstantIDPose";
const PROBE = "instantid_compose_probe";
const PREVIEW = "instantid_compose_view";
const POLL_INTERVAL = 500; // milliseconds
/** A small picture that is not shown, with neutral settings. */
const SETTINGS = {
  preset: "front",
  width: 64,
  height: 64,
  eye_line: 0.34,
  center_x: 0.5,
  scale: 1,
  rotate: 0,
  mirror: false,
  limb_opacity: 1,
  point_opacity: 1,
  pose_json: "",
};

/**
 * The pose of the photo as text.
 * @param {ComfyApp} app
 * @param {ComfyNode} node InstantID Pose with its input `faces` connected
 * @param {() => boolean} isWanted whether to go on waiting
 * @returns {Promise<string>}
 * @throws {Error} with a sentence
 */
export async function findPhotoPose(app, node, isWanted) {
  const { output } = await app.graphToPrompt();
  const faces = facesInput(output, node);
  if (!faces) throw new Error(texts().pose.leadsNowhere);
  const response = await app.api.fetchApi("/prompt", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ prompt: { ...ancestors(output, faces[0]), ...probe(faces) } }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(rejection(answer));
  return waitFor(app.api, answer.prompt_id, isWanted);
}

/**
 * The link into the node's input `faces`: id and output number of its source.
 * @param {Prompt} output @param {ComfyNode} node
 * @returns {[string, number] | null}
 * @throws {Error} if the node is in a subgraph with several photos, none of which has been opened
 */
export function facesInput(output, node) {
  const instances = Object.keys(output)
    .map((id) => ({ ...output[id], path: nodePath(id) }))
    .filter(({ class_type: kind, path }) => kind === POSE_CLASS && isSameNode(path.at(-1), node));
  const sources = new Set(instances.map(({ inputs }) => JSON.stringify(inputs.faces)));
  const chosen = sources.size < 2 ? instances[0] : instances.find(({ path }) => isOpenedPath(path));
  if (instances.length && !chosen) throw new Error(texts().pose.severalPhotos);
  const link = chosen?.inputs.faces;
  return Array.isArray(link) ? /** @type {[string, number]} */ (link) : null;
}

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

/** @param {[string, number]} faces @returns {Prompt} */
function probe(faces) {
  // A random value without effect, so that the server does not skip the node as unchanged.
  const _meta = { title: texts().pose.probe };
  const inputs = { ...SETTINGS, faces, face_height: 0.5 + Math.random() / 2 };
  return {
    [PROBE]: { class_type: POSE_CLASS, inputs, _meta },
    [PREVIEW]: { class_type: "PreviewImage", inputs: { images: [PROBE, 1] }, _meta },
  };
}

/** @param {ComfyApi} api @param {string} id @param {() => boolean} isWanted */
async function waitFor(api, id, isWanted) {
  while (isWanted()) {
    const history = await (await api.fetchApi(`/history/${id}`)).json();
    const entry = history[id];
    const text = entry?.outputs?.[PROBE]?.[POSE_OUTPUT]?.[0];
    if (text) return text;
    if (entry) throw new Error(failure(entry));
    await sleep(POLL_INTERVAL);
  }
  throw new Error(texts().pose.closed);
}

/**
 * @typedef {{message?: string, details?: string}} ServerError
 * @param {{error?: ServerError, node_errors?: Record<string, {errors?: ServerError[]}>}} answer
 */
function rejection({ error, node_errors: nodeErrors }) {
  const [first] = Object.values(nodeErrors ?? {});
  const details = first?.errors?.[0]?.details ?? error?.details ?? "";
  return texts().pose.refused(error?.message ?? texts().pose.noReason, details);
}

/** @param {{status?: {messages?: [string, {exception_message?: string}][]}}} entry of the history */
function failure({ status }) {
  const found = status?.messages?.find(([kind]) => kind === "execution_error");
  return found?.[1].exception_message?.trim() ?? texts().pose.noPoints;
}
