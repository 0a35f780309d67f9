/**
 * What runs of workflows have said, so that a message stays with its workflow. No DOM.
 *
 * @typedef {"error" | "warning"} Severity
 * @typedef {"models" | "check" | null} Help what the reader is offered
 * @typedef {object} Message
 * @property {string} node execution id, empty if no node is meant
 * @property {string} [title] of the node, where the id does not name it
 * @property {string} text
 * @property {Severity} severity
 * @property {Help} help
 */

const REMEMBERED_RUNS = 1000;

export class Board {
  /** Workflows by the runs that they have queued. @type {Map<string, string>} */
  #workflows = new Map();
  /** By workflow. @type {Map<string, Message[]>} */
  #messages = new Map();

  /** @param {string} run @param {string} workflow */
  queued(run, workflow) {
    this.#workflows.set(run, workflow);
    const [oldest] = this.#workflows.keys();
    if (this.#workflows.size > REMEMBERED_RUNS) this.#workflows.delete(oldest);
  }

  /**
   * The workflow of a run.
   * @param {string} run @param {string} current the workflow on the screen, which an unknown run has
   */
  workflowOf(run, current) {
    return this.#workflows.get(run) ?? current;
  }

  /** Forgets what a workflow's last run has said. @param {string} workflow */
  clear(workflow) {
    this.#messages.delete(workflow);
  }

  /** Keeps a message, once. @param {string} workflow @param {Message} message */
  add(workflow, message) {
    const messages = this.of(workflow);
    const isKnown = messages.some(
      ({ node, text }) => text === message.text && node === message.node,
    );
    if (!isKnown) this.#messages.set(workflow, [...messages, message]);
  }

  /** @param {string} workflow @returns {Message[]} in the order in which they came */
  of(workflow) {
    return this.#messages.get(workflow) ?? [];
  }
}
