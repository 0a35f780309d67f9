"""Identities mixed, kept in files, and spread over a latent batch, on the real host."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import comfy.sample
import execution
import numpy as np
import pytest
import torch
from support.output_folder import output_folder

import nodes as host_nodes
from tools.small_world.scenes import photo, sample

REPOSITORY = Path(__file__).parents[2]
EVERYTHING = {"start_at": 0.0, "end_at": 1.0}
# Rows of a batch meet other matrix blocking than a single row: a few units in the last place at
# each of some 300 layers, times CFG. Relative to the largest value of the picture.
BLOCKING = 2e-5

IN_ANOTHER_PROCESS = """
import asyncio, os, sys
from pathlib import Path
tests, models, output, name, result = sys.argv[1:]
sys.argv = ["comfyui", "--cpu", "--use-pytorch-cross-attention"]
sys.path[:0] = [os.environ["COMFYUI_PATH"], tests]
import comfy.options
comfy.options.enable_args_parsing()
import folder_paths, nodes, torch
folder_paths.models_dir = models
folder_paths.set_output_directory(output)
before = set(sys.modules)
assert asyncio.run(nodes.load_custom_node(str(Path(tests).parent)))
pack = next(n for n in set(sys.modules) - before if n.endswith(".instantid_core"))
pack = pack.removesuffix(".instantid_core")
import importlib
importlib.import_module(pack + ".nodes.host.identity_files").register_identity_folders()
load = importlib.import_module(pack + ".nodes.identities").LoadIdentity
import conftest
from tools.small_world.scenes import conditioning, sample
from tools.small_world.node import small_sdxl
with torch.inference_mode():
    (identity,) = load.execute(identity_name=name).result
    node = nodes.NODE_CLASS_MAPPINGS["InstantIDLoadAdapter"]
    (adapter,) = node.execute(adapter_name="instantid_small.safetensors").result
    apply = nodes.NODE_CLASS_MAPPINGS["InstantIDApplyAdapter"].execute
    (model,) = apply(small_sdxl.small_unet(), adapter, identity, 0.8, 0.0, 1.0).result
    prompts = conditioning("portrait of a person"), conditioning("blurry")
    picture = sample(model, *prompts, steps=1)
torch.save({"references": identity.references, "picture": picture}, result)
"""


@pytest.fixture(scope="module", autouse=True)
def output(pack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An output folder of its own, known to the pack, whose nodes the host knows."""
    folder = tmp_path_factory.mktemp("output")
    ours, known = pack.module("nodes.identities"), dict(host_nodes.NODE_CLASS_MAPPINGS)
    mixing = (ours.BlendIdentities, ours.InterpolateIdentities, ours.CombineIdentities)
    for node in (*mixing, ours.SaveIdentity, ours.LoadIdentity):
        host_nodes.NODE_CLASS_MAPPINGS.setdefault(node.GET_SCHEMA().node_id, node)
    with output_folder(pack, folder):
        yield folder
    host_nodes.NODE_CLASS_MAPPINGS.clear()
    host_nodes.NODE_CLASS_MAPPINGS.update(known)


@pytest.fixture
def saved(pack: Any) -> Any:
    def save(identity: Any, **settings: Any) -> str:
        """The name that LoadIdentity takes."""
        before = set(names(pack))
        inputs = {"identity": identity, "filename_prefix": "identity", **settings}
        shown = run_shown(pack, "InstantIDSaveIdentity", **inputs)["text"][0]
        (name,) = set(names(pack)) - before
        assert shown.startswith(f"identities/{name}\n")
        return name

    return save


def names(pack: Any) -> list[str]:
    return pack.module("nodes.host.identity_files").identity_names()


def run_shown(pack: Any, node_id: str, **inputs: Any) -> dict[str, Any]:
    """What a node shows on itself."""
    shown = host_nodes.NODE_CLASS_MAPPINGS[node_id].execute(**inputs).ui
    return shown if isinstance(shown, dict) else shown.as_dict()


def load(pack: Any, name: str, **settings: Any) -> Any:
    return pack.run("InstantIDLoadIdentity", identity_name=name, **settings)[0]


def adapted(pack: Any, model: Any, adapter: Any, identity: Any) -> Any:
    inputs = {"model": model, "adapter": adapter, "identity": identity, "weight": 0.8}
    return pack.run("InstantIDApplyAdapter", **inputs, **EVERYTHING)[0]


