/** The stand-in for ComfyUI's `app`. */

import { api } from "./api.js";

export const app = {
  api,
  canvas: { name: "canvas" },
  rootGraph: { id: "root", nodes: [] },
  locale: "en",
  extensionManager: { setting: { get: (id) => (id === "Comfy.Locale" ? app.locale : undefined) } },
  prompt: {},
  graphToPrompt: async () => ({ output: app.prompt }),
};
