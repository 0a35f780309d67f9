"""Five facial keypoints: their geometry, drawings, poses, and the regions and crops around them."""

from . import drawing, landmarks
from .crops import MATCH_COLOUR, FaceCrops, Pasting, cut, paste
from .drawing import draw_frame
from .geometry import FACE_MODEL, FITS, moved, oval_of_points, placement
from .landmarks import LANDMARKS, without_landmarks
from .pose_json import from_json, to_json
from .poses import (
    PIVOT,
    VIEWS,
    FacePlacement,
    PoseEdit,
    View,
    apply_edit,
    as_pose,
    frame_extent,
    from_keypoints,
    interpolate_poses,
    pose,
    pose_sheet,
    with_style,
)
from .proportions import with_proportions
from .regions import SHAPES, FaceShape, face_masks, frame_masks, partition

__all__ = [
    "FACE_MODEL",
    "FITS",
    "LANDMARKS",
    "MATCH_COLOUR",
    "PIVOT",
    "SHAPES",
    "VIEWS",
    "FaceCrops",
    "FacePlacement",
    "FaceShape",
    "Pasting",
    "PoseEdit",
    "View",
    "apply_edit",
    "as_pose",
    "cut",
    "draw_frame",
    "drawing",
    "face_masks",
    "frame_extent",
    "frame_masks",
    "from_json",
    "from_keypoints",
    "interpolate_poses",
    "landmarks",
    "moved",
    "oval_of_points",
    "partition",
    "paste",
    "placement",
    "pose",
    "pose_sheet",
    "to_json",
    "with_proportions",
    "with_style",
    "without_landmarks",
]