# --- a batch of identities over a latent batch ----------------------------------------------------


def denoised(model: Any, prompts: Any, noise: torch.Tensor) -> torch.Tensor:
    latent = torch.zeros_like(noise)
    settings = (1, 4.5, "euler", "normal", *prompts, latent)
    return comfy.sample.sample(model, noise, *settings, seed=7)


@pytest.mark.parametrize("part", ["adapter", "identity_net"])
def test_interpolated_identities_go_over_a_latent_batch_row_by_row(
    pack: Any,
    model: Any,
    prompt: Any,
    adapter: Any,
    control_net: Any,
    identity_of: Any,
    faces_of: Any,
    part: str,
) -> None:
    row = pack.run(
        "InstantIDInterpolateIdentities",
        identity_a=identity_of(1),
        identity_b=identity_of(2),
        steps=3,
        how="slerp",
    )[0]
    one_noise = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(3))
    pose = faces_of(photo(1))

    def run(identity: Any, noise: torch.Tensor) -> torch.Tensor:
        if part == "adapter":
            return denoised(adapted(pack, model, adapter, identity), prompt, noise)
        conditioned = pack.run(
            "InstantIDApplyIdentityNet",
            positive=prompt.positive,
            negative=prompt.negative,
            control_net=control_net,
            adapter=adapter,
            identity=identity,
            strength=0.8,
            faces=pose,
            **EVERYTHING,
        )
        return denoised(model, conditioned, noise)

    together = run(row, one_noise.expand(3, -1, -1, -1).contiguous())
    single = [
        run(type(row)(row.references[i : i + 1], row.recogniser), one_noise) for i in range(3)
    ]
    scale = together.abs().max().item()
    for i in range(3):
        apart = [(together[i] - one[0]).abs().max().item() / scale for one in single]
        own = apart.pop(i)
        assert own < BLOCKING
        assert min(apart) > 100 * BLOCKING, "another identity makes another picture"


@pytest.mark.parametrize("how", ["slerp", "lerp"])
def test_ends_keep_their_bits(pack: Any, identity_of: Any, how: str) -> None:
    a, b = identity_of(1), identity_of(2)
    ends = {"identity_a": a, "identity_b": b, "how": how}
    row = pack.run("InstantIDInterpolateIdentities", steps=2, **ends)[0]
    for number, end in enumerate((a, b)):
        blended = pack.run("InstantIDBlendIdentities", ratio=float(number), **ends)[0]
        assert torch.equal(blended.references, end.references)
        assert torch.equal(row.references[number : number + 1], end.references)


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_saved_here_and_applied_in_another_process_gives_the_same_bits(
    pack: Any,
    saved: Any,
    output: Path,
    models_dir: Path,
    model: Any,
    prompt: Any,
    adapter: Any,
    identity_of: Any,
    tmp_path: Path,
) -> None:
    identity = identity_of(4)
    name, result = saved(identity), tmp_path / "result.pt"
    paths = [str(REPOSITORY / "tests"), str(models_dir), str(output), name, str(result)]
    done = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS, *paths], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    there = torch.load(result, weights_only=True)
    assert there["references"].numpy().tobytes() == identity.references.numpy().tobytes()
    here = sample(adapted(pack, model, adapter, identity), *prompt, steps=1)
    assert torch.equal(there["picture"], here)


def test_names_count_up_and_nothing_is_overwritten(
    pack: Any, saved: Any, identity_of: Any, output: Path
) -> None:
    people = [identity_of(number) for number in (1, 2, 3)]
    found = [saved(who, filename_prefix="anna") for who in people]
    assert found == [f"anna_0000{number}_.safetensors" for number in (1, 2, 3)]
    for name, who in zip(found, people, strict=True):
        assert torch.equal(load(pack, name).references, who.references)
    (output / "identities" / found[0]).unlink()
    assert saved(people[0], filename_prefix="anna") == "anna_00004_.safetensors"


def test_prefixes_may_name_folders_and_dates(pack: Any, saved: Any, identity_of: Any) -> None:
    name = saved(identity_of(1), filename_prefix="people/%year%/bo")
    assert name.endswith(os.path.join("", "bo_00001_.safetensors"))
    assert name.split(os.sep)[1].isdecimal()
    assert torch.equal(load(pack, name).references, identity_of(1).references)


