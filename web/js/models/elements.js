// Elements without markup in strings: what the server tells only ever becomes text.

/** An element with properties (aria-... and role as attributes) and children. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role" || name === "scope") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

/** A link that opens beside the editor; only web addresses become links. */
export function link(address, label) {
  if (!/^https:\/\//.test(address)) return element("span", {}, address);
  const text = address.replace(/^https:\/\//, "");
  return element(
    "a",
    { href: address, target: "_blank", rel: "noopener noreferrer", "aria-label": label },
    text
  );
}

const STYLE = `
.instantid-models, .instantid-hint {
  color: var(--input-text, #ddd); background: var(--comfy-menu-bg, #222);
  border: 1px solid var(--border-color, #555); border-radius: 8px;
  font: 14px/1.45 system-ui, sans-serif;
}
.instantid-models { width: min(72rem, 96vw); max-height: 92vh; padding: 1rem; overflow: auto; }
.instantid-models::backdrop { background: rgb(0 0 0 / 55%); }
.instantid-models h2 { margin: 0 0 .5rem; font-size: 1.2rem; }
.instantid-models p { margin: .35rem 0; max-width: 60rem; }
.instantid-models .scroll { overflow-x: auto; margin: .75rem 0; }
.instantid-models table { border-collapse: collapse; width: 100%; min-width: 60rem; }
.instantid-models th, .instantid-models td {
  padding: .45rem .6rem; text-align: start; vertical-align: top;
  border-bottom: 1px solid var(--border-color, #555); overflow-wrap: anywhere;
}
.instantid-models th, .instantid-models td.size { white-space: nowrap; }
.instantid-models td.file { min-width: 11rem; }
.instantid-models a { color: inherit; text-decoration: underline; }
.instantid-models progress { display: block; width: 100%; min-width: 7rem; margin-top: .25rem; }
.instantid-models progress[hidden] { display: none; }
.instantid-models .error { color: var(--error-text, #ff8a80); }
.instantid-models .buttons, .instantid-hint { display: flex; flex-wrap: wrap; gap: .6rem; }
.instantid-models .buttons { justify-content: flex-end; }
.instantid-models button, .instantid-hint button {
  color: inherit; background: var(--comfy-input-bg, #333); cursor: pointer;
  border: 1px solid var(--border-color, #777); border-radius: 6px; padding: .4rem .9rem; font: inherit;
}
.instantid-models button:disabled { opacity: .55; cursor: default; }
.instantid-models :focus-visible, .instantid-hint :focus-visible {
  outline: 2px solid var(--p-primary-color, #4aa3ff); outline-offset: 2px;
}
.instantid-hint {
  position: fixed; inset-block-end: 5rem; inset-inline-end: 1.5rem; z-index: 1000;
  align-items: center; padding: .7rem 1rem; max-width: calc(100vw - 3rem); box-sizing: border-box;
}
`;

/** Adds the style once. */
export function addStyle() {
  const id = "instantid-compose-models-style";
  if (!document.getElementById(id))
    document.head.append(element("style", { id, textContent: STYLE }));
}
