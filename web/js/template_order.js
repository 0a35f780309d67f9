/**
 * The pack's templates in their order, which the numbers in their names give. ComfyUI lists the files
 * of a pack as its file system happens to, and its template browser shows them as they are listed.
 */

import { app } from "../../../scripts/app.js";

/** Name of the folder in `custom_nodes`, under which the server lists the templates. */
const FOLDER = decodeURIComponent(new URL("..", import.meta.url).pathname.split("/").at(-2) ?? "");

app.registerExtension({
  name: "InstantIDCompose.TemplateOrder",
  setup() {
    const { api } = app;
    const list = api.getWorkflowTemplates;
    if (!list) return;
    api.getWorkflowTemplates = async (...given) => {
      const templates = await list.apply(api, given);
      templates?.[FOLDER]?.sort();
      return templates;
    };
  },
});
