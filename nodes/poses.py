"""Nodes that make and change poses: positions of faces, without identities."""

from __future__ import annotations

from dataclasses import replace

from comfy_api.latest import io, ui

from ..instantid_core.keypoints import (
    VIEWS,
    FacePlacement,
    PoseEdit,
    apply_edit,
    drawing,
    frame_extent,
    from_json,
    interpolate_poses,
    pose,
    pose_sheet,
    to_json,
    with_proportions,
    with_style,
)
from ..instantid_core.types import Faces, KeypointStyle
from . import sockets
from .inputs import POSES, picture_size

WORDS = ["InstantID", "pose", "face keypoints", "view", "angle", "novel view", "kps", "landmarks"]
PHOTO_POSE = "instantid_pose"
"""Key of the node's output under which the pose editor finds the unedited pose of the photo."""


def placement_inputs() -> list[io.Float.Input]:
    usual = FacePlacement()
    return [
        io.Float.Input(
            "face_height",
            default=usual.face_height,
            min=0.02,
            max=2.0,
            step=0.01,
            advanced=True,
            tooltip="Height of the frontal face, upper forehead to chin, as a fraction of the "
            "image height. 0.53 makes a head-and-shoulders portrait.",
        ),
        io.Float.Input(
            "eye_line",
            default=usual.eye_line,
            min=-1.0,
            max=2.0,
            step=0.01,
            advanced=True,
            tooltip="Distance from the top of the image to the midpoint between the eyes, as a "
            "fraction of the image height.",
        ),
        io.Float.Input(
            "center_x",
            default=usual.center_x,
            min=-1.0,
            max=2.0,
            step=0.01,
            advanced=True,
            tooltip="Horizontal position of the centre of the head, as a fraction of the image "
            "width. A turned face lies to one side of it, as in a photo.",
        ),
    ]


def edit_inputs() -> list[io.Input]:
    return [
        io.Float.Input(
            "scale",
            default=1.0,
            min=0.05,
            max=20.0,
            step=0.01,
            advanced=True,
            tooltip="Scales each face about its centre.",
        ),
        io.Float.Input(
            "rotate",
            default=0.0,
            min=-180.0,
            max=180.0,
            step=0.5,
            advanced=True,
            tooltip="Rotates each face about its centre, in degrees clockwise.",
        ),
        io.Boolean.Input(
            "mirror",
            default=False,
            advanced=True,
            tooltip="Mirrors the whole pose horizontally.",
        ),
    ]


def opacity(what: str) -> io.Float.Input:
    return io.Float.Input(
        f"{what}_opacity",
        default=1.0,
        min=0.0,
        max=1.0,
        step=0.01,
        advanced=True,
        tooltip=f"Brightness of the drawn {what}s: 1 as in the reference, 0 omits them. Lower "
        "values give the prompt more influence on the shape of the face.",
    )


def starting_points() -> list[io.Input]:
    """Optional inputs that replace the preset."""
    return [
        sockets.Faces.Input(
            "faces",
            optional=True,
            tooltip="Starts from the faces of a photo. preset, face_height, eye_line and "
            "center_x are then ignored, and width and height only set the size of the preview.",
        ),
        io.String.Input(
            "pose_json",
            default="",
            multiline=True,
            optional=True,
            advanced=True,
            tooltip="A pose as text, from the editor (button Edit pose) or from this node's "
            "output of the same name. It replaces preset and photo and is saved with the "
            "workflow. If empty, preset or photo is used.",
        ),
    ]


def shape_of() -> io.Input:
    return sockets.Faces.Input(
        "shape_of",
        optional=True,
        tooltip="Photo of the person to be painted, from InstantID Analyze Faces. The pose keeps "
        "its place, size, direction and expression, and gets this person's proportions: eyes, nose "
        "and mouth lie as in their face. Several photos are averaged.",
    )


