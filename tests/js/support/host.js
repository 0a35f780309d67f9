/** Lets Node import `web/js`: modules of ComfyUI's front end become the stand-ins beside this file. */

import { registerHooks } from "node:module";

const HOST_MODULE = /\/scripts\/(app|api)\.js$/;

registerHooks({
  resolve(specifier, context, next) {
    const [, name] = HOST_MODULE.exec(specifier) ?? [];
    if (!name) return next(specifier, context);
    return { url: new URL(`./${name}.js`, import.meta.url).href, shortCircuit: true };
  },
  load(url, context, next) {
    // Without a package.json of its own, Node would have to guess.
    return next(url, url.includes("/web/js/") ? { ...context, format: "module" } : context);
  },
});
