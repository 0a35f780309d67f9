"""Cost of a second person: with Apply Group, with the baseline, and in IdentityNet alone."""

from __future__ import annotations

from typing import Any

import torch

from tools.small_world.scenes import Prompt, conditioning, photo

from .host import Scene
from .report import Table, timings
from .steps import AMOUNT, EVERYTHING, Effort, Variant, clock_of, measure

ONE, TWO = "one person", "two people, InstantIDApplyGroup"
BASELINE = "two people, a prompt with a mask for each (baseline)"
CHAINED, BATCHED = "two IdentityNet passes, one after the other", "both in one batch"
EFFORT = Effort(256, rounds=4, steps=3)
PASSES = 8
MASKS = {"match": "left_to_right", "shape": "ellipse", "padding": 0.5, "feather": 0.2}


def group_tables(scene: Scene) -> list[Table]:
    """Tables of a step with one and two people, and of IdentityNet for two, chained and batched."""
    pose = _two_faces(scene)
    compared = {
        ONE: _group(scene, pose, 1),
        TWO: _group(scene, pose, 2),
        BASELINE: _baseline_group(scene, pose),
    }
    rows = ", ".join(f"{_rows(variant)} ({name})" for name, variant in compared.items())
    return [
        Table(
            f"One step with several people, {EFFORT.pixels} x {EFFORT.pixels} pixels",
            timings(measure(compared, EFFORT)),
            (f"{EFFORT}. UNet rows per step: {rows}.",),
        ),
        Table(
            "IdentityNet for two people: network time",
            timings(_passes(scene)),
            ("The pack chains them: no memory for a larger batch, and each has its own window.",),
        ),
    ]


def _two_faces(scene: Scene) -> Any:
    picture = torch.cat((photo(1, 320, 320), photo(2, 320, 320)), dim=2)
    how = {"select": "left_to_right", "index": 0, "min_score": 0.5, "on_no_face": "error"}
    return scene.pack.run("InstantIDAnalyzeFaces", analyzer=scene.analyzer, image=picture, **how)[0]


def _group(scene: Scene, pose: Any, people: int) -> Variant:
    model, *sides = scene.pack.run(
        "InstantIDApplyGroup",
        model=scene.model,
        **scene.prompt._asdict(),
        adapter=scene.adapter,
        control_net=scene.control_net,
        faces=pose,
        identities={f"identity{n}": scene.identity for n in range(people)},
        weight=AMOUNT,
        strength=AMOUNT,
        **EVERYTHING,
        **MASKS,
    )
    return Variant(model, Prompt(*sides))


def _baseline_group(scene: Scene, pose: Any) -> Variant:
    """Masked prompts and one IdentityNet per person, combined."""
    model, sides = scene.model, Prompt([], [])
    for mask in _face_masks(scene, pose).split(1):
        model, own = _masked_person(scene, model, pose, mask)
        sides = Prompt(*(before + after for before, after in zip(sides, own, strict=True)))
    return Variant(model, sides)


def _face_masks(scene: Scene, pose: Any) -> torch.Tensor:
    return scene.pack.run(
        "InstantIDFaceMask",
        faces=pose,
        width=EFFORT.pixels,
        height=EFFORT.pixels,
        fit="letterbox",
        shape="box",
        padding=0.5,
        feather=0.0,
        each_face=True,
    )[0]


def _masked_person(
    scene: Scene, model: Any, pose: Any, mask: torch.Tensor
) -> tuple[Any, tuple[Any, Any]]:
    from nodes import ConditioningSetMask

    who = {"adapter": scene.adapter, "identity": scene.identity, **EVERYTHING}
    run = scene.pack.run
    (model,) = run("InstantIDApplyAdapter", model=model, weight=AMOUNT, mask=mask, **who)
    positive, negative = (
        ConditioningSetMask().append(conditioning(text), mask, "default", 1.0)[0]
        for text in ("a person", "blurry")
    )
    prompts = {"positive": positive, "negative": negative}
    net = {"control_net": scene.control_net, "strength": AMOUNT, "faces": pose}
    return model, run("InstantIDApplyIdentityNet", **prompts, **net, **who)


def _rows(variant: Variant) -> int:
    """Rows that the UNet runs in one step."""
    from .steps import sample

    seen: list[int] = []
    network = variant.model.model.diffusion_model
    hook = network.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[0]))
    try:
        sample(variant.model, variant.prompt, pixels=128, steps=1)
    finally:
        hook.remove()
    return sum(seen)


def _passes(scene: Scene) -> dict[str, list[float]]:
    """Seconds of IdentityNet's network: twice with two rows, and once with four."""
    network, now = scene.control_net.control_model, clock_of(scene.model)
    cells = EFFORT.pixels // 8

    def run(rows: int) -> None:
        network(
            x=torch.zeros(rows, 4, cells, cells),
            hint=torch.zeros(rows, 3, EFFORT.pixels, EFFORT.pixels),
            timesteps=torch.full((rows,), 500.0),
            context=torch.zeros(rows, 16, scene.adapter.config.projection.context_dim),
            y=torch.zeros(rows, 2816),
        )

    seconds: dict[str, list[float]] = {CHAINED: [], BATCHED: []}
    for _ in range(PASSES):
        for name, batches in ((CHAINED, (2, 2)), (BATCHED, (4,))):
            started = now()
            for rows in batches:
                run(rows)
            seconds[name].append(now() - started)
    return seconds
