/** The stand-in for ComfyUI's `api`. Tests give it answers and read its requests. */

export const api = {
  answers: [],
  requests: [],

  apiURL: (path) => `/api${path}`,

  /** Answers with the next of `answers`: `[status, body]`, or an Error to throw. */
  async fetchApi(path, options = {}) {
    api.requests.push({ path, ...options });
    const answer = api.answers.shift();
    if (answer instanceof Error) throw answer;
    const [status, body] = answer;
    return {
      ok: status < 400,
      status,
      json: async () => {
        if (body === undefined) throw new SyntaxError("no JSON");
        return body;
      },
    };
  },

  addEventListener() {},
};