@pytest.mark.parametrize("prefix", ["", "  ", "../elsewhere", "a/../../b", "/tmp/anna", "people/"])
def test_prefixes_that_lead_elsewhere_are_refused(
    pack: Any, identity_of: Any, output: Path, prefix: str
) -> None:
    before = sorted(output.rglob("*"))
    with pytest.raises(Exception, match="filename_prefix must be the beginning of a file name"):
        pack.run("InstantIDSaveIdentity", identity=identity_of(1), filename_prefix=prefix)
    assert sorted(output.rglob("*")) == before


def test_the_file_notes_version_and_photo_sizes(
    pack: Any, saved: Any, identity_of: Any, faces_of: Any
) -> None:
    files = pack.module("nodes.host.identity_files")
    name = saved(identity_of(1), faces=faces_of(photo(1, 640, 480)))
    notes = files.load(name).notes
    assert [tuple(size) for size in notes.source_sizes] == [(640, 480)]
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert f'\nversion = "{notes.pack_version}"\n' in project
    assert files.load(saved(identity_of(1))).notes.source_sizes == ()


def test_identities_of_another_recogniser_are_refused_with_the_analyzer(
    pack: Any, saved: Any, identity_of: Any, analyzer: Any
) -> None:
    own = identity_of(1)
    foreign = type(own)(own.references, replace(own.recogniser, sha256="f" * 64))
    assert load(pack, saved(own), analyzer=analyzer).recogniser == analyzer.recogniser
    name = saved(foreign)
    assert load(pack, name).recogniser == foreign.recogniser
    with pytest.raises(Exception, match=r"different face recognisers .*Embed the photos of both"):
        load(pack, name, analyzer=analyzer)


def test_broken_files_and_nobody_are_sentences(
    pack: Any, saved: Any, identity_of: Any, output: Path
) -> None:
    path = output / "identities" / saved(identity_of(1))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(Exception, match=r"cannot be read .*copy it again"):
        load(pack, path.name)
    nobody = type(identity_of(1))(torch.empty(0, 1, 512), "x")
    with pytest.raises(Exception, match="nobody to save"):
        pack.run("InstantIDSaveIdentity", identity=nobody, filename_prefix="nobody")


def test_models_folder_is_searched_too(
    pack: Any, saved: Any, identity_of: Any, output: Path, models_dir: Path
) -> None:
    path = output / "identities" / saved(identity_of(1), filename_prefix="moved")
    folder = models_dir / "instantid_identities"
    folder.mkdir(exist_ok=True)
    path.rename(folder / "moved_by_hand.safetensors")
    (folder / "notes.txt").write_text("not an identity")
    assert "moved_by_hand.safetensors" in names(pack)
    assert "notes.txt" not in names(pack)
    assert torch.equal(
        load(pack, "moved_by_hand.safetensors").references, identity_of(1).references
    )
    (folder / "moved_by_hand.safetensors").unlink()


# --- through the host's executor ------------------------------------------------------------------


class Listener:
    """What PromptExecutor needs of a server."""

    client_id, last_node_id, last_prompt_id = "test", None, None

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []

    def send_sync(self, event: str, data: Any, sid: Any = None) -> None:
        self.heard.append((event, data))


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch, identity_of: Any) -> Any:
    """Runs prompts as the host does, with two nodes to feed and to catch identities."""

    class Source:
        RETURN_TYPES, FUNCTION, CATEGORY = ("INSTANTID_IDENTITY",), "give", "test"

        @classmethod
        def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802  the host's name
            return {"required": {"number": ("INT", {"default": 0})}}

        def give(self, number: int) -> tuple[Any]:
            return (identity_of(number),)

    class Sink:
        RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = (), "take", "test", True
        caught: list[Any] = []  # noqa: RUF012

        @classmethod
        def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802  the host's name
            return {"required": {"identity": ("INSTANTID_IDENTITY",)}}

        def take(self, identity: Any) -> tuple[()]:
            Sink.caught.append(identity)
            return ()

    monkeypatch.setitem(host_nodes.NODE_CLASS_MAPPINGS, "TestSource", Source)
    monkeypatch.setitem(host_nodes.NODE_CLASS_MAPPINGS, "TestSink", Sink)
    listener = Listener()
    executor = execution.PromptExecutor(
        listener,
        cache_type=execution.CacheType.CLASSIC,
        cache_args={"lru": 0, "ram": 0, "ram_inactive": 0},
    )

    def run(**prompt: Any) -> list[Any]:
        """What reached the sink in this run."""
        Sink.caught = []
        whole = {
            name: dict(zip(("class_type", "inputs"), node, strict=True))
            for name, node in prompt.items()
        }
        valid, error, outputs, details = asyncio.run(execution.validate_prompt("p", whole, None))
        assert valid, f"{error} {details}"
        executor.execute(whole, "p", {}, outputs)
        assert executor.success, [data for event, data in listener.heard if "error" in event]
        return Sink.caught

    return run


