/**
 * The faces of a node's photo without a run of the whole workflow: the face analysis alone, or what
 * the server remembers of an earlier run.
 */

import { isSameNode, nodePath } from "../shared/graph.js";
import { ancestors, idsOf, runPart } from "../shared/partial_run.js";
import { inputSlot, valueOf } from "../shared/widgets.js";
import { texts } from "../texts/texts.js";

/** Key of the analysis' output that has the faces as JSON. */
export const FACES_OUTPUT = "instantid_faces";
export const ANALYSIS = "InstantIDAnalyzeFaces";
/** Inputs of the analysis that change which faces are chosen, and not which are found. */
const CHOICE = ["select", "index", "numbers"];
const COUNT_SLOT = 3;
const PROBE = "instantid_compose_faces";
const LISTENER = "instantid_compose_count";
const REMEMBERED_RUNS = 8;

/** @typedef {{prompt: [number, string, Prompt], outputs?: import("../shared/partial_run.js").Outputs}} Run */

/**
 * Runs a face analysis of the photo that leads into a node such as InstantID.
 * @param {ComfyApp} app @param {ComfyNode} node with inputs `analyzer` and `image`
 * @param {() => boolean} isWanted
 * @returns {Promise<string[]>} the output of the analysis
 * @throws {Error} with a sentence
 */
export async function findFacesFor(app, node, isWanted) {
  const { output } = await app.graphToPrompt();
  const { analyzer, image } = output[idsOf(output, node)[0]]?.inputs ?? {};
  if (!Array.isArray(analyzer) || !Array.isArray(image)) {
    throw new Error(texts().picker.connectPhoto);
  }
  const settings = { select: "largest", index: 0, min_score: 0.5, on_no_face: "skip" };
  const prompt = {
    ...ancestors(output, analyzer[0]),
    ...ancestors(output, image[0]),
    [PROBE]: { class_type: ANALYSIS, inputs: { analyzer, image, ...settings } },
    [LISTENER]: { class_type: "PreviewAny", inputs: { source: [PROBE, COUNT_SLOT] } },
  };
  return runPart(app.api, prompt, (outputs) => outputs[PROBE]?.[FACES_OUTPUT], isWanted);
}

/**
 * Runs the analysis of InstantID Analyze Faces and what leads to it.
 * @param {ComfyApp} app @param {ComfyNode} node @param {() => boolean} isWanted
 * @returns {Promise<string[]>} the node's output
 * @throws {Error} with a sentence
 */
export async function findFaces(app, node, isWanted) {
  const { output } = await app.graphToPrompt();
  const [id] = idsOf(output, node);
  if (!id) throw new Error(texts().picker.notInTheGraph);
  // Something has to want the node's result; a number costs nothing.
  const listener = { class_type: "PreviewAny", inputs: { source: [id, COUNT_SLOT] } };
  const prompt = { ...ancestors(output, id), [LISTENER]: listener };
  const found = await runPart(
    app.api,
    prompt,
    (outputs) => outputs[id]?.[FACES_OUTPUT] ?? (outputs[LISTENER] && []),
    isWanted,
  );
  if (found.length) return found;
  // Older releases send nothing for a node that had nothing to do; the run before has it.
  const remembered = facesOfRuns(await rememberedRuns(app.api), node);
  if (!remembered) throw new Error(texts().picker.beforeARun);
  return remembered;
}

/**
 * What the server remembers of the latest runs, the latest first.
 * @param {ComfyApi} api
 * @returns {Promise<Run[]>}
 */
export async function rememberedRuns(api) {
  const response = await api.fetchApi(`/history?max_items=${REMEMBERED_RUNS}`);
  if (!response.ok) return [];
  /** @type {Record<string, Run>} */
  const history = await response.json();
  return Object.values(history).sort((a, b) => b.prompt[0] - a.prompt[0]);
}

/**
 * The faces that one of the runs has found for a node, if the graph is still what it was then.
 * @param {Run[]} runs @param {ComfyNode} node
 * @returns {string[] | null}
 */
export function facesOfRuns(runs, node) {
  for (const { prompt, outputs } of runs) {
    for (const id of idsOf(prompt[2], node)) {
      const found = outputs?.[id]?.[FACES_OUTPUT];
      if (found && isAsItWas(ancestors(prompt[2], id), id)) return found;
    }
  }
  return null;
}

/**
 * Whether the nodes of a part of a prompt have the same values and links now, whichever face is chosen.
 * @param {Prompt} part @param {string} analysis id of the node that finds the faces
 */
function isAsItWas(part, analysis) {
  return Object.entries(part).every(([id, { class_type: kind, inputs }]) => {
    const node = nodePath(id).at(-1);
    if (!node || (node.comfyClass ?? node.type) !== kind || node.mode) return false;
    return Object.entries(inputs).every(([name, value]) => {
      if (Array.isArray(value)) return isLinked(node, name, value[0]);
      return (id === analysis && CHOICE.includes(name)) || valueOf(node, name) === value;
    });
  });
}

/** @param {ComfyNode} node @param {string} name of an input @param {string} id of its source */
function isLinked(node, name, id) {
  const slot = inputSlot(node, name);
  const source = slot < 0 ? null : node.getInputNode?.(slot);
  return Boolean(source) && isSameNode(source ?? undefined, nodePath(id).at(-1));
}
