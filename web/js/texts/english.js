/** Everything in English. `chinese.js` has the same keys in the same order. */

const models = {
  title: "InstantID models",
  intro:
    "The files that InstantID needs. Nothing is downloaded until you press Download; what has come is kept when it is interrupted, and every file is checked by its SHA-256 before it is put in place.",
  licence: "Read the licences first: they are their authors' conditions, not those of this software.",
  mirror: (url) => `Mirror: ${url}`,
  table: "Files of InstantID",
  columns: ["Get", "File", "Folder", "Size", "Licence", "Source", "State"],
  choose: (title) => `Get ${title}`,
  source: (title) => `Page of ${title}`,
  missing: "missing",
  present: "there",
  verified: "there, checked",
  other: "another file of this name; downloading replaces it",
  waiting: "waiting",
  fetching: "downloading",
  checking: "checking",
  done: "done",
  failed: "failed",
  cancelled: "stopped; what has come is kept",
  download: (size) => `Download (${size})`,
  nothing: "Download",
  cancel: "Stop download",
  close: "Close",
  complete: "Everything is there.",
  progress: (title) => `Progress of ${title}`,
  hint: "InstantID lacks model files.",
  open: "Get InstantID models",
  dismiss: "Not now",
  ready: "InstantID models are in place.",
  silent: "ComfyUI's server does not answer. Look at its console, and try again.",
};

const picker = {
  beforeARun: "Run the graph, and the faces found show here to choose from.",
  faces: (number, count) => `Faces in picture ${number} of ${count}`,
  linked: (name) => `${name} is connected to another node, so a click here cannot change it.`,
  noList: (numbers, index) =>
    `numbers holds "${numbers}", which is no list such as 0, 2. Face ${index} counts.`,
  noFace: "No face was found in this picture.",
  noSuchFace: "This picture has no such face. Click to choose one.",
  chosen: (numbers, count) =>
    `Chosen: ${numbers} of ${count === 1 ? "1 face" : `${count} faces`}. Click chooses, Shift adds.`,
  everyPicture: "The choice holds for every picture.",
  previous: "Previous picture",
  place: (number, count) => `Picture ${number} of ${count}`,
  next: "Next picture",
  mended: (names) => `The file had no usable value for ${names}: the default stands there.`,
  and: " and ",
  face: (number, score, size) => `Face ${number}, score ${score}, ${size} px`,
  gone: "The picture is no longer on the server. Run the graph again.",
};

const likeness = {
  beforeARun: "Run the graph, and faces with their scores show here.",
  list: "Likeness",
  noScore: "No score: no face is seen clearly enough.",
  one: (score, band) => `Likeness ${score}, ${band}.`,
  mean: (known, count, score, band) =>
    `Mean likeness of ${known} of ${count} pictures: ${score}, ${band}.`,
  picture: (number) => `Picture ${number}`,
  result: "Result",
  reference: "Reference",
  noPhoto: "No photo: connect reference_image to see one here.",
  crop: (caption) => `${caption}: the face`,
  notAvailable: "n/a",
  score: (score, band) => `Score ${score} of 1, ${band}`,
  bands: { strong: "strong", moderate: "moderate", weak: "weak" },
  reasons: { "no face": "no face", "weak detection": "weak detection" },
};

const result = {
  beforeARun: "Run the graph, and the result shows here.",
  name: "Result",
};

const pose = {
  button: "Edit pose",
  tooltip: "Drag, turn and add faces by hand. The pose is kept in this node.",
  linked: (names) => `Connected, and therefore acting on what you see here: ${names}.`,
  fromPhoto: "This node takes its faces from a photo: Start from its points begins with them.",
  badSide: (name, found, usual) => `The ${name} of the frame is ${found}; ${usual} stands in.`,
  linkedSide: (name) =>
    `The ${name} comes through a connection; the frame here shows the widget's.`,
  fromPreset: (fault) => `${fault} The editor starts from the node's preset instead.`,
  mendedPose: (fault) =>
    `${fault} The file's text in pose_json is taken out, so that the graph runs; the graph's undo brings it back.`,
  severalPhotos:
    "The subgraph around this node is used several times, with photos of their own. Open it from the node that is meant.",
  notAnObject: "A pose is an object with version, extent and faces.",
  badVersion: (found, expected) => `The pose has version ${found}, expected ${expected}.`,
  badFaces: (found) => `A pose's faces are a list, found ${found}.`,
  noJson: "The pose cannot be read as JSON.",
  badExtent: (found) => `A pose's extent is [width, height] in whole pixels, found ${found}.`,
  badFace: (found) =>
    `A face in a pose is five points [x, y] as fractions of the frame, found ${found}.`,
  nothing: "nothing",
  leadsNowhere: "The input faces of this node leads to nothing that runs.",
  probe: "Points of the photo",
  closed: "The editor was closed.",
  refused: (message, details) => `The server did not accept the photo: ${message} ${details}`,
  noReason: "no reason given",
  noPoints: "The server found no points in the photo.",
};

const editor = {
  title: "Edit pose",
  shortHint: "Drag points or the face \u00b7 wheel resizes \u00b7 arrows nudge \u00b7 1-5 points",
  help: "Mouse and keys",
  mouse:
    "Drag a point, or a face by its inside; the knob above rotates, the corners resize. " +
    "Shift keeps a direction, or turns by 15 degrees. The wheel resizes, with Alt it rotates.",
  keys:
    "Arrow keys move by 1 pixel, with Shift by 10. 1 to 5 choose a point, 0 or Escape the whole " +
    "face. N and P choose the next and the previous face. Plus and minus change the size, square " +
    "brackets rotate, M mirrors, A adds a face, Delete removes it. Ctrl+Z undoes, Ctrl+Shift+Z redoes.",
  undo: "Undo",
  redo: "Redo",
  reset: "Reset",
  resetTitle: "Back to what the node's other settings make; can be undone",
  clear: "Clear kept pose",
  clearTitle: "Empties pose_json, so that preset and photo are in charge again",
  cancel: "Cancel",
  apply: "Apply",
  canvas: "pose canvas",
  noFace: "No face: press A or Add face.",
  place: (face, count) => `Face ${face} of ${count}`,
  pointAt: (place, point, left, top) => `${place}, ${point} at ${left} %, ${top} %`,
  points: ["left eye", "right eye", "nose", "left corner of the mouth", "right corner of the mouth"],
  faces: "Faces",
  face: (number) => `Face ${number}`,
  add: "Add face",
  remove: "Remove",
  removeName: "Remove face",
  outside: (count) => `${count} ${count === 1 ? "point lies" : "points lie"} outside.`,
  bringBack: "Bring into the frame",
  turn: "Turn",
  yaw: "Yaw",
  pitch: "Pitch",
  roll: "Roll",
  size: "Size and side",
  height: "Face height",
  mirrorFace: "Mirror face",
  mirrorPicture: "Mirror picture",
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
  photoStrength: "Photo",
  openPhoto: "Open a photo",
  connectedPhoto: "Connected photo",
  noConnectedPhoto: "No Load Image leads to the input faces of this node.",
  startFromPoints: "Start from its points",
  noConnectedFaces: "Nothing is connected to the input faces of this node.",
  looking: "Looking for faces in the connected photo...",
  started: (count) => `Started from ${count} ${count === 1 ? "face" : "faces"} of the photo.`,
  photoShown: "The photo lies behind the frame.",
  noPicture: "The file could not be read as a picture.",
};

export const ENGLISH = { models, picker, likeness, result, pose, editor };
