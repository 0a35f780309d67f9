"""What is done once stays done once: counts, where a clock would only measure the machine."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from support.adapter_calls import Calls

from tools.small_world.scenes import photo, sample

EVERYTHING = {"start_at": 0.0, "end_at": 1.0}


@pytest.fixture
def adapter(adapter: Any) -> Any:
    """The session's, without what it remembers."""
    return replace(adapter, projections=type(adapter.projections)())


@pytest.fixture
def calls(adapter: Any) -> Iterator[Calls]:
    counted = Calls(adapter)
    yield counted
    for hook in counted.hooks:
        hook.remove()


@pytest.fixture
def applied(pack: Any, model: Any, adapter: Any) -> Any:
    def apply(identity: Any, weight: float = 0.8, **settings: Any) -> Any:
        how = {"adapter": adapter, "identity": identity, **EVERYTHING}
        how |= {"model": model, "weight": weight, **settings}
        return pack.run("InstantIDApplyAdapter", **how)[0]

    return apply


def test_sampling_runs_no_layer_of_the_adapter(
    applied: Any, identity_of: Any, prompt: Any, calls: Calls
) -> None:
    patched = applied(identity_of(1))
    before = calls.resampler, calls.projections
    assert before == (2, 2 * 70), "positive and negative tokens; keys and values of every site"
    sample(patched, *prompt, steps=3)
    assert (calls.resampler, calls.projections) == before


def test_weight_and_window_do_not_project_again(
    applied: Any, identity_of: Any, calls: Calls
) -> None:
    identity = identity_of(1)
    applied(identity)
    before = calls.resampler, calls.projections
    applied(identity, weight=0.3)
    applied(identity, start_at=0.2, end_at=0.9)
    assert (calls.resampler, calls.projections) == before
    applied(identity, negative_identity="noise")
    assert calls.resampler == before[0] + 2


def test_both_nodes_share_one_projection(
    pack: Any,
    applied: Any,
    adapter: Any,
    identity_of: Any,
    control_net: Any,
    faces_of: Any,
    prompt: Any,
    calls: Calls,
) -> None:
    identity = identity_of(1)
    applied(identity)
    pack.run(
        "InstantIDApplyIdentityNet",
        positive=prompt.positive,
        negative=prompt.negative,
        control_net=control_net,
        adapter=adapter,
        identity=identity,
        faces=faces_of(photo(1)),
        strength=0.8,
        **EVERYTHING,
    )
    assert calls.resampler == 2


def test_the_same_person_is_known_by_content(applied: Any, identity_of: Any, calls: Calls) -> None:
    """As when a node is run again on the same photo, or the identity comes from a file."""
    identity = identity_of(1)
    applied(identity)
    before = calls.resampler, calls.projections
    applied(replace(identity, references=identity.references.clone()))
    assert (calls.resampler, calls.projections) == before
    applied(replace(identity, references=identity.references * 1.001))
    assert calls.projections == 2 * before[1]


def test_an_adapter_remembers_as_much_as_is_set(
    pack: Any, model: Any, adapter: Any, identity_of: Any
) -> None:
    """Of two people one fits: the first goes when no patch holds it."""
    size = keys_values_of(apply_to(pack, model, adapter, identity_of(0))).nbytes
    small = replace(adapter, projections=type(adapter.projections)(most_bytes=size))
    patched = [apply_to(pack, model, small, identity_of(number)) for number in (1, 2)]
    kept = [weakref.ref(keys_values_of(one)) for one in patched]
    del patched
    gc.collect()
    assert [one() is None for one in kept] == [True, False]


def apply_to(pack: Any, model: Any, adapter: Any, identity: Any) -> Any:
    how = {"adapter": adapter, "identity": identity, "weight": 0.8, **EVERYTHING}
    return pack.run("InstantIDApplyAdapter", model=model, **how)[0]


def keys_values_of(patched: Any) -> Any:
    sites = patched.model_options["transformer_options"]["patches_replace"]["attn2"]
    return sites["middle", 0, 0].identity.keys_values.all_sites


