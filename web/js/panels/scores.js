/** Likeness scores: their format, their mean, their bands. No DOM. */

/**
 * @typedef {"copy" | "strong" | "moderate" | "weak"} Band
 * @typedef {{moderate: number, strong: number, copy: number}} Limits the lowest score of each band
 * @typedef {{cosine: number | null, band: Band | null, text: string}} Result null without a score;
 *   the text then says why
 */

/** Two digits, without a minus before zero. @param {number} cosine */
export function formatCosine(cosine) {
  return (Math.round(cosine * 100) / 100).toFixed(2);
}

/** @param {number} cosine @param {Limits} limits @returns {Band} */
export function bandOf(cosine, limits) {
  if (cosine >= limits.copy) return "copy";
  if (cosine >= limits.strong) return "strong";
  return cosine >= limits.moderate ? "moderate" : "weak";
}

/**
 * The mean over results that have a score.
 * @param {Result[]} results
 * @returns {{mean: number | null, count: number}} null without any; count: results with a score
 */
export function meanCosine(results) {
  const known = results.flatMap(({ cosine }) => (cosine === null ? [] : [cosine]));
  const sum = known.reduce((total, cosine) => total + cosine, 0);
  return { mean: known.length ? sum / known.length : null, count: known.length };
}
