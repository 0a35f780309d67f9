"""A server that runs for long: its caches, cancelled runs, many prompts, and its sudden end."""

from __future__ import annotations

import io
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.long_running import drafts_in, files_in, interrupted_at, launch, resident, turned

from instantid_core.models.installation import version_of
from tools.comfyui import workspace
from tools.comfyui.client import ClientError, ComfyClient, Progress
from tools.comfyui.prompts import Prompt, fit_choices, nodes_of, override, to_prompt
from tools.comfyui.server import HostServer
from tools.demo import prompt as demo_prompt
from tools.small_world import painter
from tools.small_world.scenes import png

pytestmark = pytest.mark.thorough

SIDE = 64
PEOPLE = 7
STAGES = (
    "InstantIDLoadFaceAnalyzer",
    "InstantIDAnalyzeFaces",
    "InstantIDEmbedIdentity",
    "InstantIDApplyAdapter",
    "InstantIDApplyIdentityNet",
    "KSampler",
    "VAEDecode",
)
CACHES = {
    "classic": ("--cache-classic",),
    "LRU": ("--cache-lru", "100"),
    "none": ("--cache-none",),
    # GB that shall stay free, more than there are: nothing of an earlier prompt is kept.
    "RAM pressure": ("--cache-ram", "1000", "1000"),
}
FORGOTTEN = {"classic": True, "LRU": False, "none": True, "RAM pressure": True}
"""Whether a prompt has anything to do again when another one came between."""
OLDEST_RELEASE = "0.16.3"
"""Its `--cache-ram` takes one number."""
LONG = "A server that runs for long"
WARM, MANY = 40, 200
"""Prompts before the memory is looked at, and until it is looked at again."""
LOOK = 20
"""Prompts that a look lasts."""


@pytest.fixture(scope="module")
def photos() -> list[bytes]:
    """Of several people, as files."""
    return [png(painter.portrait(256, 256, identity=number)[0]) for number in range(PEOPLE)]


@pytest.fixture(scope="module")
def composed(object_info: dict[str, Any]) -> Prompt:
    """Face analysis, embedding, adapter and IdentityNet as nodes of their own; soon done."""
    saved = demo_prompt.read_workflow("composed")
    prompt = demo_prompt.with_small_models(fit_choices(to_prompt(saved, object_info), object_info))
    prompt = override(prompt, {"KSampler": {"steps": 2}, "EmptyLatentImage": {"batch_size": 1}})
    for entry in prompt.values():
        entry["inputs"].update(demo_prompt.sides(entry, SIDE))
    return prompt


@pytest.fixture(scope="module")
def wanted(client: ComfyClient, composed: Prompt, photos: list[bytes]) -> dict[int, bytes]:
    """What the numbered prompts give on a server that did nothing unusual."""
    names = uploaded(client, photos)
    return {n: picture(client, turned(composed, n, names[n])) for n in range(PEOPLE)}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `other` writes."""
    return tmp_path_factory.mktemp("other")


@pytest.fixture(scope="module")
def other(base: Path, photos: list[bytes]) -> Iterator[ComfyClient]:
    """A server for runs that are cancelled."""
    with HostServer(launch(base)) as running:
        client = ComfyClient(running.url)
        uploaded(client, photos)
        yield client


def uploaded(client: ComfyClient, photos: list[bytes]) -> list[str]:
    return [client.upload(name_of(number), photo) for number, photo in enumerate(photos)]


def name_of(number: int) -> str:
    return f"person{number}.png"


def picture(client: ComfyClient, prompt: Prompt) -> bytes:
    """The pixels that a run saves."""
    (node,) = nodes_of(prompt, "SaveImage")
    (image,) = client.run(prompt).outputs[node]["images"]
    return np.asarray(Image.open(io.BytesIO(client.image(image))).convert("RGB")).tobytes()


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.combination(LONG, "cache: {}: two prompts in turns give the same bits")
def test_every_cache_gives_the_same_bits(
    cache: str, composed: Prompt, photos: list[bytes], wanted: dict[int, bytes], tmp_path: Path
) -> None:
    """Two prompts in turns, so that each finds what the other has left."""
    with HostServer(launch(tmp_path, *arguments_of(cache))) as running:
        client = ComfyClient(running.url)
        uploaded(client, photos[:2])
        for number in (0, 1, 0, 1):
            # Between the two seed and weight change, which keeps what the photo became.
            picture(client, turned(composed, number + 25, name_of(number)))
            assert picture(client, turned(composed, number, name_of(number))) == wanted[number]
        earlier, repeated = (bool(client.run(turned(composed, 0, name_of(0))).times) for _ in "12")
    assert earlier is FORGOTTEN[cache]
    assert repeated is (cache == "none") or cache == "RAM pressure"
    assert wanted[0] != wanted[1]


def arguments_of(cache: str) -> tuple[str, ...]:
    """The server's options for a way of caching."""
    oldest = version_of(workspace.current().comfyui) == OLDEST_RELEASE
    return CACHES[cache][:2] if oldest else CACHES[cache]


