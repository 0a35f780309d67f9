/**
 * All texts in English. `chinese.js` has the same keys in the same order.
 *
 * @typedef {string | string[] | Record<string, string>
 *   | ((...values: (string | number)[]) => string)} Text
 * @typedef {typeof ENGLISH} Texts
 */

/** @satisfies {Record<string, Text>} */
const models = {
  title: "InstantID models",
  intro:
    "The files that InstantID needs. Nothing is downloaded until you press Download. An interrupted download resumes where it stopped, and every file is verified by its SHA-256 before it is put in place.",
  licence:
    "Read the licences first: they come from the authors of the files and are separate from the licence of this software.",
  mirror: (url) => `Mirror: ${url}`,
  table: "InstantID files",
  columns: ["Get", "File", "Folder", "Size", "Licence", "Source", "Status"],
  choose: (title) => `Get ${title}`,
  source: (title) => `Web page of ${title}`,
  missing: "missing",
  absent: "not downloaded",
  present: "present",
  verified: "present, verified",
  other: "another file with this name; downloading replaces it",
  waiting: "waiting",
  fetching: "downloading",
  checking: "verifying",
  done: "done",
  failed: "failed",
  cancelled: "stopped; the downloaded part is kept",
  download: (size) => `Download (${size})`,
  nothing: "Download",
  cancel: "Stop download",
  close: "Close",
  complete: "All files that InstantID needs are present.",
  optional: "Optional: IP-Adapter FaceID, for InstantID Load Adapter, and its face models",
  progress: (title) => `Progress of ${title}`,
  hint: "InstantID is missing model files.",
  lackingFiles: (names, size) => `InstantID is missing model files: ${names}. ${size} to download.`,
  noSuchFile: (name) =>
    `This workflow names ${name}, which is not there. Choose another file in its node, or get the published one.`,
  open: "Get InstantID models",
  dismiss: "Not now",
  ready: "The InstantID models are ready.",
  silent: "The ComfyUI server is not responding. Check its console and try again.",
};

/** @satisfies {Record<string, Text>} */
const picker = {
  beforeARun: "Find faces, or run the workflow, to see them here and choose.",
  find: "Find faces",
  findTitle: "Looks for faces without running the rest of the workflow.",
  looking: "Looking for faces...",
  connectPhoto: "Connect a photo to image and a face analyzer to analyzer first.",
  done: "Done",
  noFaceIn: (number) => `No face was found in image ${number}.`,
  chosen: (number, count) => `Face ${number} chosen, ${count} found. Click to choose another.`,
  notInTheGraph: "This node does not run: it is muted, bypassed or not connected.",
  faces: (number, count) => `Faces in image ${number} of ${count}`,
  linked: (name) => `${name} is connected to another node, so clicking here cannot change it.`,
  noList: (numbers, index) =>
    `numbers is "${numbers}", which is not a list such as 0, 2. Face ${index} is used.`,
  noFace: "No face was found in this image.",
  noSuchFace: "This image has no face with that number. Click a face to select it.",
  selected: (numbers, chosen, count) =>
    `${chosen === 1 ? "Face" : "Faces"} ${numbers} chosen, ${count} found. Click to choose, Shift to add.`,
  everyPicture: "Applies to every image.",
  previous: "Previous image",
  place: (number, count) => `Image ${number} of ${count}`,
  next: "Next image",
  restored: (names) =>
    `The workflow file had an invalid value for ${names}. The default is used instead.`,
  and: " and ",
  face: (number, score, size) => `Face ${number}, score ${score}, ${size} px`,
  gone: "The image is no longer on the server. Run the workflow again.",
};

/** @satisfies {Record<string, Text>} */
const likeness = {
  beforeARun: "Run the workflow to see faces and their scores here.",
  list: "Likeness",
  noScore: "No score: no face is clear enough.",
  one: (score, band) => `Likeness ${score}, ${band}.`,
  mean: (known, count, score, band) =>
    `Mean likeness of ${known} of ${count} images: ${score}, ${band}.`,
  picture: (number) => `Image ${number}`,
  result: "Result",
  reference: "Reference",
  noPhoto: "No photo: connect reference_image to show one here.",
  crop: (caption) => `${caption}: face`,
  notAvailable: "n/a",
  score: (score, band) => `Score ${score} of 1, ${band}`,
  bands: { copy: "as close as a copy", strong: "strong", moderate: "moderate", weak: "weak" },
  reasons: { "no face": "no face", "weak detection": "weak detection" },
};

