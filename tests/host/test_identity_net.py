"""IdentityNet's hint, mask, chain and copies."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import comfy.context_windows
import comfy.sampler_helpers
import pytest
import torch
from support.devices import loaded
from support.tensors import are_equal

from nodes import ConditioningSetArea, ControlNetApplyAdvanced
from tools.bench.snapshots import same, snapshot
from tools.small_world.scenes import photo, sample

SIZES = [(512, 512), (1016, 1016), (832, 1216)]
EVERYTHING = {"start_at": 0.0, "end_at": 1.0}
SIGMA = 5.0
"""Of SDXL's schedule the noise level at a quarter of the way."""


@pytest.fixture
def apply_net(pack: Any, adapter: Any, identity_of: Any, control_net: Any, prompt: Any) -> Any:
    def apply(**settings: Any) -> Any:
        inputs = {
            "positive": prompt.positive,
            "negative": prompt.negative,
            "strength": 0.8,
            **EVERYTHING,
            "identity": identity_of(1),
            **settings,
        }
        return pack.run(
            "InstantIDApplyIdentityNet", control_net=control_net, adapter=adapter, **inputs
        )

    return apply


def residuals(net: Any, model: Any, size: tuple[int, int], batch: int = 1) -> dict[str, Any]:
    """What a net gives for one positive row per picture, at a size (width, height) in pixels."""
    with run_of(net, model):
        return one_call(net, size, range(batch))


@contextmanager
def run_of(net: Any, model: Any) -> Iterator[None]:
    """A sampler's run, around the calls of a net."""
    loaded(net)
    net.pre_run(model.model, model.get_model_object("model_sampling").percent_to_sigma)
    try:
        yield
    finally:
        net.cleanup()


def one_call(net: Any, size: tuple[int, int], pictures: Sequence[int]) -> dict[str, Any]:
    """What a net gives within a run for these pictures of the batch, at SIGMA."""
    batch, noise = len(pictures), torch.Generator().manual_seed(3)
    x = torch.randn(batch, 4, size[1] // 8, size[0] // 8, generator=noise).to(net.load_device)
    rows = {"instantid_row": torch.tensor([[1, i, 0, 0, 0, 0, 0, 0, 0] for i in pictures])}
    cond = {"c_crossattn": torch.zeros(batch, 77, 64), "y": torch.zeros(batch, 2816), **rows}
    cond = {name: value.to(x.device) for name, value in cond.items()}
    sigma = torch.full((batch,), SIGMA, device=x.device)
    return net.get_control(x, sigma, cond, 1, {"cond_or_uncond": [0], "sigmas": sigma[:1]})


class Hints:
    """Notes what a net's network is given as hint."""

    def __init__(self, net: Any) -> None:
        self.hints: list[torch.Tensor] = []
        self.hook = net.control_model.register_forward_pre_hook(self._note, with_kwargs=True)

    def _note(self, _: Any, __: Any, kwargs: dict[str, Any]) -> None:
        self.hints.append(kwargs["hint"].clone().cpu())

    def __enter__(self) -> list[torch.Tensor]:
        return self.hints

    def __exit__(self, *_: object) -> None:
        self.hook.remove()


def flat(control: dict[str, Any]) -> list[torch.Tensor]:
    return [x for stage in ("input", "middle", "output") for x in control[stage] if x is not None]


def control_of(conditioning: Any) -> Any:
    return conditioning[0][1]["control"]


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
def test_faces_equal_the_drawn_picture(
    pack: Any, apply_net: Any, faces_of: Any, model: Any, size: tuple[int, int]
) -> None:
    faces = faces_of(photo(1, 640, 480))
    (image,) = pack.run(
        "InstantIDDrawKeypoints", faces=faces, width=size[0], height=size[1], fit="letterbox"
    )
    from_faces = residuals(control_of(apply_net(faces=faces)[0]), model, size)
    from_image = residuals(control_of(apply_net(image=image)[0]), model, size)
    assert are_equal(flat(from_faces), flat(from_image))


@pytest.mark.parametrize("fit", ["letterbox", "crop", "stretch"])
def test_fit_reaches_the_drawing(
    pack: Any, apply_net: Any, faces_of: Any, model: Any, fit: str
) -> None:
    faces, size = faces_of(photo(1, 640, 480)), (192, 256)
    (image,) = pack.run(
        "InstantIDDrawKeypoints", faces=faces, width=size[0], height=size[1], fit=fit
    )
    net = control_of(apply_net(faces=faces, fit=fit)[0])
    with Hints(net) as hints:
        residuals(net, model, size)
    assert torch.equal(hints[0], image.movedim(-1, 1))


def test_faces_are_drawn_again_for_another_size(
    apply_net: Any, faces_of: Any, model: Any, prompt: Any
) -> None:
    """A second pass at another size, in any order, equals that pass alone."""
    pair = apply_net(faces=faces_of(photo(1)))
    small = sample(model, *pair, size=(128, 128), steps=1)
    large = sample(model, *pair, size=(192, 128), steps=1)
    assert torch.equal(small, sample(model, *pair, size=(128, 128), steps=1))
    assert torch.equal(
        large, sample(model, *apply_net(faces=faces_of(photo(1))), size=(192, 128), steps=1)
    )


def test_a_foreign_hint_is_used_as_it_is(apply_net: Any, faces_of: Any, model: Any) -> None:
    """Tiling packs exchange `cond_hint_original`; then nothing may be drawn over it."""
    hint = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(4))
    tiled = copy.copy(control_of(apply_net(faces=faces_of(photo(1)))[0]))
    tiled.cond_hint_original, tiled.cond_hint = hint, None
    direct = control_of(apply_net(image=hint.movedim(1, -1))[0])
    size = (128, 128)
    assert are_equal(flat(residuals(tiled, model, size)), flat(residuals(direct, model, size)))


