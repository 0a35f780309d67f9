"""Several people in one pass of the model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from support.host_calls import text_attention

from nodes import ConditioningCombine, ConditioningSetMask
from tools.small_world.scenes import conditioning, photo, sample

WINDOW = {"start_at": 0.0, "end_at": 1.0}
MASKS = {"match": "left_to_right", "shape": "ellipse", "padding": 0.3, "feather": 0.0}
FIRST_SITE = ("input", 4, 0)


@pytest.fixture(scope="module")
def pose(faces_of: Any) -> Any:
    """Two faces, the left one smaller, so that size and place order them differently."""
    left = photo(7, 640, 320, center=(150, 160), size=110)
    right = photo(8, 640, 320, center=(460, 160), size=160)
    both = torch.cat((left[:, :, :320], right[:, :, 320:]), dim=2)
    return faces_of(both, select="left_to_right")


@pytest.fixture
def group(
    pack: Any, model: Any, adapter: Any, control_net: Any, pose: Any, identity_of: Any, prompt: Any
) -> Any:
    def apply(*people: int, **settings: Any) -> Any:
        identities = {f"identity{n}": identity_of(person) for n, person in enumerate(people)}
        inputs = {"model": model, "positive": prompt.positive, "negative": prompt.negative}
        inputs |= {"faces": pose, "weight": 0.8, "strength": 0.8, **WINDOW, **MASKS}
        return pack.run(
            "InstantIDApplyGroup",
            adapter=adapter,
            control_net=control_net,
            identities=identities,
            **inputs | settings,
        )

    return apply


class Rows:
    """Counts what the UNet runs."""

    def __init__(self, model: Any) -> None:
        self.batches: list[int] = []
        self.hook = model.model.diffusion_model.register_forward_pre_hook(self._note)

    def _note(self, _: Any, args: tuple[Any, ...]) -> None:
        self.batches.append(args[0].shape[0])

    def __enter__(self) -> list[int]:
        return self.batches

    def __exit__(self, *_: object) -> None:
        self.hook.remove()


def test_two_people_cost_one_pass(group: Any, model: Any) -> None:
    with Rows(model) as batches:
        sample(*group(1, 2), steps=2)
    assert batches == [2, 2], "one call per step: the positive and the negative row"


def test_the_usual_way_costs_twice_the_rows(
    pack: Any, model: Any, adapter: Any, identity_of: Any
) -> None:
    """Regional prompts, one per person: what a group avoids."""
    halves = torch.zeros(2, 128, 128)
    halves[0, :, :64], halves[1, :, 64:] = 1, 1
    for person, mask in zip((1, 2), halves, strict=True):
        (model,) = pack.run(
            "InstantIDApplyAdapter",
            model=model,
            adapter=adapter,
            identity=identity_of(person),
            weight=0.8,
            mask=mask.unsqueeze(0),
            **WINDOW,
        )
    sides = []
    for text in ("a person", "blurry"):
        regions = [
            ConditioningSetMask().append(conditioning(text), mask.unsqueeze(0), "default", 1.0)[0]
            for mask in halves
        ]
        sides.append(ConditioningCombine().combine(*regions)[0])
    with Rows(model) as batches:
        sample(model, *sides, steps=1)
    assert sum(batches) == 4


def test_each_person_has_own_tokens_keypoints_and_region(
    group: Any, pose: Any, adapter: Any, identity_of: Any, pack: Any
) -> None:
    _, positive, _ = group(1, 2)
    second = positive[0][1]["control"]
    first = second.previous_controlnet
    negative = pack.module("instantid_core.identity.embedding").NegativeIdentity()
    for net, person, face in zip((first, second), (1, 2), pose.frames[0].faces, strict=True):
        expected = adapter.tokens(identity_of(person), negative)
        assert torch.equal(net.condition.tokens.positive, expected.positive)
        (own,) = net.condition.hint.faces.frames[0].faces
        assert own is face
        assert net.condition.settings.region.number == pose.frames[0].faces.index(face)


def attention_delta(model: Any, prompt: Any) -> torch.Tensor:
    """What identities add at the first site, where no earlier layer has felt them: [B, L, C]."""
    sites = model.model_options["transformer_options"]["patches_replace"]["attn2"]
    patch, deltas = sites[FIRST_SITE], []

    def watch(q: Any, k: Any, v: Any, options: dict[str, Any]) -> torch.Tensor:
        out = patch(q, k, v, options)
        deltas.append(out - text_attention(q, k, v, options))
        return out

    sites[FIRST_SITE] = watch
    sample(model, *prompt, steps=1)
    return deltas[0]


def test_inside_a_mask_is_the_single_run_and_outside_nothing(
    pack: Any, model: Any, adapter: Any, identity_of: Any, prompt: Any
) -> None:
    """1e-5: the delta is a difference of sums of order 1 in float32."""
    halves = torch.zeros(2, 1, 128, 128)
    halves[0, :, :, :48], halves[1, :, :, 80:] = 1, 1

    def applied(to: Any, person: int, **mask: Any) -> Any:
        how = {"adapter": adapter, "identity": identity_of(person), "weight": 0.8, **WINDOW}
        return pack.run("InstantIDApplyAdapter", model=to, **how, **mask)[0]

    both = applied(applied(model, 1, mask=halves[0]), 2, mask=halves[1])
    together = attention_delta(both, prompt)
    grid = torch.arange(8).repeat(8)
    for person, columns in ((1, grid < 3), (2, grid >= 5)):
        alone = attention_delta(applied(model, person), prompt)
        assert alone[:, columns].abs().mean() > 1e-2
        torch.testing.assert_close(together[:, columns], alone[:, columns], rtol=0, atol=1e-5)
    assert together[:, (grid >= 3) & (grid < 5)].abs().max() == 0


def test_a_mask_of_zeros_switches_a_person_off(
    pack: Any, model: Any, adapter: Any, identity_of: Any, prompt: Any
) -> None:
    how = {"adapter": adapter, "identity": identity_of(1), "weight": 0.8, **WINDOW}
    (patched,) = pack.run("InstantIDApplyAdapter", model=model, mask=torch.zeros(1, 16, 16), **how)
    assert torch.equal(sample(patched, *prompt), sample(model, *prompt))


def test_matching(group: Any, pose: Any) -> None:
    """`as_given` keeps the order that the faces come in."""
    frame = pose.frames[0]
    swapped = replace(pose, frames=(replace(frame, faces=frame.faces[::-1]),))
    for match, expected in (("left_to_right", frame.faces[0]), ("as_given", frame.faces[1])):
        _, positive, _ = group(1, 2, faces=swapped, match=match)
        first = positive[0][1]["control"].previous_controlnet
        assert first.condition.hint.faces.frames[0].faces == (expected,)


def test_more_faces_than_people(group: Any, caplog: pytest.LogCaptureFixture) -> None:
    _, positive, _ = group(1)
    assert positive[0][1]["control"].previous_controlnet is None
    assert "2 faces for 1 identities; the other faces are left to the prompt" in caplog.text


@pytest.mark.parametrize(
    ("people", "sentence"),
    [((1, 2, 3), r"3 identities are connected, but the pose has only 2 faces"), ((), "at least")],
    ids=["more people than faces", "nobody"],
)
def test_too_many_or_nobody(group: Any, pack: Any, people: tuple[int, ...], sentence: str) -> None:
    with pytest.raises(pack.module("instantid_core.errors").SettingError, match=sentence):
        group(*people)


def test_a_pose_of_several_pictures(group: Any, pack: Any, faces_of: Any) -> None:
    batch = faces_of(torch.cat([photo(1), photo(2)]))
    with pytest.raises(pack.module("instantid_core.errors").SettingError, match="of one picture"):
        group(1, faces=batch)


def test_the_same_bits_again(group: Any) -> None:
    first = sample(*group(1, 2))
    assert torch.equal(first, sample(*group(1, 2)))
    assert not torch.equal(first, sample(*group(2, 1)))


def test_matching_by_number(group: Any, pose: Any) -> None:
    _, positive, _ = group(1, 2, match="by_index", face_numbers="1, 0")
    nets = positive[0][1]["control"].previous_controlnet, positive[0][1]["control"]
    faces = [net.condition.hint.faces.frames[0].faces[0] for net in nets]
    assert faces == list(pose.frames[0].faces[::-1])


@pytest.mark.parametrize("numbers", ["", "0", "0, 0", "0, 2", "a, b", "0, 1, 1", "-1, 0"])
def test_numbers_that_name_no_faces(group: Any, pack: Any, numbers: str) -> None:
    with pytest.raises(pack.module("instantid_core.errors").SettingError, match="needs a face num"):
        group(1, 2, match="by_index", face_numbers=numbers)