def test_a_run_leaves_nothing_behind(
    pack: Any,
    applied: Any,
    netted: Any,
    identity_of: Any,
    prompt: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither when it ends nor when it fails; and the next run starts with nothing."""
    kind = pack.module("instantid_core.adapter.run").Run
    runs: list[Any] = []
    make = kind.__init__
    note = lambda self, *args: (runs.append(weakref.ref(self)), make(self, *args))[1]  # noqa: E731
    monkeypatch.setattr(kind, "__init__", note)
    patched, pair = applied(identity_of(1), mask=torch.ones(1, 16, 16)), netted(prompt)

    def fail(executor: Any, *args: Any, **kwargs: Any) -> Any:
        executor(*args, **kwargs)
        raise KeyError("of another pack")

    failing = patched.clone()
    failing.add_wrapper_with_key("sampler_sample", "other", fail)
    sample(patched, *pair, steps=1)
    with pytest.raises(KeyError, match="of another pack"):
        sample(failing, *pair, steps=1)
    pair[0][0][1]["control"].cleanup()
    gc.collect()
    assert len(runs) >= 2
    assert not [each for each in runs if each() is not None]
    assert pair[0][0][1]["control"].cond_hint is None


def test_masks_are_resized_once_per_size(
    applied: Any, identity_of: Any, prompt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    patched = applied(identity_of(1), mask=torch.ones(1, 100, 100))
    sizes = []
    real = torch.nn.functional.interpolate

    def counted(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if tensor.shape[-2:] == (100, 100):
            sizes.append(kwargs["size"])
        return real(tensor, *args, **kwargs)

    monkeypatch.setattr(torch.nn.functional, "interpolate", counted)
    sample(patched, *prompt, steps=3)
    assert sorted(sizes) == [(4, 4), (8, 8)], "two levels of the UNet have cross-attention"


@pytest.mark.parametrize(("window", "looks"), [((0.0, 1.0), 0), ((0.1, 0.9), 1)])
def test_sigma_is_read_at_most_once_per_call(
    applied: Any,
    identity_of: Any,
    prompt: Any,
    pack: Any,
    monkeypatch: pytest.MonkeyPatch,
    window: tuple[float, float],
    looks: int,
) -> None:
    rows = pack.module("instantid_core.adapter.rows").SamplingRows
    seen = []
    level = rows.__dict__["noise_level"].func

    def counted(self: Any) -> float:
        seen.append(self)
        return level(self)

    monkeypatch.setattr(rows.__dict__["noise_level"], "func", counted)
    sample(applied(identity_of(1), start_at=window[0], end_at=window[1]), *prompt, steps=4)
    assert len(seen) == 4 * looks


def test_an_identity_of_sdxl_holds_under_11_megabytes(pack: Any) -> None:
    from tools.small_world.published_shapes import SITE_WIDTHS

    half = torch.empty((), dtype=torch.float16, device="meta")
    kind = pack.module("instantid_core.adapter.keys_values").KeysValues
    assert kind.empty(1, 16, SITE_WIDTHS, half).nbytes <= 11e6


# --- a step, on a device that cannot be waited for ------------------------------------------------


@pytest.fixture(scope="module")
def world(pack: Any) -> Any:
    """Small models on the meta device: reading a number back is an error there."""
    from tools.bench import world as bench_world

    with torch.inference_mode():
        return bench_world.build_world(pack, "small", bench_world.META, torch.float16)


@pytest.fixture(scope="module")
def count(world: Any) -> Any:
    """Counts of the second step of a run; with nobody, of the first, which is the same."""
    from tools.bench import world as bench_world
    from tools.bench.operations import count_steps

    def run(people: int = 0, *, batch: int = 1, **how: Any) -> Any:
        everybody = [bench_world.person(world, seed, batch) for seed in range(people)]
        with torch.inference_mode():
            one = bench_world.variant(world, everybody, bench_world.How(**how))
            before = min(people, 1)
            return count_steps(one.model, one.prompt, (16, 16), batch, before=before)

    return run


@pytest.fixture(scope="module")
def plain_step(count: Any) -> Any:
    return count()


def test_the_adapter_launches_twice_per_site(count: Any, plain_step: Any) -> None:
    """An attention and a sum; no projection, gathering, scaling or copy beside them."""
    step = count(1, identity_net=False)
    more = step.by_operation - plain_step.by_operation
    assert more == {"attention": 70, "add": 70}
    assert (step.waits, step.copies) == (0, plain_step.copies)


def test_people_and_masks_add_two_launches_each(count: Any, plain_step: Any) -> None:
    step = count(2, identity_net=False, masks=True)
    more = step.by_operation - plain_step.by_operation
    assert more == {"attention": 140, "addcmul": 140}
    assert step.resized == plain_step.resized, "the UNet's own"
    assert (step.waits, step.copies) == (0, plain_step.copies)


def test_a_batch_of_identities_is_not_gathered(count: Any) -> None:
    alone, with_people = (count(n, batch=3, identity_net=False) for n in (0, 1))
    assert with_people.by_operation - alone.by_operation == {"attention": 70, "add": 70}


def test_identity_net_waits_for_nothing_and_encodes_no_hint(count: Any, plain_step: Any) -> None:
    """Of the copies one is the host's, of the size embedding."""
    step = count(1, adapter=False)
    assert step.waits == 0
    assert step.resized == plain_step.resized
    more = step.by_operation - plain_step.by_operation
    # 8 residual blocks, 2 of them changing width; 2 downsamplers; the first; 10 to the UNet.
    convolutions = 2 * 8 + 2 + 2 + 1 + 10
    assert more["conv2d"] == convolutions, "eight more would be the hint's encoder"


def test_reuse_divides_what_identity_net_adds(count: Any, plain_step: Any, world: Any) -> None:
    """Operations exactly; of launches remain one sum for each of the ten residuals."""
    from tools.bench.counts import Setting, reused

    found = reused(world, Setting((128, 128)))
    alone, both = count(1, identity_net=False), count(1)
    more = both.operations - alone.operations
    assert found[1].operations == both.operations
    for steps in (2, 3):
        assert found[steps].operations == pytest.approx(alone.operations + more / steps)
        sums = both.by_operation["add"] - alone.by_operation["add"]
        assert alone.launches < found[steps].launches < both.launches - sums
        assert found[steps].waits == 1, "the noise level, where the sampler follows no list"
    assert found[1].waits == 0


def test_a_look_at_the_device_is_noticed(count: Any) -> None:
    """A window's place in the schedule is known by reading sigma, which these tensors forbid."""
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        count(1, window=(0.5, 0.6))


# --- what is kept over a run ----------------------------------------------------------------------


@pytest.fixture
def netted(pack: Any, adapter: Any, control_net: Any, faces_of: Any, identity_of: Any) -> Any:
    def apply(prompt: Any, **settings: Any) -> Any:
        how = {"strength": 0.8, "faces": faces_of(photo(1)), **EVERYTHING, **settings}
        return pack.run(
            "InstantIDApplyIdentityNet",
            positive=prompt.positive,
            negative=prompt.negative,
            control_net=control_net,
            adapter=adapter,
            identity=identity_of(1),
            **how,
        )

    return apply


def test_a_hint_is_encoded_once_for_all_rows_and_steps(
    netted: Any, model: Any, control_net: Any, prompt: Any
) -> None:
    seen: list[tuple[int, ...]] = []
    encoder = control_net.control_model.input_hint_block
    hook = encoder.register_forward_hook(lambda _, args, __: seen.append(tuple(args[0].shape)))
    try:
        sample(model, *netted(prompt), steps=3, batch=2)
    finally:
        hook.remove()
    assert seen == [(1, 3, 128, 128)]


def test_identity_net_prepares_nothing_outside_its_window(
    netted: Any, model: Any, prompt: Any, pack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = pack.module("nodes.host.identity_net").IdentityNet
    prepared = []
    monkeypatch.setattr(kind, "_prepare_hint", lambda *args: prepared.append(args))
    sample(model, *netted(prompt, start_at=0.99, end_at=0.995), steps=2)
    assert not prepared


def test_a_group_divides_each_size_once(
    pack: Any, faces_of: Any, identity_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = pack.module("instantid_core.adapter.group")
    regions = pack.module("instantid_core.keypoints.regions")
    masks, runs = (pack.module(f"instantid_core.adapter.{name}") for name in ("masks", "run"))
    sizes, run = [], runs.Run()
    real = group.partition
    monkeypatch.setattr(group, "partition", lambda *a: sizes.append(a[1]) or real(*a))
    crowd = torch.cat((photo(1, 320, 320), photo(2, 320, 320)), dim=2)
    members = group.group_members(
        faces_of(crowd, select="left_to_right"),
        [identity_of(1), identity_of(2)],
        group.Matching("left_to_right"),
        group.Placing("letterbox", regions.FaceShape()),
    )
    for member in members:
        for side in (8, 16):
            member.region.render(side, side, masks.Resampling.TOKENS, run)
    assert sizes == [(8, 8), (16, 16)]


# --- what a change of a widget runs again ---------------------------------------------------------


@pytest.fixture
def looks(analyzer: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the face models are asked."""
    asked: list[str] = []
    for name in ("detect", "embed"):
        real = getattr(analyzer, name)
        note = lambda *args, real=real, name=name: asked.append(name) or real(*args)  # noqa: E731
        monkeypatch.setattr(analyzer, name, note)
    return asked


@pytest.mark.parametrize("change", ["weight", "window", "prompt"])
def test_the_beginners_node_analyses_and_projects_once(
    pack: Any,
    model: Any,
    adapter: Any,
    analyzer: Any,
    control_net: Any,
    prompt: Any,
    calls: Calls,
    looks: list[str],
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    """Its one node runs again for every change; only a new photo needs the models again."""
    from tools.small_world.scenes import conditioning

    usual = {"weight": 0.8, "strength": 0.8, **EVERYTHING, **prompt._asdict()}
    changes = {
        "weight": {"weight": 0.4, "strength": 0.5},
        "window": {"start_at": 0.1, "end_at": 0.6},
        "prompt": {"positive": conditioning("a sailor")},
    }

    usual |= {"model": model, "adapter": adapter, "analyzer": analyzer, "control_net": control_net}

    def apply(picture: torch.Tensor, **settings: Any) -> tuple[list[str], int, int]:
        before = len(looks), calls.resampler, calls.projections
        pack.run("InstantIDApply", image=picture, **usual | settings)
        return looks[before[0] :], calls.resampler - before[1], calls.projections - before[2]

    monkeypatch.setattr(analyzer, "_memory", type(analyzer._memory)())
    assert apply(photo(4)) == (["detect", "embed"], 2, 140)
    assert apply(photo(4), **changes[change]) == ([], 0, 0)
    assert apply(photo(5), **changes[change]) == (["detect", "embed"], 2, 140)