def test_a_batch_of_drawings_goes_picture_by_picture(
    apply_net: Any, faces_of: Any, model: Any
) -> None:
    photos = torch.cat([photo(1), photo(1, center=(150, 200), size=180)])
    both = residuals(control_of(apply_net(faces=faces_of(photos))[0]), model, (128, 128), batch=2)
    for number in range(2):
        alone = control_of(apply_net(faces=faces_of(photos[number : number + 1]))[0])
        # Not bit for bit: the batch size changes how the convolutions are blocked.
        for two, one in zip(
            flat(both), flat(residuals(alone, model, (128, 128), batch=2)), strict=True
        ):
            torch.testing.assert_close(two[number], one[number], rtol=1e-4, atol=1e-4)


def test_each_picture_of_a_run_has_its_own_hint(apply_net: Any, faces_of: Any, model: Any) -> None:
    """Windows and tiles of one size follow each other within a run, and a hint is encoded once."""
    photos = torch.cat([photo(1), photo(1, center=(150, 200), size=180)])
    net, size = control_of(apply_net(faces=faces_of(photos))[0]), (128, 128)
    with run_of(net, model):
        within_a_run = [flat(one_call(net, size, [picture])) for picture in (0, 1)]
    for picture in (0, 1):
        with run_of(net, model):
            alone = flat(one_call(net, size, [picture]))
        assert are_equal(within_a_run[picture], alone)
    assert not are_equal(*within_a_run)


def test_a_mask_scales_residuals_and_leaves_the_prompt_alone(
    apply_net: Any, faces_of: Any, model: Any
) -> None:
    mask = torch.zeros(1, 128, 128)
    mask[:, :64, :64] = 1
    faces = faces_of(photo(1))
    masked_cond = apply_net(faces=faces, mask=mask)[0]
    assert "mask" not in masked_cond[0][1]
    plain = residuals(control_of(apply_net(faces=faces)[0]), model, (128, 128))
    masked = residuals(control_of(masked_cond), model, (128, 128))
    for full, part in zip(flat(plain), flat(masked), strict=True):
        half = full.shape[-1] // 2
        assert torch.equal(part[..., :half, :half], full[..., :half, :half])
        assert part[..., half:].abs().sum() == 0
        assert part[..., half:, :].abs().sum() == 0


def test_residuals_of_a_chain_add_up(
    pack: Any, apply_net: Any, faces_of: Any, model: Any, depth_net: Any, prompt: Any
) -> None:
    hint = torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(5))
    sides = ControlNetApplyAdvanced().apply_controlnet(*prompt, depth_net, hint, 0.5, 0.0, 1.0)
    faces, size = faces_of(photo(1)), (128, 128)
    chained = apply_net(positive=sides[0], negative=sides[1], faces=faces)
    parts = control_of(sides[0]), control_of(apply_net(faces=faces)[0])
    sums = [a + b for a, b in zip(*(flat(residuals(p, model, size)) for p in parts), strict=True)]
    together = flat(residuals(control_of(chained[0]), model, size))
    for total, expected in zip(together, sums, strict=True):
        torch.testing.assert_close(total, expected)


@pytest.mark.parametrize(("start", "end"), [(0.4, 1.0), (0.0, 0.1)], ids=["before", "after"])
def test_outside_its_window_the_net_in_front_acts_alone(
    apply_net: Any, faces_of: Any, model: Any, depth_net: Any, prompt: Any, start: float, end: float
) -> None:
    hint = torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(5))
    sides = ControlNetApplyAdvanced().apply_controlnet(*prompt, depth_net, hint, 0.5, 0.0, 1.0)
    faces, size = faces_of(photo(1)), (128, 128)
    chained = apply_net(
        positive=sides[0], negative=sides[1], faces=faces, start_at=start, end_at=end
    )
    in_front = flat(residuals(control_of(sides[0]), model, size))
    together = residuals(control_of(chained[0]), model, size)
    assert together, "the net in front is in its window"
    assert any(x.any() for x in in_front)
    assert are_equal(flat(together), in_front)


