"""A server that runs for long: its caches, cancelled runs, many prompts, and its sudden end."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness import demo_prompt, painter
from harness.comfy_client import ClientError, ComfyClient, Progress
from harness.host_server import HostServer
from harness.long_running import files_in, interrupted_at, launch, resident, turned
from harness.prompts import Prompt, fit_choices, nodes_of, override, to_prompt
from harness.scenes import png
from PIL import Image

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
    "lru": ("--cache-lru", "4"),
    "none": ("--cache-none",),
    "pressure": ("--cache-ram", "0.5"),
}
WARM, MANY = 40, 200
"""Prompts before the memory is looked at, and until it is looked at again."""
LOOK = 10
"""Prompts that a look lasts."""


@pytest.fixture(scope="module")
def photos() -> list[bytes]:
    """Of several people, as files."""
    return [png(painter.portrait(256, 256, identity=number)[0]) for number in range(PEOPLE)]


@pytest.fixture(scope="module")
def composed(object_info: dict[str, Any]) -> Prompt:
    """Face analysis, embedding, adapter and IdentityNet as nodes of their own; soon done."""
    saved = demo_prompt.read_workflow("instantid_composed")
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
def other(tmp_path_factory: pytest.TempPathFactory, photos: list[bytes]) -> Iterator[ComfyClient]:
    """A server for runs that are cancelled."""
    with HostServer(launch(tmp_path_factory.mktemp("other"))) as running:
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
def test_every_cache_gives_the_same_bits(
    cache: str, composed: Prompt, photos: list[bytes], wanted: dict[int, bytes], tmp_path: Path
) -> None:
    """Two prompts in turns, so that each finds what the other has left."""
    with HostServer(launch(tmp_path, *CACHES[cache])) as running:
        client = ComfyClient(running.url)
        uploaded(client, photos[:2])
        for number in (0, 1, 0, 1):
            # Between the two only the weight changes, which keeps what the photo became.
            picture(client, turned(composed, number + 20, name_of(number)))
            assert picture(client, turned(composed, number, name_of(number))) == wanted[number]
    assert wanted[0] != wanted[1]


@pytest.mark.parametrize(("number", "stage"), enumerate(STAGES))
def test_the_prompt_after_a_cancelled_one_is_right(
    number: int, stage: str, composed: Prompt, other: ComfyClient, wanted: dict[int, bytes]
) -> None:
    prompt = turned(composed, number, name_of(number))
    assert stage in {entry["class_type"] for entry in prompt.values()}
    (node,) = nodes_of(prompt, stage)
    ended = interrupted_at(other, prompt, node)
    # What comes after the last stage may be done before the cancellation arrives.
    assert "was interrupted at" in ended or (stage == STAGES[-1] and ended == "done")
    assert picture(other, prompt) == wanted[number]


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory from /proc")
def test_memory_stays_over_many_prompts(
    composed: Prompt,
    photos: list[bytes],
    tmp_path: Path,
    record_property: Callable[[str, str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Photo, seed and weight change from prompt to prompt."""
    quick = override(composed, {"KSampler": {"steps": 1}})
    with HostServer(launch(tmp_path, "--cache-classic")) as running:
        client = ComfyClient(running.url)
        uploaded(client, photos)
        assert running.pid is not None
        sizes = []
        for number in range(WARM + MANY):
            client.run(turned(quick, number, name_of(number % PEOPLE)))
            sizes.append(resident(running.pid))
    # Means, since the allocator gives back and takes again.
    before, after = (float(np.mean(part)) for part in (sizes[WARM - LOOK : WARM], sizes[-LOOK:]))
    told = f"{before:.0f} MB before {MANY} prompts, {after:.0f} MB after"
    record_property("memory", told)
    with capsys.disabled():
        print(f"\n{told}")
    assert after <= 1.02 * before


def test_a_killed_server_finds_the_saved_identities_again(
    composed: Prompt, photos: list[bytes], tmp_path: Path
) -> None:
    with HostServer(launch(tmp_path)) as running:
        client = ComfyClient(running.url)
        uploaded(client, photos[:1])
        saving = with_saving(turned(composed, 0, name_of(0)))
        before = picture(client, saving)
        files = files_in(tmp_path)
        with pytest.raises(ClientError):
            client.run(turned(saving, 30), lambda progress: kill_in_sampling(running, progress))
        assert not running.is_running()
    (saved,) = (name for name in files if name.endswith(".safetensors"))
    # What the second run saved before the end is there as a whole, or is not there at all.
    assert {Path(name).suffix for name in files_in(tmp_path)} <= {".png", ".safetensors"}
    with HostServer(launch(tmp_path)) as running:
        client = ComfyClient(running.url)
        assert picture(client, with_loading(turned(composed, 0, name_of(0)), saved)) == before


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
