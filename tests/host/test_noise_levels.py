"""Where a sampler is: known without a look at the device where that can be, and right always."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tools.small_world.scenes import photo


@pytest.mark.parametrize(
    ("sampler", "looks"), [("euler", 1), ("ddim", 1), ("uni_pc", 1), ("dpmpp_2m", 3)]
)
def test_all_look_at_sigma_together(
    applied: Any,
    netted: Any,
    faces_of: Any,
    model: Any,
    pack: Any,
    monkeypatch: pytest.MonkeyPatch,
    sampler: str,
    looks: int,
) -> None:
    """Adapter and two IdentityNets with windows of their own: one look per step, or one per run
    where its list, which is read once, says what the sampler does."""
    from tools.small_world.scenes import Prompt

    taken, lists = [], []
    levels = pack.module("instantid_core.adapter.noise_levels")
    monkeypatch.setattr(levels, "float", lambda x: taken.append(x) or float(x), raising=False)
    real = torch.Tensor.tolist
    note = lambda x: x.ndim == 1 and x.is_floating_point() and lists.append(x)  # noqa: E731
    monkeypatch.setattr(torch.Tensor, "tolist", lambda x: note(x) or real(x))
    patched, faces = applied(model, start_at=0.1), faces_of(photo(1))
    first = Prompt(*netted(faces, start_at=0.2))
    both = netted(faces, end_at=0.7, **first._asdict())
    run_sampler(patched, Prompt(*both), sampler, steps=3)
    assert (len(taken), len(lists)) == (looks, looks == 1)


def run_sampler(model: Any, prompt: Any, name: str, steps: int, **options: Any) -> None:
    """A run of one of the host's samplers. options: its own."""
    import comfy.samplers as host

    levels = host.calculate_sigmas(model.get_model_object("model_sampling"), "normal", steps)
    sampler = host.ksampler(name, options) if options else host.sampler_object(name)
    guider = host.CFGGuider(model)
    guider.set_conds(*prompt)
    latent = torch.zeros(1, 4, 16, 16)
    with torch.inference_mode():
        guider.sample(torch.ones_like(latent), latent, sampler, levels, disable_pbar=True, seed=7)


@pytest.fixture
def levels_of(applied: Any, model: Any, prompt: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a sampler; for each call of the UNet the sigma it had, and what the sites knew of it."""

    def run(
        name: str,
        steps: int,
        leave_out: int | None = None,
        given: Callable[[torch.Tensor], torch.Tensor] | None = None,
        **options: Any,
    ) -> Any:
        patched, steps_taken, seen = model.clone(), [], []

        def lazy(executor: Any, x: torch.Tensor, *args: Any) -> torch.Tensor:
            """As packs that take an earlier step's result once more."""
            steps_taken.append(x)
            return x * 0.5 if len(steps_taken) - 1 == leave_out else executor(x, *args)

        def note(executor: Any, x: torch.Tensor, t: torch.Tensor, *args: Any, **more: Any) -> Any:
            seen.append((float(t[0]), args[3]["instantid_rows"].noise_level))
            return executor(x, t, *args, **more)

        patched.add_wrapper_with_key("predict_noise", "lazy", lazy)
        patched = applied(patched, start_at=0.1)
        patched.add_wrapper_with_key("apply_model", "note", note)
        if given is not None:
            inner = lambda executor, wrap, sigmas, *rest: executor(wrap, given(sigmas), *rest)  # noqa: E731
            patched.add_wrapper_with_key("sampler_sample", "other", inner)
        network = patched.model.diffusion_model
        monkeypatch.setattr(network, "forward", lambda x, *_, **__: x * 0.1)
        run_sampler(patched, prompt, name, steps, **options)
        return seen

    return run


def samplers() -> list[str]:
    import comfy.samplers

    return comfy.samplers.SAMPLER_NAMES


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", samplers())
def test_the_noise_level_is_known_with_every_sampler(levels_of: Any, name: str) -> None:
    for steps in (2, 5):
        seen = levels_of(name, steps)
        assert len(seen) >= steps
        assert [known for _, known in seen] == [sigma for sigma, _ in seen]


def test_the_noise_level_is_known_where_steps_are_left_out_or_added_to(levels_of: Any) -> None:
    for options in ({"leave_out": 1}, {"s_churn": 3.0}):
        seen = levels_of("euler", 5, **options)
        assert len(seen) == 5 - ("leave_out" in options)
        assert [known for _, known in seen] == [sigma for sigma, _ in seen]


def test_the_noise_level_is_known_where_churn_begins_after_the_first_step(levels_of: Any) -> None:
    """The first sigma is that of the list, and says nothing about the others."""
    listed = [sigma for sigma, _ in levels_of("euler", 5)]
    seen = levels_of("euler", 5, s_churn=3.0, s_tmax=listed[1])
    assert seen[0][0] == listed[0]
    assert all(sigma > without for (sigma, _), without in zip(seen[1:], listed[1:], strict=True))
    assert [known for _, known in seen] == [sigma for sigma, _ in seen]


def test_a_list_that_another_pack_exchanges_is_not_believed(levels_of: Any) -> None:
    """Inside of our wrapper: the sampler gets others than the run was asked for."""
    seen = levels_of("euler", 5, given=lambda sigmas: sigmas[1:])
    assert len(seen) == 4
    assert [known for _, known in seen] == [sigma for sigma, _ in seen]


def test_a_sampler_of_another_kind_is_not_followed(pack: Any) -> None:
    import comfy.samplers as host

    class Other(host.KSAMPLER):
        """May call its function as it likes."""

    known = pack.module("nodes.host.attention_patch")._is_in_order
    function = host.sampler_object("euler").sampler_function
    assert known(host.KSAMPLER(function))
    assert not known(Other(function))
