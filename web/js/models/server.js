// The pack's routes. Each call returns what the server tells, or throws an Error with a sentence.

const PREFIX = "/instantid_compose/models";
// The server takes requests with this header only: a page of another site cannot send it.
const HEADERS = { "X-InstantID-Compose": "1", "Content-Type": "application/json" };

export class ModelServer {
  /** silent: the sentence for a server that does not answer. */
  constructor(api, silent) {
    this.api = api;
    this.silent = silent;
  }

  /** {models: [...], mirror, job} */
  list() {
    return this.#ask("", { method: "GET" });
  }

  download(ids) {
    return this.#ask("/download", { method: "POST", body: JSON.stringify({ ids }) });
  }

  /** The state of the job, or of the last one. */
  progress() {
    return this.#ask("/progress", { method: "GET" });
  }

  cancel() {
    return this.#ask("/cancel", { method: "POST" });
  }

  async #ask(path, options) {
    let response;
    try {
      response = await this.api.fetchApi(PREFIX + path, { ...options, headers: HEADERS });
    } catch (error) {
      throw new Error(this.silent, { cause: error });
    }
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(answer.error ?? `${this.silent} (${response.status})`);
    return answer;
  }
}
