/** The views of `instantid_core/poses.py`; a test holds the two tables equal. */

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

/** What stands in for a placement that a node does not tell, as fractions of the picture. */
export const USUAL_PLACE = { face_height: 0.53, eye_line: 0.34, center_x: 0.5 };
export const USUAL_SIDE = 1016;
