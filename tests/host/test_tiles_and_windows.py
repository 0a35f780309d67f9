"""Right rows, right part of the mask and right part of the hint under patches that cut the latent.

Tiled sampling is done as `support.neighbours.tiles` says, sliding windows as AnimateDiff-Evolved
does: by the interfaces that they use, without their code.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import comfy.controlnet
import comfy.samplers
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from comfy_execution.utils import CurrentNodeContext
from comfy_extras.nodes_freelunch import FreeU_V2
from comfy_extras.nodes_hypertile import HyperTile
from comfy_extras.nodes_pag import PerturbedAttentionGuidance
from comfy_extras.nodes_sag import SelfAttentionGuidance
from support.host_calls import own_warnings
from support.neighbours.tiles import (
    SCALE,
    SIDE,
    TILE,
    MultiDiffusion,
    SpotDiffusion,
    boxes,
    corners,
    cropped,
    tiled,
    with_own_hints,
)
from support.network_calls import Calls
from support.tensors import are_equal

from tools.small_world.scenes import photo, sample

GROUP = "Model patches and samplers of others"


class Regions:
    """Notes the part of the mask that every site is given."""

    def __init__(self, pack: Any) -> None:
        self.kind = pack.module("instantid_core.adapter.masks").RegionMask
        self.seen: dict[tuple[int, int], list[torch.Tensor]] = {}

    def __enter__(self) -> Regions:
        base = self.kind.for_rows

        def noted(region: Any, rows: Any, grid: Any, like: Any, *rest: Any) -> torch.Tensor:
            mask = base(region, rows, grid, like, *rest)
            expanded = mask.expand(len(rows.rows), -1, -1)
            self.seen.setdefault(tuple(grid), []).append(expanded.float().cpu())
            return mask

        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(self.kind, "for_rows", noted)
        return self

    def __exit__(self, *_: object) -> None:
        self.patch.undo()


@pytest.fixture
def gradient() -> torch.Tensor:
    """A mask in which every place differs, at the latent's size: [1, 16, 16]."""
    return torch.linspace(0, 1, SIDE * SIDE).view(1, SIDE, SIDE)


@pytest.fixture
def drawn(pack: Any) -> Any:
    """The keypoints at the size of the picture: [frames, 3, 128, 128]."""

    def draw(faces: Any) -> torch.Tensor:
        size = {"width": SIDE * SCALE, "height": SIDE * SCALE, "fit": "letterbox"}
        return pack.run("InstantIDDrawKeypoints", faces=faces, **size)[0].movedim(-1, 1)

    return draw


def a_run() -> CurrentNodeContext:
    """A run of the host, in which each warning comes once."""
    return CurrentNodeContext(str(uuid4()), "1")


def pixels(place: tuple[int, int]) -> tuple[slice, ...]:
    return (..., *(slice(SCALE * edge, SCALE * (edge + TILE)) for edge in place))


@pytest.mark.combination(GROUP, "tiled diffusion: each tile gets its part of mask and keypoints")
def test_tiles_get_their_part(
    pack: Any, model: Any, applied: Any, netted: Any, faces_of: Any, drawn: Any, gradient: Any
) -> None:
    faces = faces_of(photo(1))
    pair = netted(faces)
    with Calls(pair[0][0][1]["control"].control_model) as calls, Regions(pack) as regions:
        sample(tiled(applied(model, mask=gradient), pair), *pair, steps=1)
    whole = drawn(faces)[0]
    tiles = [whole[pixels(place)] for place in corners()]
    assert len(calls.hints) == 2
    for hints, batch in zip(calls.hints, (tiles[:2], tiles[2:]), strict=True):
        # Per tile one row for each side of the guidance.
        expected = torch.stack([tile for tile in batch for _ in range(2)])
        assert torch.equal(hints, expected)
    fine = TILE // 2
    seen = regions.seen[fine, fine]
    for number, masks in enumerate((seen[0], seen[-1])):
        batch = boxes(SIDE, TILE)[number]
        expected = torch.cat([gradient[box.slicer] for box in batch for _ in range(2)])
        small = torch.nn.functional.interpolate(expected[:, None], size=(fine, fine))[:, 0]
        assert torch.allclose(masks, small)


@pytest.mark.combination(GROUP, "tiled diffusion, SpotDiffusion: the tile's own hint, no mask")
def test_rolling_tiles_have_their_hint(
    model: Any, applied: Any, netted: Any, drawn: Any, faces_of: Any, noted: Any, caplog: Any
) -> None:
    image = drawn(faces_of(photo(1))).movedim(1, -1)
    mask = torch.ones(1, SIDE, SIDE)
    pair = netted(None, image=image, mask=mask)
    with Calls(pair[0][0][1]["control"].control_model) as calls, a_run():
        sample(tiled(applied(model, mask=mask), pair, SpotDiffusion), *pair, steps=1)
    whole = image.movedim(-1, 1).roll(SCALE * SpotDiffusion.SHIFT, -1)[0]
    expected = [whole[MultiDiffusion.pixels(box)] for b in boxes(SIDE, TILE) for box in b]
    assert torch.equal(torch.cat(calls.hints)[::2], torch.stack(expected))
    adapter, net = own_warnings(caplog)
    assert "SpotDiffusion moves its tiles" in adapter
    assert "IdentityNet's mask covers each tile" in net
    noted(f"with the warning: {adapter}")


