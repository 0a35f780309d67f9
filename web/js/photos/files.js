/** Which of the files that somebody drops or pastes is a photo. No DOM. */

const WORKFLOW = /\.json$/i;

/** @param {Iterable<File>} files @returns {File | undefined} the first picture */
export function firstPicture(files) {
  return [...files].find(({ type }) => type.startsWith("image/"));
}

/**
 * The file that somebody meant as a photo and that is none; nothing for a workflow, which the front
 * end opens.
 * @param {Iterable<File>} files
 */
export function wrongFile(files) {
  const [file] = [...files];
  return file && !WORKFLOW.test(file.name) ? file : undefined;
}