/** @satisfies {Record<string, Text>} */
const people = {
  title: "People",
  search: "Search people",
  choose: "Choose",
  nobodyYet: "Nobody saved yet",
  nobody:
    "Connect an identity to InstantID Save Identity and run it once. The person then appears here.",
  noMatch: (search) => `Nobody here fits "${search}".`,
  gone: "This person is not here",
  byWire: "Chosen by another node",
  elsewhere: "in the models folder",
  rename: "Rename",
  renameName: (name) => `Rename ${name}`,
  newName: (name) => `New name of ${name}`,
  save: "Save",
  cancel: "Cancel",
  remove: "Delete",
  removeName: (name) => `Delete ${name}`,
  sure: (name) => `Delete ${name} for good?`,
  keep: "Keep",
  close: "Close",
  batch: (count) => `${count} identities`,
  photos: (count) => `${count} photos`,
};

/** @satisfies {Record<string, Text>} */
const result = {
  beforeARun: "Run the workflow to see the result here.",
  name: "Result",
};

/** @satisfies {Record<string, Text>} */
const pose = {
  button: "Edit pose",
  tooltip: "Drag, turn and add faces by hand. The pose is saved in this node.",
  linked: (names) =>
    `These inputs are connected and still apply to the faces shown here: ${names}.`,
  fromPhoto:
    'This node takes its faces from a photo. Press "Start from photo points" to load them.',
  badSide: (name, found, usual) =>
    `The ${name} of the frame is ${found}; ${usual} is used instead.`,
  linkedSide: (name) =>
    `The ${name} is connected to another node. The frame here has the widget's value.`,
  fromPreset: (fault) => `${fault} The editor starts from the node's preset instead.`,
  clearedPose: (fault) =>
    `${fault} pose_json was cleared so that the workflow can run. Undo restores it.`,
  severalPhotos:
    "The subgraph around this node is used several times, each with its own photo. Open it from the node that you mean.",
  notAnObject: "Expected a pose as an object with version, extent and faces.",
  badVersion: (found, expected) => `Expected a pose of version ${expected}, found ${found}.`,
  badFaces: (found) => `Expected the faces of a pose as a list, found ${found}.`,
  tooLong: (longest) => `Expected a pose of at most ${longest} characters, found more.`,
  noJson: "The pose is not valid JSON.",
  badExtent: (found) =>
    `Expected the extent of a pose as [width, height] in whole pixels, found ${found}.`,
  badFace: (found) =>
    `Expected a face as five points [x, y] in fractions of the frame, found ${found}.`,
  nothing: "nothing",
  leadsNowhere: "The input faces of this node is not connected to a node that runs.",
  probe: "Photo points",
};

/** @satisfies {Record<string, Text>} */
const partialRun = {
  abandoned: "The search was stopped before the server had finished.",
  refused: (message, details) => `The server rejected the photo: ${message} ${details}`,
  noReason: "no reason given",
  noResult: "The server found nothing in the photo.",
};