@pytest.mark.parametrize(("number", "stage"), list(enumerate(STAGES)), ids=STAGES)
@pytest.mark.combination(LONG, "interrupted at {}: the next prompt is right")
def test_the_prompt_after_a_cancelled_one_is_right(
    number: int,
    stage: str,
    composed: Prompt,
    other: ComfyClient,
    base: Path,
    wanted: dict[int, bytes],
) -> None:
    prompt = turned(composed, number, name_of(number))
    assert stage in {entry["class_type"] for entry in prompt.values()}
    (node,) = nodes_of(prompt, stage)
    ended, begun = interrupted_at(other, prompt, node)
    # What comes after the last stage may be done before the cancellation arrives.
    there = [f"The run was interrupted at '{name}'." for name in begun]
    assert ended in there or (stage == STAGES[-1] and ended == "done")
    assert picture(other, prompt) == wanted[number]
    assert not drafts_in(base)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory from /proc")
@pytest.mark.combination(LONG, f"{MANY} prompts: memory stays within 2 %")
def test_memory_stays_over_many_prompts(
    composed: Prompt,
    photos: list[bytes],
    tmp_path: Path,
    noted: Callable[[str], None],
) -> None:
    """Photo, seed and weight change from prompt to prompt. The allocator may settle late on a busy
    machine, so growth gets two more chances to stop; what leaks grows on."""
    quick = override(composed, {"KSampler": {"steps": 1}})
    numbers = itertools.count()
    with HostServer(launch(tmp_path, "--cache-classic")) as running:
        client = ComfyClient(running.url)
        uploaded(client, photos)
        assert running.pid is not None

        def most(prompts: int) -> float:
            """In the last of so many prompts: the allocator gives back and takes again."""
            sizes = []
            for number in itertools.islice(numbers, prompts):
                client.run(turned(quick, number, name_of(number % PEOPLE)))
                sizes.append(resident(running.pid or 0))
            return max(sizes[-LOOK:])

        before, after = most(WARM), most(MANY)
        for _ in range(2):
            if after > 1.02 * before:
                before, after = after, most(MANY)
    noted(f"{before:.0f} MB before, {after:.0f} MB after")
    assert after <= 1.02 * before
    assert not drafts_in(tmp_path)


@pytest.mark.combination(LONG, "killed while it samples: saved identities are whole, no drafts")
def test_a_killed_server_finds_the_saved_identities_again(
    composed: Prompt, photos: list[bytes], wanted: dict[int, bytes], tmp_path: Path
) -> None:
    with HostServer(launch(tmp_path)) as running:
        client = ComfyClient(running.url)
        uploaded(client, photos[:2])
        before = picture(client, with_saving(turned(composed, 0, name_of(0))))
        second = with_saving(turned(composed, 1, name_of(1)))
        with pytest.raises(ClientError):
            client.run(second, lambda progress: kill_in_sampling(running, progress))
        assert not running.is_running()
    # The run that was killed had saved before it sampled.
    saved = sorted(name for name in files_in(tmp_path) if name.endswith(".safetensors"))
    assert len(saved) == 2
    assert not drafts_in(tmp_path)
    with HostServer(launch(tmp_path)) as running:
        client = ComfyClient(running.url)
        for number, wanted_one in enumerate((before, wanted[1])):
            prompt = turned(composed, number, name_of(number))
            assert picture(client, with_loading(prompt, saved[number])) == wanted_one


def with_saving(prompt: Prompt) -> Prompt:
    """The same, and the identity is saved."""
    (embed,) = nodes_of(prompt, "InstantIDEmbedIdentity")
    inputs = {"identity": [embed, 0], "filename_prefix": "somebody"}
    return {**prompt, "save": {"class_type": "InstantIDSaveIdentity", "inputs": inputs}}


def with_loading(prompt: Prompt, file: str) -> Prompt:
    """The same with a saved identity in place of an embedded one."""
    (embed,) = nodes_of(prompt, "InstantIDEmbedIdentity")
    loading = {"class_type": "InstantIDLoadIdentity", "inputs": {"identity_name": file}}
    return {**prompt, embed: loading}


def kill_in_sampling(server: HostServer, progress: Progress) -> None:
    if progress.title == "KSampler" and server.is_running():
        server.kill()