def test_several_identity_nets_keep_their_own_tokens(
    apply_net: Any, faces_of: Any, identity_of: Any, model: Any
) -> None:
    first = apply_net(identity=identity_of(1), faces=faces_of(photo(1)))
    second = apply_net(identity=identity_of(2), faces=faces_of(photo(2)))
    both = apply_net(
        positive=first[0], negative=first[1], identity=identity_of(2), faces=faces_of(photo(2))
    )
    size = (128, 128)
    apart = [flat(residuals(control_of(pair[0]), model, size)) for pair in (first, second)]
    for total, one, other in zip(
        flat(residuals(control_of(both[0]), model, size)), *apart, strict=True
    ):
        torch.testing.assert_close(total, one + other)
    assert not all(map(torch.equal, *apart))


def test_positive_and_negative_share_one_net(apply_net: Any, faces_of: Any) -> None:
    """Otherwise the host could not run both sides in one batch."""
    positive, negative = apply_net(faces=faces_of(photo(1)))
    assert control_of(positive) is control_of(negative)


def test_the_host_sees_the_network_once(apply_net: Any, faces_of: Any, control_net: Any) -> None:
    positive, _ = apply_net(faces=faces_of(photo(1)))
    conds = {"positive": comfy.sampler_helpers.convert_cond(positive)}
    models, _ = comfy.sampler_helpers.get_additional_models(conds, torch.float32)
    assert models == [control_net.control_model_wrapped]


def test_copies_keep_the_identity(apply_net: Any, faces_of: Any, model: Any) -> None:
    net = control_of(apply_net(faces=faces_of(photo(1)))[0])
    reference = flat(residuals(net, model, (128, 128)))
    clones = [net.copy(), copy.copy(net)]
    if hasattr(net, "deepclone_multigpu"):  # hosts that split work over several GPUs
        clones.append(net.deepclone_multigpu(net.load_device))
    for clone in clones:
        assert type(clone) is type(net)
        assert are_equal(reference, flat(residuals(clone, model, (128, 128))))


def test_sampling_leaves_the_conditioning_as_it_was(
    apply_net: Any, faces_of: Any, model: Any
) -> None:
    """It lies in the host's cache, and tiling packs read the hint that is in it."""
    pair = apply_net(faces=faces_of(photo(1, 640, 480)))
    sample(model, *pair, steps=1)  # the host notes on the network that it is loaded
    before = snapshot(pair)
    sample(model, *pair, steps=1, size=(192, 128))
    assert same(before, snapshot(pair))


def test_an_area_gets_its_part_of_the_drawing(
    pack: Any, apply_net: Any, adapter: Any, identity_of: Any, faces_of: Any, model: Any
) -> None:
    faces = faces_of(photo(1))
    (image,) = pack.run(
        "InstantIDDrawKeypoints", faces=faces, width=128, height=128, fit="letterbox"
    )
    how = {"adapter": adapter, "identity": identity_of(1), **EVERYTHING}
    (patched,) = pack.run("InstantIDApplyAdapter", model=model, weight=0.8, **how)
    positive, negative = apply_net(faces=faces)
    (right,) = ConditioningSetArea().append(positive, 64, 128, 64, 0, 1.0)
    with Hints(control_of(positive)) as hints:
        sample(patched, right, negative, steps=1)
    whole = image.movedim(-1, 1)
    sizes = {tuple(hint.shape[-2:]) for hint in hints}
    assert sizes == {(128, 64), (128, 128)}
    for hint in hints:
        expected = whole if hint.shape[-1] == 128 else whole[..., 64:]
        assert all(torch.equal(row, expected[0]) for row in hint)


def test_windows_of_a_batch_get_their_own_pictures(
    pack: Any, apply_net: Any, adapter: Any, identity_of: Any, faces_of: Any, model: Any
) -> None:
    """The host's own context windows: 6 pictures, 4 at a time."""
    photos = torch.cat([photo(1, center=(150 + 40 * i, 256), size=180) for i in range(6)])
    faces = faces_of(photos)
    masks = torch.linspace(0.5, 1, 6).view(6, 1, 1).expand(6, 16, 16)
    how = {"adapter": adapter, "identity": identity_of(1), "mask": masks, **EVERYTHING}
    (patched,) = pack.run("InstantIDApplyAdapter", model=model, weight=0.8, **how)
    patched.model_options["context_handler"] = comfy.context_windows.IndexListContextHandler(
        context_schedule=comfy.context_windows.get_matching_context_schedule("standard_static"),
        fuse_method=comfy.context_windows.get_matching_fuse_method("pyramid"),
        context_length=4,
        context_overlap=2,
        dim=0,
    )
    comfy.context_windows.create_prepare_sampling_wrapper(patched)
    (images,) = pack.run(
        "InstantIDDrawKeypoints", faces=faces, width=128, height=128, fit="letterbox"
    )
    pair = apply_net(faces=faces, mask=masks)
    with Hints(control_of(pair[0])) as hints:
        sample(patched, *pair, steps=1, batch=6)
    drawn = images.movedim(-1, 1)
    windows = [
        [next(i for i in range(6) if torch.equal(row, drawn[i])) for row in hint[: len(hint) // 2]]
        for hint in hints
    ]
    assert {frame for window in windows for frame in window} == set(range(6))
    for window in windows:
        assert window == list(range(window[0], window[0] + len(window)))
