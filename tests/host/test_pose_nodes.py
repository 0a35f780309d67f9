"""Poses and face masks in the nodes that take them, on the real host."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.devices import loaded

from tools.small_world.scenes import photo

USUAL = {
    "preset": "quarter_left",
    "width": 256,
    "height": 192,
    "face_height": 0.53,
    "eye_line": 0.34,
    "center_x": 0.5,
    "scale": 1.0,
    "rotate": 0.0,
    "mirror": False,
    "limb_opacity": 1.0,
    "point_opacity": 1.0,
}
MASK = {"width": 128, "height": 96, "fit": "letterbox", "shape": "box", "padding": 0, "feather": 0}


@pytest.fixture(scope="module")
def make_pose(pack: Any) -> Any:
    def make(**settings: Any) -> tuple[Any, torch.Tensor]:
        return pack.module("nodes.poses").Pose.execute(**USUAL | settings).result

    return make


def test_a_pose_takes_the_proportions_of_a_photo(pack: Any, make_pose: Any, faces_of: Any) -> None:
    refit = pack.module("instantid_core.keypoints").with_proportions
    plain = make_pose()[0]
    person = faces_of(photo(3))
    shaped, picture = make_pose(shape_of=person)[:2]
    wanted = refit(plain, person)
    assert (shaped.all[0].keypoints == wanted.all[0].keypoints).all()
    assert not (shaped.all[0].keypoints == plain.all[0].keypoints).all()
    assert picture.shape == (1, 192, 256, 3)


def test_a_sheet_takes_the_proportions_of_a_photo(pack: Any, faces_of: Any) -> None:
    views = {**NO_VIEW, "front": True, "up": True}
    sheet, person = pack.module("nodes.poses").PoseSheet, faces_of(photo(3))
    plain, shaped = (
        sheet.execute(**SHEET, **views, **how).result[0] for how in ({}, {"shape_of": person})
    )
    assert len(shaped.frames) == 2
    for one, other in zip(plain.all, shaped.all, strict=True):
        assert not (one.keypoints == other.keypoints).all()


SHEET = {name: USUAL[name] for name in ("width", "height", "face_height", "eye_line", "center_x")}
NO_VIEW = dict.fromkeys(
    (
        *("front", "slight_left", "slight_right", "quarter_left", "quarter_right"),
        *("profile_left", "profile_right", "up", "down", "tilted_left", "tilted_right"),
    ),
    False,
)


def test_a_sheet_has_the_views_that_are_on(pack: Any, make_pose: Any) -> None:
    views = {**NO_VIEW, "quarter_left": True, "down": True}
    sheet = pack.module("nodes.poses").PoseSheet
    faces, names, preview, count = sheet.execute(**SHEET, **views).result
    assert (names, count, len(faces.frames)) == (["quarter_left", "down"], 2, 2)
    for number, name in enumerate(names):
        _, alone, _ = make_pose(preset=name)
        assert torch.equal(preview[number : number + 1], alone)


def test_every_view_is_under_its_own_switch(pack: Any, make_pose: Any) -> None:
    sheet = pack.module("nodes.poses").PoseSheet
    for name in NO_VIEW:
        faces, names, _, _ = sheet.execute(**SHEET, **{**NO_VIEW, name: True}).result
        assert names == [name]
        assert torch.equal(draw(pack, faces, 256, 192), make_pose(preset=name)[1])


def draw(pack: Any, faces: Any, width: int, height: int) -> torch.Tensor:
    settings = {"width": width, "height": height, "fit": "letterbox"}
    return pack.run("InstantIDDrawKeypoints", faces=faces, **settings)[0]


def hint_of(pack: Any, faces: Any, model: Any, prompt: Any, **parts: Any) -> torch.Tensor:
    """The picture that IdentityNet draws when a sampler asks for 256 x 192."""
    settings = {"strength": 0.8, "start_at": 0.0, "end_at": 1.0}
    positive, _ = pack.run(
        "InstantIDApplyIdentityNet",
        positive=prompt.positive,
        negative=prompt.negative,
        faces=faces,
        **parts,
        **settings,
    )
    net = positive[0][1]["control"]
    place = loaded(net)
    text, pooled = torch.zeros(1, 77, 64, device=place), torch.zeros(1, 2816, device=place)
    cond = {"c_crossattn": text, "y": pooled}
    hints: list[torch.Tensor] = []
    hook = net.control_model.register_forward_pre_hook(
        lambda _, __, given: hints.append(given["hint"].clone().cpu()), with_kwargs=True
    )
    net.pre_run(model.model, model.get_model_object("model_sampling").percent_to_sigma)
    x, sigma = torch.zeros(1, 4, 24, 32, device=place), torch.full((1,), 5.0, device=place)
    net.get_control(x, sigma, cond, 1, {"cond_or_uncond": [0], "sigmas": sigma})
    net.cleanup()
    hook.remove()
    return hints[0].movedim(1, -1)


@pytest.mark.parametrize("opacity", [1.0, 0.4])
def test_identity_net_draws_a_pose_as_draw_keypoints_does(
    pack: Any,
    make_pose: Any,
    adapter: Any,
    control_net: Any,
    identity_of: Any,
    model: Any,
    prompt: Any,
    opacity: float,
) -> None:
    faces, preview, _ = make_pose(rotate=8.0, limb_opacity=opacity)
    parts = {"adapter": adapter, "control_net": control_net, "identity": identity_of(1)}
    drawn = draw(pack, faces, 256, 192)
    assert torch.equal(hint_of(pack, faces, model, prompt, **parts), drawn)
    assert torch.equal(preview, drawn)


def test_the_pose_is_shown_in_the_node(pack: Any) -> None:
    output = pack.module("nodes.poses").Pose.execute(**USUAL)
    assert len(output.ui["images"]) == 1
    assert "instantid_pose" not in output.ui


def test_the_editor_is_shown_the_pose_of_the_photo_as_it_came(pack: Any, faces_of: Any) -> None:
    faces = faces_of(photo(1, 320, 240))
    output = pack.module("nodes.poses").Pose.execute(**USUAL | {"faces": faces, "scale": 2.0})
    (text,) = output.ui["instantid_pose"]
    assert text == pack.module("instantid_core.keypoints.pose_json").to_json(faces)


@pytest.mark.parametrize(("width", "height"), [(0, 192), (256, 0), (-8, -8)])
def test_a_frame_without_pixels(pack: Any, width: int, height: int) -> None:
    errors = pack.module("instantid_core.errors")
    with pytest.raises(errors.SettingError, match="must be a whole number from 64 to 8192"):
        pack.module("nodes.poses").Pose.execute(**USUAL | {"width": width, "height": height})


def test_an_unchanged_photo_pose_is_drawn_with_equal_bits(
    pack: Any, make_pose: Any, faces_of: Any
) -> None:
    faces = faces_of(photo(1, 320, 240))
    edited, *_ = make_pose(faces=faces, preset="up", face_height=0.1)
    assert torch.equal(draw(pack, edited, 320, 240), draw(pack, faces, 320, 240))
    assert edited.known == ()


def test_a_photo_pose_in_the_mirror_is_that_of_the_flipped_photo(
    pack: Any, make_pose: Any, faces_of: Any
) -> None:
    picture = photo(1, 320, 240, center=(120, 120), roll=10, yaw=20)
    mirrored, *_ = make_pose(faces=faces_of(picture), mirror=True)
    flipped = faces_of(picture.flip(2))
    apart = mirrored.all[0].keypoints - flipped.all[0].keypoints
    # The painted points are called by their colours, which do not change sides in the mirror.
    apart_by_place = mirrored.all[0].keypoints - flipped.all[0].keypoints[[1, 0, 2, 4, 3]]
    assert min(abs(apart).max(), abs(apart_by_place).max()) < 1.5


def test_a_strip_of_poses_is_drawn_frame_by_frame(pack: Any, make_pose: Any) -> None:
    a, b = make_pose()[0], make_pose(preset="quarter_right")[0]
    nodes = pack.module("nodes.poses")
    (strip,) = nodes.InterpolatePoses.execute(faces_a=a, faces_b=b, steps=3).result
    pictures = draw(pack, strip, 256, 192)
    assert len(pictures) == 3
    assert torch.equal(pictures[0], draw(pack, a, 256, 192)[0])
    assert torch.equal(pictures[2], draw(pack, b, 256, 192)[0])


def test_a_pose_has_no_identity(pack: Any, make_pose: Any) -> None:
    errors = pack.module("instantid_core.errors")
    with pytest.raises(errors.SettingError, match="not whose it is"):
        pack.run("InstantIDEmbedIdentity", faces=make_pose()[0], combine="average")


def test_face_masks_per_picture_and_per_face(pack: Any, faces_of: Any) -> None:
    picture = photo(1, 640, 480, center=(180, 240), size=200)
    other = photo(2, 640, 480, center=(460, 240), size=200)
    picture[:, :, 320:] = other[:, :, 320:]
    faces = faces_of(picture, select="left_to_right")
    node = pack.module("nodes.regions").FaceMask
    (whole,) = node.execute(faces=faces, **MASK).result
    (parts,) = node.execute(faces=faces, **MASK, each_face=True).result
    assert (whole.shape, parts.shape) == ((1, 96, 128), (2, 96, 128))
    assert torch.equal(parts.sum(0), whole[0])
    assert parts[0, 48, 36] == parts[1, 48, 92] == 1


def test_a_face_mask_of_a_box_is_that_of_analyze_faces(pack: Any, analyzer: Any) -> None:
    faces, _, mask, _ = pack.run(
        "InstantIDAnalyzeFaces",
        analyzer=analyzer,
        image=photo(1, 320, 240),
        select="largest",
        index=0,
        min_score=0.5,
        on_no_face="error",
    )
    size = {"width": 320, "height": 240}
    (found,) = pack.module("nodes.regions").FaceMask.execute(faces=faces, **MASK | size).result
    assert (found != mask).float().mean() < 0.01


def test_a_picture_without_faces_gives_an_empty_mask(pack: Any, faces_of: Any) -> None:
    faces = faces_of(torch.zeros(1, 64, 64, 3), on_no_face="skip")
    for each_face in (False, True):
        node = pack.module("nodes.regions").FaceMask
        (mask,) = node.execute(faces=faces, **MASK, each_face=each_face).result
        assert mask.shape == (1, 96, 128)
        assert not mask.any()


def test_a_pose_from_a_photo_is_kept_as_text(make_pose: Any, faces_of: Any) -> None:
    """What a workflow keeps: the edited pose of a photo, without the photo."""
    photos = faces_of(photo(1, 320, 240, center=(120, 120), roll=10))
    edited, picture, text = make_pose(faces=photos, rotate=15.0, width=320, height=240)
    kept, again, same_text = make_pose(pose_json=text, preset="up", width=320, height=240)
    assert torch.equal(picture, again)
    assert kept.frames[0].extent == edited.frames[0].extent
    assert same_text == text


def test_text_that_is_no_pose(make_pose: Any, pack: Any) -> None:
    with pytest.raises(pack.module("instantid_core.errors").SettingError, match="read as JSON"):
        make_pose(pose_json="front")


def test_poses_of_a_batch_give_the_text_of_the_first(make_pose: Any, faces_of: Any) -> None:
    both = torch.cat([photo(1), photo(2, roll=20)])
    _, _, text = make_pose(faces=faces_of(both))
    assert text == make_pose(faces=faces_of(both[:1]))[2]