@pytest.mark.parametrize("with_adapter", [True, False], ids=["with adapter", "IdentityNet alone"])
@pytest.mark.combination(GROUP, "hints put before each tile's run (Tiled KSampler) are kept: {}")
def test_hints_put_before_a_run(
    model: Any, applied: Any, netted: Any, faces_of: Any, drawn: Any, with_adapter: bool
) -> None:
    faces = faces_of(photo(1))
    image = drawn(faces).movedim(1, -1)
    pair, patched = netted(None, image=image), applied(model) if with_adapter else model
    control = pair[0][0][1]["control"]
    for _, own in list(with_own_hints(control, image.movedim(-1, 1)))[-1:]:
        with Calls(control.control_model) as calls:
            sample(patched, *pair, steps=1, size=(TILE * SCALE, TILE * SCALE))
        assert are_equal(calls.hints, [own.expand_as(hint) for hint in calls.hints])
    with Calls(control.control_model) as calls:
        sample(patched, *pair, steps=1)
    whole = image.movedim(-1, 1)
    later = [whole.expand_as(hint) for hint in calls.hints]
    assert are_equal(calls.hints, later), "and no longer"


@pytest.mark.parametrize("given", ["faces", "image"])
@pytest.mark.combination(GROUP, "a hint cut as if it had the canvas' shape (UltimateSDUpscale): {}")
def test_hints_cut_in_the_canvas_shape(
    model: Any, netted: Any, faces_of: Any, drawn: Any, noted: Any, caplog: Any, given: str
) -> None:
    faces = faces_of(photo(1))
    how = {"image": drawn(faces).movedim(1, -1)} if given == "image" else {}
    pair = netted(None if how else faces, **how)
    with a_run():
        for box in boxes(SIDE, TILE)[1]:
            own = cropped(pair, box)
            with Calls(own[0][0][1]["control"].control_model) as calls:
                sample(model, *own, steps=1, size=(TILE * SCALE, TILE * SCALE))
            if how:
                wanted = drawn(faces)[0][MultiDiffusion.pixels(box)]
                assert are_equal(calls.hints, [wanted.expand_as(hint) for hint in calls.hints])
    if how:
        assert own_warnings(caplog) == []
    else:
        (warning,) = own_warnings(caplog)
        assert "connect its image to InstantID Apply IdentityNet in place of faces" in warning
        noted(f"with the warning: {warning}")


@pytest.mark.combination(GROUP, "tiled diffusion without the adapter: the tile's own hint is used")
def test_tiles_without_the_adapter(model: Any, netted: Any, faces_of: Any, drawn: Any) -> None:
    """Nothing tells the place of a tile there; the pack's own cut of the first drawing decides."""
    pair = netted(faces_of(photo(1)))
    net = pair[0][0][1]["control"]
    first = torch.nn.functional.interpolate(net.cond_hint_original, (SIDE * SCALE, SIDE * SCALE))
    with Calls(net.control_model) as calls:
        sample(tiled(model, pair), *pair, steps=1)
    seen = torch.cat(calls.hints)
    expected = [first[0][pixels(place)] for place in corners() for _ in range(2)]
    assert torch.equal(seen, torch.stack(expected))


class SlidingWindows:
    """Runs a batch in windows, as AnimateDiff-Evolved's wrapper of calc_cond_batch does.

    It announces the window in `ad_params`, cuts every cond of the batch's length, and refuses
    ControlNets that have no `sub_idxs`.
    """

    def __init__(self, length: int, overlap: int) -> None:
        self.length, self.overlap = length, overlap

    def __call__(self, executor: Any, model: Any, conds: Any, x: Any, t: Any, options: Any) -> Any:
        total = [torch.zeros_like(x) for _ in conds]
        count = torch.zeros(len(x), 1, 1, 1, device=x.device)
        for start in range(0, len(x) - self.overlap, self.length - self.overlap):
            frames = list(range(start, min(start + self.length, len(x))))
            transformer_options = options["transformer_options"]
            known = {"full_length": len(x), "sub_idxs": frames}
            transformer_options["ad_params"] = known
            cut = [[self.window(c, len(x), frames) for c in side or ()] or None for side in conds]
            for sum_, part in zip(
                total, executor(model, cut, x[frames], t[frames], options), strict=True
            ):
                sum_[frames] += part
            count[frames] += 1
        return [part / count for part in total]

    def window(self, cond: dict[str, Any], length: int, frames: list[int]) -> dict[str, Any]:
        parts = dict(cond)
        for name, value in cond["model_conds"].items():
            if isinstance(value.cond, torch.Tensor) and len(value.cond) == length:
                parts["model_conds"] = {
                    **parts["model_conds"],
                    name: value._copy_with(value.cond[frames]),
                }
        control = parts.get("control")
        while control is not None:
            if not hasattr(control, "sub_idxs"):
                raise ValueError(f"Control type {type(control).__name__} may not support windows")
            control.sub_idxs = frames
            control = control.previous_controlnet
        return parts


