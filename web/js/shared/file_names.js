/** Names of files, which come from every system. No DOM. */

/**
 * Whether two names mean one file: Windows lists `folder\file`.
 * @param {unknown} one @param {unknown} other
 */
export function isSameFile(one, other) {
  return withSlashes(one) === withSlashes(other);
}

/** @param {unknown} name */
function withSlashes(name) {
  return String(name).replaceAll("\\", "/");
}