def test_growing_inputs_arrive_in_the_order_of_their_sockets(graph: Any, identity_of: Any) -> None:
    inputs = {
        "weights": "1, 0.5, 0.25",
        "identities.identity2": ["three", 0],
        "identities.identity0": ["one", 0],
        "identities.identity1": ["two", 0],
    }
    (found,) = graph(
        one=("TestSource", {"number": 1}),
        two=("TestSource", {"number": 2}),
        three=("TestSource", {"number": 3}),
        combined=("InstantIDCombineIdentities", inputs),
        sink=("TestSink", {"identity": ["combined", 0]}),
    )
    people = [identity_of(number).references.numpy().astype(np.float64) for number in (1, 2, 3)]
    expected = np.average(people, axis=0, weights=(1, 0.5, 0.25))
    np.testing.assert_allclose(found.references.numpy(), expected, rtol=1.2e-7, atol=1e-6)


def test_growing_inputs_need_one(graph: Any) -> None:
    with pytest.raises(AssertionError, match="required_input_missing"):
        graph(
            combined=("InstantIDCombineIdentities", {"weights": ""}),
            sink=("TestSink", {"identity": ["combined", 0]}),
        )


def test_an_exchanged_file_is_read_again(
    pack: Any, graph: Any, saved: Any, identity_of: Any, output: Path
) -> None:
    name = saved(identity_of(1), filename_prefix="exchanged")
    other = output / "identities" / saved(identity_of(2), filename_prefix="exchanged")
    prompt = {
        "load": ("InstantIDLoadIdentity", {"identity_name": name}),
        "sink": ("TestSink", {"identity": ["load", 0]}),
    }
    (first,) = graph(**prompt)
    assert torch.equal(first.references, identity_of(1).references)
    assert graph(**prompt) == [], "cached while the file stays"
    other.replace(output / "identities" / name)
    (second,) = graph(**prompt)
    assert torch.equal(second.references, identity_of(2).references)


def test_a_saved_identity_is_on_the_list_and_loads_in_the_next_run(
    pack: Any, graph: Any, identity_of: Any
) -> None:
    before = set(names(pack))
    graph(
        source=("TestSource", {"number": 3}),
        save=("InstantIDSaveIdentity", {"identity": ["source", 0], "filename_prefix": "graph"}),
    )
    (name,) = set(names(pack)) - before
    (found,) = graph(
        load=("InstantIDLoadIdentity", {"identity_name": name}),
        sink=("TestSink", {"identity": ["load", 0]}),
    )
    assert torch.equal(found.references, identity_of(3).references)


def test_global_random_state_stays(pack: Any, saved: Any, identity_of: Any) -> None:
    a, b = identity_of(1), identity_of(2)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    ends = {"identity_a": a, "identity_b": b, "how": "slerp"}
    pack.run("InstantIDBlendIdentities", ratio=0.4, **ends)
    pack.run("InstantIDCombineIdentities", identities={"identity0": a}, weights="")
    load(pack, saved(a))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ("1, nan", "weight 2 must be a finite number"),
        ("1, -1", "sum to zero"),
        ("1", "one weight for each of 2 identities, found 1"),
        ("much, little", "numbers with commas between"),
    ],
)
def test_meaningless_weights_are_sentences(
    pack: Any, identity_of: Any, weights: str, words: str
) -> None:
    given = {"identity0": identity_of(1), "identity1": identity_of(2)}
    with pytest.raises(Exception, match=words):
        pack.run("InstantIDCombineIdentities", identities=given, weights=weights)
    with pytest.raises(Exception, match="at least 1 and at most 16, found 0"):
        pack.run("InstantIDCombineIdentities", identities={}, weights="")