def in_windows(model: Any) -> Any:
    windowed = model.clone()
    windowed.add_wrapper_with_key(WrappersMP.CALC_COND_BATCH, "ad", SlidingWindows(4, 2))
    return windowed


@pytest.mark.parametrize("with_adapter", [True, False], ids=["with adapter", "IdentityNet alone"])
@pytest.mark.combination(GROUP, "AnimateDiff-style sliding windows (`ad_params`): {}")
def test_windows_get_their_own_frames(
    pack: Any,
    model: Any,
    applied: Any,
    netted: Any,
    faces_of: Any,
    drawn: Any,
    with_adapter: bool,
) -> None:
    photos = torch.cat([photo(1, center=(150 + 40 * i, 256), size=180) for i in range(6)])
    faces = faces_of(photos)
    masks = torch.linspace(0.5, 1, 6).view(6, 1, 1).expand(6, SIDE, SIDE)
    patched = applied(model, mask=masks) if with_adapter else model
    pair = netted(faces, mask=masks) if with_adapter else netted(faces)
    net = pair[0][0][1]["control"]
    with Calls(net.control_model) as calls, Regions(pack) as regions:
        sample(in_windows(patched), *pair, steps=1, batch=6)
    frames = drawn(faces)
    windows = [[0, 1, 2, 3], [2, 3, 4, 5]]
    seen = [hint[: len(hint) // 2] for hint in calls.hints]
    assert len(seen) == 2
    for hint, window in zip(seen, windows, strict=True):
        assert torch.equal(hint, frames[window])
    assert net.sub_idxs is None, "what the pack left on it is gone after the run"
    if with_adapter:
        masks_seen = regions.seen[SIDE // 2, SIDE // 2]
        for mask, window in ((masks_seen[0], windows[0]), (masks_seen[-1], windows[1])):
            assert torch.allclose(mask[: len(window), 0, 0], masks[window, 0, 0])


PATCHES = {
    "FreeU": lambda model: FreeU_V2.execute(model, 1.3, 1.4, 0.9, 0.2),
    "HyperTile": lambda model: HyperTile.execute(model, 32, 1, 1, False),
    "perturbed attention (PAG)": lambda model: PerturbedAttentionGuidance.execute(model, 3.0),
    "self-attention guidance (SAG)": lambda model: SelfAttentionGuidance.execute(model, 0.5, 2.0),
}


@pytest.mark.parametrize("patch", PATCHES)
@pytest.mark.parametrize(
    "order", ["before ours", pytest.param("after ours", marks=pytest.mark.thorough)]
)
@pytest.mark.combination(GROUP, "{}")
def test_patches_of_the_host(
    pack: Any, model: Any, applied: Any, netted: Any, faces_of: Any, patch: str, order: str
) -> None:
    """Each changes the picture, the identity does, and every row keeps its polarity."""
    pair = netted(faces_of(photo(1)))
    rows: list[list[str]] = []

    def witness(q: Any, k: Any, v: Any, options: dict[str, Any]) -> torch.Tensor:
        if "instantid_rows" in options:
            rows.append([row.polarity.name for row in options["instantid_rows"].rows])
            assert len(rows[-1]) == len(q)
        return torch.zeros_like(q)

    def theirs(one: Any) -> Any:
        out = PATCHES[patch](one)
        return getattr(out, "result", out)[0]

    watched = model.clone()
    watched.set_model_attn2_replace(witness, "middle", 0, 0)
    both = applied(theirs(watched)) if order == "before ours" else theirs(applied(watched))
    together = sample(both, *pair, steps=1)
    assert ["NEGATIVE", "POSITIVE"] in [sorted(call) for call in rows]
    extra = [call for call in rows if len(call) == 1]
    assert extra == {"p": [["POSITIVE"]], "s": [["NEGATIVE"]]}.get(patch[0], [])
    assert not torch.equal(together, sample(applied(watched), *pair, steps=1))
    assert not torch.equal(together, sample(theirs(watched), *pair, steps=1))


def test_windows_of_a_cancelled_run_are_forgotten(model: Any, netted: Any, faces_of: Any) -> None:
    """The host does not call cleanup where sampling raises."""
    pair = netted(faces_of(torch.cat([photo(1), photo(2)])))
    wanted = sample(model, *pair, steps=1, batch=2)
    control = pair[0][0][1]["control"]

    def cancel(executor: Any, model: Any, conds: Any, *rest: Any) -> Any:
        for each in (one["control"] for side in conds for one in side or ()):
            each.sub_idxs = [1]
        executor(model, conds, *rest)
        raise comfy.model_management.InterruptProcessingException

    cancelled = model.clone()
    cancelled.add_wrapper_with_key(WrappersMP.CALC_COND_BATCH, "cancelled", cancel)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        sample(cancelled, *pair, steps=1, batch=2)
    assert torch.equal(sample(model, *pair, steps=1, batch=2), wanted)
    assert control.sub_idxs is None
