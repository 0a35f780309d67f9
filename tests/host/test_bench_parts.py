"""What the benchmark takes for its models, its baseline and its first step."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.adapter_calls import Calls

from tools.small_world.scenes import photo


@pytest.fixture(scope="module")
def loaded(pack: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Small models and their adapter, out of files in the published layouts."""
    from tools.bench import runs as bench_runs

    with torch.inference_mode():
        files = bench_runs.write_files(tmp_path_factory.mktemp("files") / "published", "small")
        return bench_runs.loaded_world(pack, "small", torch.float32, files)


def test_published_sizes_are_those_of_the_published_files(pack: Any) -> None:
    """Down to the header of IdentityNet's file; SDXL's UNet has 2 567 463 684 numbers."""
    from tools.bench import runs as bench_runs
    from tools.small_world.node.small_sdxl import SmallConfig

    config = SmallConfig(*bench_runs.SIZES["published"])
    unet, net = bench_runs.unet_shapes(config), bench_runs.net_shapes(config)
    assert sum(shape.numel() for shape in unet.values()) == 2_567_463_684
    listed = pack.module("instantid_core.models.manifest").published()
    (size,) = {file.size for file in listed if file.size > 2e9}
    assert 0 < size - 2 * sum(shape.numel() for shape in net.values()) < 200_000


def test_a_file_of_another_network_is_noticed(loaded: Any) -> None:
    from tools.bench import runs as bench_runs

    network = loaded[0].control_net.control_model
    shapes = bench_runs.net_shapes(loaded[0].config)
    bench_runs.require_filled(network, shapes)
    shapes.pop("conv_in.bias")
    with pytest.raises(RuntimeError, match="numbers"):
        bench_runs.require_filled(network, shapes)


@pytest.mark.parametrize(
    ("change", "ours", "usual"),
    [
        ("another photo, after its analysis", (2, 140), (2, 0)),
        ("another weight or window", (0, 0), (2, 0)),
        ("another pose", (0, 0), (2, 0)),
    ],
)
def test_the_benchmark_changes_what_it_says(
    loaded: Any,
    identity_of: Any,
    faces_of: Any,
    change: str,
    ours: tuple[int, int],
    usual: tuple[int, int],
) -> None:
    """Layers of the adapter that a change runs; the baseline's projections are in its steps."""
    from tools.bench import first_step as first

    world, adapter = loaded
    subject = first.Person(identity_of(1), faces_of(photo(1)), 0.8)
    for kind, expected in ((first.Ours, ours), (first.Baseline, usual)):
        way = kind(world, adapter)
        way.apply(subject, (64, 64))
        calls = Calls(adapter)
        way.apply(subject.after(change), (64, 64))
        for hook in calls.hooks:
            hook.remove()
        assert (calls.resampler, calls.projections) == expected


def test_a_run_is_stopped_before_its_networks(loaded: Any, identity_of: Any, faces_of: Any) -> None:
    from tools.bench import first_step as first
    from tools.bench.counts import Setting

    world, adapter = loaded
    subject = first.Person(identity_of(1), faces_of(photo(1)), 0.8)
    applied = first.Ours(world, adapter).apply(subject, (64, 64))
    network, seen = world.control_net.control_model, []
    layers = network.input_hint_block, network.middle_block, world.model.model.diffusion_model
    hooks = [x.register_forward_hook(lambda part, *_: seen.append(part)) for x in layers]
    try:
        first.until_the_networks(applied, world.control_net, Setting((64, 64)))()
    finally:
        for hook in hooks:
            hook.remove()
    assert seen == [network.input_hint_block]
    plain = applied._replace(prompt=world.prompt)
    with pytest.raises(RuntimeError, match="did not reach"):
        first.until_the_networks(plain, world.control_net, Setting((64, 64)))()