/** @satisfies {Record<string, Text>} */
const editor = {
  title: "Edit pose",
  shortHint:
    "Drag points or faces \u00b7 wheel resizes \u00b7 arrow keys nudge \u00b7 1-5 select a point",
  help: "Mouse and keyboard",
  mouse:
    "Drag a point, or drag inside a face to move it; with Alt, to turn the head. The knob above a face rotates it, the corners " +
    "resize it. Hold Shift to keep one direction, or to rotate in steps of 15 degrees. The wheel " +
    "resizes; with Alt it rotates, with Ctrl it zooms. Drag beside the faces, or with the middle " +
    "button, to move the frame.",
  keys:
    "Arrow keys move by 1 pixel, with Shift by 10. 1 to 5 select a point, 0 or Escape the whole face. " +
    "N and P select the next and the previous face. Plus and minus resize, square brackets rotate, " +
    "M mirrors, A adds a face, Delete removes it. Ctrl+Z undoes, Ctrl+Shift+Z redoes.",
  undo: "Undo",
  redo: "Redo",
  reset: "Reset",
  resetTitle: "Restore the pose of the node's other settings; this can be undone",
  clear: "Clear saved pose",
  clearTitle: "Empty pose_json, so that preset and photo set the pose again",
  cancel: "Cancel",
  apply: "Apply",
  unsaved: "The changes are not applied yet.",
  discard: "Discard changes",
  goOn: "Go on editing",
  keepChanges: "Apply changes",
  zoom: "Zoom",
  zoomIn: "Zoom in",
  zoomOut: "Zoom out",
  zoomFit: "Fit",
  zoomHint: "Shows the whole frame. Ctrl and the wheel, or two fingers, zoom.",
  canvas: "pose canvas",
  noFace: "No face: press A or Add face.",
  place: (face, count) => `Face ${face} of ${count}`,
  pointAt: (place, point, left, top) => `${place}, ${point} at ${left} %, ${top} %`,
  points: [
    "left eye",
    "right eye",
    "nose",
    "left corner of the mouth",
    "right corner of the mouth",
  ],
  faces: "Faces",
  face: (number) => `Face ${number}`,
  add: "Add face",
  remove: "Remove",
  removeName: "Remove face",
  outside: (count) => `${count} ${count === 1 ? "point is" : "points are"} outside the frame.`,
  bringBack: "Move into the frame",
  turn: "Turn",
  yaw: "Yaw",
  pitch: "Pitch",
  roll: "Roll",
  size: "Size and mirroring",
  height: "Face height",
  mirrorFace: "Mirror face",
  mirrorAll: "Mirror all faces",
  views: "Views",
  view: {
    front: "Front",
    slight_left: "Slight left",
    slight_right: "Slight right",
    quarter_left: "Quarter left",
    quarter_right: "Quarter right",
    profile_left: "Profile left",
    profile_right: "Profile right",
    up: "Up",
    down: "Down",
    tilted_left: "Tilted left",
    tilted_right: "Tilted right",
  },
  photo: "Photo to trace",
  photoOpacity: "Photo opacity",
  openPhoto: "Open photo",
  connectedPhoto: "Connected photo",
  noConnectedPhoto: "No Load Image node is connected to the input faces of this node.",
  startFromPoints: "Start from photo points",
  noConnectedFaces: "Nothing is connected to the input faces of this node.",
  looking: "Looking for faces in the connected photo...",
  started: (count) => `Started from ${count} ${count === 1 ? "face" : "faces"} in the photo.`,
  photoShown: "The photo is shown behind the frame.",
  noPicture: "The file could not be read as an image.",
};

/** @satisfies {Record<string, Text>} */
const doctor = {
  title: "Check InstantID",
  looking: "Looking at the installation. This takes some seconds.",
  list: "Findings",
  summary: (problems, notes, checks) =>
    `${problems === 1 ? "1 problem" : `${problems || "No"} problems`}, ${notes === 1 ? "1 note" : `${notes} notes`}, ${checks} checks.`,
  states: { problem: "Problem", note: "Note", ok: "OK" },
  copy: "Copy for a bug report",
  copied: "Copied",
  notCopied: "Could not be copied",
  again: "Check again",
  close: "Close",
};

/** @satisfies {Record<string, Text>} */
const messages = {
  failed: "A node of InstantID has failed",
  warnings: "Messages of InstantID",
  close: "Close",
  offers: { models: "Get InstantID models", check: "Check InstantID" },
  marks: { error: "failed", warning: "see message" },
  again: "Show InstantID message",
  fault: (name) =>
    `An unexpected error (${name}), which ComfyUI's console describes. Check InstantID looks for a cause in the installation.`,
};

/** @satisfies {Record<string, Text>} */
const photos = {
  use: "Use as InstantID photo",
  noPicture: (name) => `Expected a photo, found ${name}. Drop a picture, such as a PNG or JPEG file.`,
  notStored: (name, reason) =>
    `The server did not store ${name} (${reason}). Check its console and drop the photo again.`,
};

export const ENGLISH = {
  models,
  doctor,
  messages,
  photos,
  picker,
  likeness,
  people,
  result,
  pose,
  partialRun,
  editor,
};
