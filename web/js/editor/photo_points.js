/**
 * Asks the server for the points of the photo that a node takes its faces from.
 *
 * The face analysis before the node runs, and nothing behind it; where it has run already, the server
 * answers from its cache. The answer is what InstantID Pose shows besides its picture.
 */

import { isSame, wayTo } from "../graph_walk.js";
import { isOpenWay } from "./instances.js";
import { texts } from "../texts/texts.js";

export const PHOTO_OUTPUT = "instantid_pose";
const POSE_CLASS = "InstantIDPose";
const PROBE = "instantid_compose_probe";
const VIEW = "instantid_compose_view";
const PATIENCE = 500;
/** A small picture that nobody looks at, with every other setting at rest. */
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
 * @param {object} app ComfyUI's
 * @param {object} node InstantID Pose with its input `faces` connected
 * @param {() => boolean} isWanted whether anybody still waits
 * @returns {Promise<string>}
 * @throws {Error} with a sentence
 */
export async function findPoints(app, node, isWanted) {
  const { output } = await app.graphToPrompt();
  const faces = sourceOf(output, node);
  if (!faces) throw new Error(texts().pose.leadsNowhere);
  const answer = await app.api.fetchApi("/prompt", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ prompt: { ...ancestors(output, faces[0]), ...probe(faces) } }),
  });
  const accepted = await answer.json();
  if (!answer.ok) throw new Error(refusal(accepted));
  return waitFor(app.api, accepted.prompt_id, isWanted);
}

/** @throws {Error} where a subgraph is used twice, with two photos, and nobody has opened either */
function sourceOf(output, node) {
  const found = Object.keys(output)
    .filter((id) => output[id].class_type === POSE_CLASS && isSame(wayTo(id).at(-1), node))
    .map((id) => ({ way: wayTo(id), faces: output[id].inputs.faces }));
  const isOneSource = new Set(found.map(({ faces }) => JSON.stringify(faces))).size < 2;
  const chosen = isOneSource ? found[0] : found.find(({ way }) => isOpenWay(way));
  if (found.length && !chosen) throw new Error(texts().pose.severalPhotos);
  return Array.isArray(chosen?.faces) ? chosen.faces : null;
}

function ancestors(output, id, found = {}) {
  if (found[id] || !output[id]) return found;
  found[id] = output[id];
  for (const input of Object.values(output[id].inputs)) {
    if (Array.isArray(input)) ancestors(output, input[0], found);
  }
  return found;
}

function probe(faces) {
  // Unused beside faces, and never the same, so that the server does not answer without looking.
  const _meta = { title: texts().pose.probe };
  const inputs = { ...SETTINGS, faces, face_height: 0.5 + Math.random() / 2 };
  return {
    [PROBE]: { class_type: POSE_CLASS, inputs, _meta },
    [VIEW]: { class_type: "PreviewImage", inputs: { images: [PROBE, 1] }, _meta },
  };
}

async function waitFor(api, id, isWanted) {
  while (isWanted()) {
    const history = await (await api.fetchApi(`/history/${id}`)).json();
    const entry = history[id];
    const text = entry?.outputs?.[PROBE]?.[PHOTO_OUTPUT]?.[0];
    if (text) return text;
    if (entry) throw new Error(failure(entry));
    await new Promise((later) => setTimeout(later, PATIENCE));
  }
  throw new Error(texts().pose.closed);
}

function refusal({ error, node_errors: faults }) {
  const [first] = Object.values(faults ?? {});
  const details = first?.errors?.[0]?.details ?? error?.details ?? "";
  return texts().pose.refused(error?.message ?? texts().pose.noReason, details);
}

function failure({ status }) {
  const [, told] = status?.messages?.find(([kind]) => kind === "execution_error") ?? [];
  return told?.exception_message?.trim() ?? texts().pose.noPoints;
}
