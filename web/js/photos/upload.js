/** Storing a photo where Load Image finds it. */

const ROUTE = "/upload/image";

/**
 * Uploads a picture. Returns its name as Load Image has it. Throws an Error with the server's answer.
 * @param {ComfyApi} api @param {File} file
 */
export async function uploadPhoto(api, file) {
  const body = new FormData();
  body.append("image", file);
  const answer = await api.fetchApi(ROUTE, { method: "POST", body });
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.statusText}`);
  const { name, subfolder } = await answer.json();
  return subfolder ? `${subfolder}/${name}` : name;
}
