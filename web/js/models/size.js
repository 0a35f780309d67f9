/** Sizes of files. */

/**
 * "1.69 GB" or "361 MB": powers of ten, as on download pages.
 * @param {number} bytes
 */
export function readableSize(bytes) {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${Math.round(bytes / 1e6)} MB`;
}
