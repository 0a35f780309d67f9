/**
 * Asks the server for the keypoints of a node's photo.
 *
 * A small prompt runs the face analysis upstream of the node and an InstantID Pose node, whose output
 * has the pose as text. Results that the server has cached are not computed again.
 */

import { nodePath } from "../shared/graph.js";
import { ancestors, idsOf, runPart } from "../shared/partial_run.js";
import { texts } from "../texts/texts.js";
import { isOpenedPath } from "./opened_subgraphs.js";

/** Key of the node's output that has the pose as text. */
export const POSE_OUTPUT = "instantid_pose";
const POSE_CLASS = "InstantIDPose";
const PROBE = "instantid_compose_probe";
const PREVIEW = "instantid_compose_view";
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
  const prompt = { ...ancestors(output, faces[0]), ...probe(faces) };
  return runPart(app.api, prompt, (outputs) => outputs[PROBE]?.[POSE_OUTPUT]?.[0], isWanted);
}

/**
 * The link into the node's input `faces`: id and output number of its source.
 * @param {Prompt} output @param {ComfyNode} node
 * @returns {[string, number] | null}
 * @throws {Error} if the node is in a subgraph with several photos, none of which has been opened
 */
export function facesInput(output, node) {
  const instances = idsOf(output, node).map((id) => ({ ...output[id], path: nodePath(id) }));
  const sources = new Set(instances.map(({ inputs }) => JSON.stringify(inputs.faces)));
  const chosen = sources.size < 2 ? instances[0] : instances.find(({ path }) => isOpenedPath(path));
  if (instances.length && !chosen) throw new Error(texts().pose.severalPhotos);
  const link = chosen?.inputs.faces;
  return Array.isArray(link) ? /** @type {[string, number]} */ (link) : null;
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
