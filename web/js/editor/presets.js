/** The preset views of `instantid_core/keypoints/poses.py` and the default place of a face. */

/** @type {Record<string, import("./face_model.js").View>} degrees */
export const VIEWS = {
  front: { yaw: 0, pitch: 0, roll: 0 },
  slight_left: { yaw: -18, pitch: 0, roll: 0 },
  slight_right: { yaw: 18, pitch: 0, roll: 0 },
  quarter_left: { yaw: -40, pitch: 0, roll: 0 },
  quarter_right: { yaw: 40, pitch: 0, roll: 0 },
  profile_left: { yaw: -70, pitch: 0, roll: 0 },
  profile_right: { yaw: 70, pitch: 0, roll: 0 },
  up: { yaw: 0, pitch: 22, roll: 0 },
  down: { yaw: 0, pitch: -22, roll: 0 },
  tilted_left: { yaw: 0, pitch: 0, roll: -18 },
  tilted_right: { yaw: 0, pitch: 0, roll: 18 },
};

/** Fractions of the picture, for a node without these widgets. */
export const DEFAULT_PLACEMENT = { face_height: 0.53, eye_line: 0.34, center_x: 0.5 };
/** Pixels of a side, for a node without a usable one. */
export const DEFAULT_SIDE = 1016;