class Pose(io.ComfyNode):
    """Makes a pose from a preset, or edits the pose of a photo."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDPose",
            display_name="InstantID Pose",
            category=POSES,
            description="Places a face in one of eleven preset views, or edits the pose of a "
            "photo's faces. The preview shows the keypoints.",
            search_aliases=[*WORDS, "openpose", "head pose"],
            inputs=[
                io.Combo.Input(
                    "preset",
                    options=list(VIEWS),
                    default=next(iter(VIEWS)),
                    tooltip="Direction of the head: front; slight, quarter or profile to either "
                    "side; up; down; tilted to either side. Left and right are those of the "
                    "image.",
                ),
                *picture_size(),
                *placement_inputs(),
                *edit_inputs(),
                opacity("limb"),
                opacity("point"),
                *starting_points(),
                shape_of(),
            ],
            outputs=[
                sockets.Faces.Output(
                    display_name="faces",
                    tooltip="The pose. It carries no identity, so InstantID Embed Identity does "
                    "not accept it.",
                ),
                io.Image.Output(
                    display_name="preview", tooltip="The keypoints, drawn at width x height."
                ),
                io.String.Output(
                    display_name="pose_json", tooltip="The pose of the first image as text."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        preset: str,
        width: int,
        height: int,
        face_height: float,
        eye_line: float,
        center_x: float,
        scale: float,
        rotate: float,
        mirror: bool,
        limb_opacity: float,
        point_opacity: float,
        faces: Faces | None = None,
        pose_json: str = "",
        shape_of: Faces | None = None,
    ) -> io.NodeOutput:
        extent, photo = frame_extent(width, height), faces
        if pose_json.strip():
            faces = from_json(pose_json)
        elif faces is None:
            faces = pose(preset, FacePlacement(face_height, eye_line, center_x), extent)
        if shape_of is not None:
            faces = with_proportions(faces, shape_of)
        faces = apply_edit(faces, PoseEdit(scale, rotate, mirror))
        faces = with_style(faces, KeypointStyle(limb_opacity, point_opacity))
        picture = drawing.draw(faces, extent)
        shown = dict(ui.PreviewImage(picture, cls=cls).as_dict())
        if photo is not None and photo.frames:
            shown[PHOTO_POSE] = [first_pose(photo)]
        return io.NodeOutput(faces, picture, first_pose(faces), ui=shown)


def first_pose(faces: Faces) -> str:
    """The pose of the first picture as text."""
    return to_json(replace(faces, frames=faces.frames[:1]))


SHEET = ("front", "slight_left", "slight_right", "quarter_left", "quarter_right", "up")
"""Views that a new sheet has: those that SDXL paints well."""


class PoseSheet(io.ComfyNode):
    """Makes several preset views at once."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDPoseSheet",
            display_name="InstantID Pose Sheet",
            category=POSES,
            description="Places a face in several preset views, one image for each: a character "
            "sheet in one run. Connect count to the batch size of the latent.",
            search_aliases=[*WORDS, "character sheet", "turnaround", "several views", "batch"],
            inputs=[
                *picture_size(),
                *placement_inputs(),
                *(view_switch(name) for name in VIEWS),
                shape_of(),
            ],
            outputs=[
                sockets.Faces.Output(
                    display_name="faces",
                    tooltip="One pose per view, for InstantID Apply IdentityNet.",
                ),
                io.String.Output(
                    display_name="names",
                    tooltip="The name of each view, in the order of the images.",
                    is_output_list=True,
                ),
                io.Image.Output(
                    display_name="preview",
                    tooltip="The keypoints of each view, drawn at width x height; for image_kps "
                    "of the node InstantID.",
                ),
                io.Int.Output(display_name="count", tooltip="Number of views."),
            ],
        )

    @classmethod
    def execute(
        cls,
        width: int,
        height: int,
        face_height: float,
        eye_line: float,
        center_x: float,
        front: bool,
        slight_left: bool,
        slight_right: bool,
        quarter_left: bool,
        quarter_right: bool,
        profile_left: bool,
        profile_right: bool,
        up: bool,
        down: bool,
        tilted_left: bool,
        tilted_right: bool,
        shape_of: Faces | None = None,
    ) -> io.NodeOutput:
        extent = frame_extent(width, height)
        sides = (front, slight_left, slight_right, quarter_left, quarter_right)
        others = (profile_left, profile_right, up, down, tilted_left, tilted_right)
        switches = zip(VIEWS, (*sides, *others), strict=True)
        names = [name for name, is_on in switches if is_on]
        faces = pose_sheet(names, FacePlacement(face_height, eye_line, center_x), extent)
        if shape_of is not None:
            faces = with_proportions(faces, shape_of)
        picture = drawing.draw(faces, extent)
        shown = ui.PreviewImage(picture, cls=cls)
        return io.NodeOutput(faces, names, picture, len(names), ui=shown)


def view_switch(name: str) -> io.Boolean.Input:
    words = name.replace("_", " ")
    return io.Boolean.Input(
        name, default=name in SHEET, tooltip=f"Whether the sheet has the view {words}."
    )


class InterpolatePoses(io.ComfyNode):
    """Makes the poses between two poses."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="InstantIDInterpolatePoses",
            display_name="InstantID Interpolate Poses",
            category=POSES,
            description="Makes a batch of poses from one pose to another, for an image sequence "
            "or an animation. Set the batch size of the latent to the number of steps.",
            search_aliases=[*WORDS, "interpolation", "animation", "turntable", "batch"],
            inputs=[
                sockets.Faces.Input(
                    "faces_a",
                    tooltip="The first pose, from one image. Its size and drawing style apply to "
                    "all poses.",
                ),
                sockets.Faces.Input(
                    "faces_b",
                    tooltip="The last pose, from one image with the same number of faces. An "
                    "image of another size is letterboxed onto the first.",
                ),
                io.Int.Input(
                    "steps",
                    default=5,
                    min=2,
                    max=1024,
                    tooltip="Number of poses, both ends included.",
                ),
            ],
            outputs=[sockets.Faces.Output(display_name="faces", tooltip="One pose per step.")],
        )

    @classmethod
    def execute(cls, faces_a: Faces, faces_b: Faces, steps: int) -> io.NodeOutput:
        return io.NodeOutput(interpolate_poses(faces_a, faces_b, steps))
