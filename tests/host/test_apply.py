"""The one-node form is the composition of the separate nodes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tools.small_world.scenes import photo, sample

WIDGETS = {"weight": 0.7, "strength": 0.9, "start_at": 0.1, "end_at": 0.9}


def one_node(pack: Any, model: Any, prompt: Any, parts: dict[str, Any], **settings: Any) -> Any:
    inputs = {"model": model, "positive": prompt.positive, "negative": prompt.negative}
    return pack.run("InstantIDApply", **inputs, **parts, **WIDGETS, **settings)


def separate_nodes(
    pack: Any,
    model: Any,
    prompt: Any,
    parts: dict[str, Any],
    identity: Any,
    pose: dict[str, Any],
    **mask: Any,
) -> Any:
    window = {"start_at": WIDGETS["start_at"], "end_at": WIDGETS["end_at"]}
    shared = {"adapter": parts["adapter"], "identity": identity, **window, **mask}
    (patched,) = pack.run("InstantIDApplyAdapter", model=model, weight=WIDGETS["weight"], **shared)
    positive, negative = pack.run(
        "InstantIDApplyIdentityNet",
        positive=prompt.positive,
        negative=prompt.negative,
        control_net=parts["control_net"],
        strength=WIDGETS["strength"],
        **pose,
        **shared,
    )
    return patched, positive, negative


@pytest.fixture
def parts(adapter: Any, analyzer: Any, control_net: Any) -> dict[str, Any]:
    return {"adapter": adapter, "analyzer": analyzer, "control_net": control_net}


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("pose", ["own", "photo", "drawing"])
def test_equal_bits(
    pack: Any,
    model: Any,
    prompt: Any,
    parts: dict[str, Any],
    faces_of: Any,
    pose: str,
    masked: bool,
) -> None:
    reference, other = photo(5), photo(6, 600, 400, center=(200, 210), size=160)
    faces = faces_of(reference)
    (identity,) = pack.run("InstantIDEmbedIdentity", faces=faces, combine="average")
    mask = {"mask": torch.linspace(0, 1, 64).expand(1, 64, 64)} if masked else {}
    (drawing,) = pack.run(
        "InstantIDDrawKeypoints", faces=faces_of(other), width=128, height=128, fit="letterbox"
    )
    image_kps, pose_input = {
        "own": ({}, {"faces": faces}),
        "photo": ({"image_kps": other}, {"faces": faces_of(other)}),
        "drawing": ({"image_kps": drawing}, {"image": drawing}),
    }[pose]
    ours = one_node(pack, model, prompt, parts, image=reference, **image_kps, **mask)
    theirs = separate_nodes(pack, model, prompt, parts, identity, pose_input, **mask)
    assert torch.equal(sample(*ours), sample(*theirs))


def test_several_photos_are_averaged(
    pack: Any, model: Any, prompt: Any, parts: dict[str, Any], faces_of: Any
) -> None:
    photos = torch.cat([photo(5), photo(6)])
    faces = faces_of(photos)
    (identity,) = pack.run("InstantIDEmbedIdentity", faces=faces, combine="average")
    ours = one_node(pack, model, prompt, parts, image=photos)
    theirs = separate_nodes(pack, model, prompt, parts, identity, {"faces": faces})
    assert torch.equal(sample(*ours), sample(*theirs))


def test_a_named_likeness_is_its_numbers(
    pack: Any, model: Any, prompt: Any, parts: dict[str, Any]
) -> None:
    """Whatever the number widgets show; `custom` goes by them."""
    reference = photo(5)
    given = {"model": model, "positive": prompt.positive, "negative": prompt.negative, **parts}
    numbers = {"weight": 0.6, "strength": 0.5, "start_at": 0.1, "end_at": 1.0}
    expected = sample(*pack.run("InstantIDApply", **given, image=reference, **numbers))
    own = one_node(pack, model, prompt, parts, image=reference)
    named = one_node(pack, model, prompt, parts, image=reference, likeness="stylised")
    custom = one_node(pack, model, prompt, parts, image=reference, likeness="custom")
    assert torch.equal(sample(*named), expected)
    assert torch.equal(sample(*custom), sample(*own))
    assert not torch.equal(sample(*own), expected)


def test_an_unknown_likeness_is_refused(
    pack: Any, model: Any, prompt: Any, parts: dict[str, Any]
) -> None:
    with pytest.raises(Exception, match="likeness must be one of custom, faithful"):
        one_node(pack, model, prompt, parts, image=photo(5), likeness="twin")


def test_face_names_the_person_counted_from_one(
    pack: Any, model: Any, prompt: Any, adapter: Any, analyzer: Any, control_net: Any
) -> None:
    picture = torch.cat((photo(1), photo(2)), dim=2)

    parts = {"adapter": adapter, "analyzer": analyzer, "control_net": control_net}

    def painted(**settings: Any) -> Any:
        patched = one_node(pack, model, prompt, {**parts, "image": picture}, **settings)[0]
        return sample(patched, *prompt, steps=3, size=(64, 64))

    first, second, largest = painted(face=1), painted(face=2), painted()
    assert not torch.equal(first, second)
    assert torch.equal(largest, first) != torch.equal(largest, second)
    with pytest.raises(Exception, match=r"face asks for face 3 in image 1 .*it has 2 faces"):
        painted(face=3)
