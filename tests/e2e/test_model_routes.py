"""The models manager on a real server without models, which fetches from a mirror on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from support.model_site import GUARD, LIMIT, LIST, PREFIX, Site, site_without_models
from support.small_files import BUFFALO, DETECTOR, RECOGNISER, SMALL

from tools.comfyui import workspace
from tools.comfyui.client import ComfyClient, PromptRefusedError
from tools.comfyui.environment import child_environ

ROUTES = [("GET", ""), ("GET", "/progress"), ("POST", "/download"), ("POST", "/cancel")]
DOCTOR = "/instantid_compose/doctor"
IDS = ["adapter", "identitynet", "face_models"]
OPTIONAL = ["buffalo_l", "faceid_sd15"]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Site]:
    with site_without_models(tmp_path_factory.mktemp("without_models")) as running:
        yield running


def requests_of(site: Site) -> int:
    return sum(len(served.requests) for served in site.mirror.files.values())


# Refusals: each leaves the server and the mirror as they were.


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "headers",
    [
        {"X-InstantID-Compose": None},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
    ],
    ids=str,
)
def test_other_sites_are_refused(site, method, path, headers):
    before = requests_of(site)
    sent = {name: value for name, value in {**GUARD, **headers}.items() if value is not None}
    request = urllib.request.Request(
        site.url + PREFIX + path,
        data=b'{"ids": ["adapter"]}' if method == "POST" else None,
        headers=sent,
        method=method,
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=LIMIT)
    with refused.value as answer:
        assert answer.code == 403
    assert requests_of(site) == before
    assert not site.ask("GET", f"{PREFIX}/progress")[1]["running"]


def test_the_doctor_answers_this_site_alone(site):
    answered, report = site.ask("GET", DOCTOR)
    assert answered == 200
    assert {"check", "state", "found", "advice"} == set(report["findings"][0])
    assert report["text"].endswith("checks")
    assert site.ask("GET", DOCTOR, **{"Sec-Fetch-Site": "cross-site"})[0] == 403


def test_this_site_is_not_refused(site):
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": site.url}):
        assert site.ask("GET", PREFIX, **headers)[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        {"ids": ["../../etc/passwd"]},
        {"ids": ["adapter", "http://127.0.0.1:1/x"]},
        {"ids": ["adapter/../x"]},
        {"ids": []},
        {"ids": "adapter"},
        {"ids": [7]},
        {"url": "http://127.0.0.1:1/x"},
        ["adapter"],
        None,
        b"{",
        b"\xff\xfe",
        b"[" * 4000,
        b'{"ids": ["' + b"x" * 5000 + b'"]}',
        '{"ids": ["\\ud800"]}'.encode("utf-16"),
    ],
    ids=str,
)
def test_only_ids_of_the_list_are_taken(site, body):
    before = site.written(), requests_of(site)
    status, text = site.ask("POST", f"{PREFIX}/download", body)
    assert status == 400
    assert json.loads(text)["error"].startswith("Expected")
    assert (site.written(), requests_of(site)) == before


@pytest.mark.parametrize("path", ["/adapter", "/../models", "/download/adapter", "/%2e%2e/x"])
def test_there_is_no_route_with_a_path_in_it(site, path):
    assert site.ask("GET", PREFIX + path)[0] in (404, 405)


def test_nothing_is_fetched_by_starting_or_listing(site):
    assert site.ask("GET", PREFIX)[0] == 200
    assert not requests_of(site)


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs, "_meta": {"title": class_type}}


# In order: the second half needs what the first has fetched.


def test_without_an_adapter_the_loader_says_what_to_do(site):
    client = ComfyClient(site.url)
    spec = client.object_info()["InstantIDLoadAdapter"]["input"]["required"]["adapter_name"]
    (only,) = spec[1]["options"] if spec[0] == "COMBO" else spec[0]
    assert "Get InstantID models" in only
    for name in (only, "ip-adapter.bin"):
        prompt = {
            "1": node("InstantIDLoadAdapter", adapter_name=name),
            "2": node("PreviewAny", source=["1", 0]),
        }
        with pytest.raises(PromptRefusedError) as refused:
            client.submit(prompt)
        said = str(refused.value)
        assert site.elsewhere.name in said
        assert str(site.elsewhere.parent) not in said, "no folders of the server"
        assert "python -m instantid_core models" in said


def test_the_list_tells_what_is_missing_and_where_it_goes(site):
    found = site.models()
    assert [found[name]["state"] for name in IDS] == ["missing"] * 3
    assert [name for name, item in found.items() if not item["optional"]] == IDS
    assert set(OPTIONAL) <= found.keys()
    assert found["adapter"]["files"][0]["folder"] == str(site.elsewhere)
    controlnet = site.base / "models" / "controlnet" / "instantid"
    assert found["identitynet"]["files"][0]["folder"] == str(controlnet)
    assert all(item["licence"] and item["source"] and item["size"] for item in found.values())


def test_a_cancelled_download_goes_on_later(site):
    served = next(s for path, s in site.mirror.files.items() if path.endswith("ip-adapter.bin"))
    served.hold_after = 100_000
    assert site.ask("POST", f"{PREFIX}/download", {"ids": ["adapter"]})[0] == 202
    assert served.held.wait(LIMIT)
    # Another page, or the same one reloaded, sees it.
    assert site.ask("GET", PREFIX)[1]["job"]["running"]
    status, text = site.ask("POST", f"{PREFIX}/download", {"ids": ["identitynet"]})
    assert (status, "running already" in text) == (409, True)
    site.ask("POST", f"{PREFIX}/cancel")
    served.release.set()
    assert site.until_done() == {"adapter": "cancelled"}
    assert "ip-adapter.bin" not in site.written()
    kept = (site.elsewhere / "ip-adapter.bin.part").read_bytes()
    assert kept == SMALL["adapter"][: len(kept)]
    assert site.models()["adapter"]["state"] == "missing"


async def events_of(site: Site, ids: list[str]) -> list[dict[str, Any]]:
    states = []
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{site.url}/ws?clientId=models") as socket,
    ):
        body = {"ids": ids, "url": "http://127.0.0.1:1/x", "folder": "/tmp", "mirror": "ftp://x"}
        async with session.post(
            f"{site.url}{PREFIX}/download", json=body, headers=GUARD
        ) as response:
            assert response.status == 202
        while not states or states[-1]["running"]:
            message = await asyncio.wait_for(socket.receive(), LIMIT)
            event = json.loads(message.data) if isinstance(message.data, str) else {}
            if event.get("type") == "instantid_compose.models":
                states.append(event["data"])
    return states


def test_everything_ends_in_the_right_folder(site):
    states = asyncio.run(events_of(site, IDS))
    assert {task["id"]: task["phase"] for task in states[-1]["tasks"]} == dict.fromkeys(IDS, "done")
    assert site.written() == {
        "ip-adapter.bin",
        "diffusion_pytorch_model.safetensors",
        DETECTOR,
        RECOGNISER,
    }
    models = site.base / "models"
    faces = models / "insightface" / "models" / "antelopev2"
    assert (site.elsewhere / "ip-adapter.bin").read_bytes() == SMALL["adapter"]
    net = models / "controlnet" / "instantid" / "diffusion_pytorch_model.safetensors"
    assert net.read_bytes() == SMALL["identitynet"]
    assert (faces / DETECTOR).read_bytes() == SMALL[DETECTOR]
    assert (faces / RECOGNISER).read_bytes() == SMALL[RECOGNISER]
    found = site.models()
    assert [name for name, item in found.items() if item["complete"]] == IDS
    assert not any(found[name]["complete"] for name in OPTIONAL), "nobody has asked for them"


def test_a_relative_comes_where_it_is_asked_for(site):
    assert site.ask("POST", f"{PREFIX}/download", {"ids": OPTIONAL})[0] == 202
    assert site.until_done() == dict.fromkeys(OPTIONAL, "done")
    faces = site.base / "models" / "insightface" / "models" / "buffalo_l"
    assert {path.name: path.read_bytes() for path in faces.iterdir()} == {
        name: SMALL[name] for name in BUFFALO
    }
    adapter = site.elsewhere / "ip-adapter-faceid_sd15.bin"
    assert adapter.read_bytes() == SMALL["faceid_sd15"]
    assert all(site.models()[name]["complete"] for name in (*IDS, *OPTIONAL))


def test_the_choices_of_the_loaders_know_the_new_files(site):
    text = json.dumps(ComfyClient(site.url).object_info())
    assert '["ip-adapter-faceid_sd15.bin", "ip-adapter.bin"]' in text
    assert "instantid/diffusion_pytorch_model.safetensors" in text.replace("\\\\", "/")


# `python -m instantid_core models`, with the same mirror and a ComfyUI folder of its own


def command(comfyui: Path, base: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "instantid_core", "models", "--list", str(base / LIST)),
            *("--comfyui", str(comfyui), "--python", sys.executable, *arguments),
        ],
        cwd=workspace.REPOSITORY,
        env=child_environ(),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=LIMIT,
        check=False,
    )


@pytest.fixture
def own_comfyui(tmp_path) -> Path:
    """The host's source with a models folder of its own."""
    host = Path(os.environ["COMFYUI_PATH"])
    for name in ("comfy", "utils", "folder_paths.py", "main.py"):
        (tmp_path / "own" / name).parent.mkdir(exist_ok=True)
        copy = workspace.shutil.copytree if (host / name).is_dir() else workspace.shutil.copy2
        copy(host / name, tmp_path / "own" / name)
    adapters = json.dumps(str(tmp_path / "disk" / "adapters"))
    configuration = f"mine:\n  is_default: true\n  controlnet: {adapters}\n"
    (tmp_path / "own" / "extra_model_paths.yaml").write_text(configuration)
    return tmp_path / "own"


def test_the_command_lists_and_downloads(site, own_comfyui, tmp_path):
    listed = command(own_comfyui, site.base, "--mirror", site.mirror.url)
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.count("missing\n") == 3
    assert "MB, optional, not downloaded" in listed.stdout
    assert "--only buffalo_l downloads it." in listed.stdout
    fetched = command(own_comfyui, site.base, "--mirror", site.mirror.url, "--only", "buffalo_l")
    assert "Nothing was downloaded" in fetched.stdout
    assert "Nothing was downloaded" in listed.stdout
    assert not list(own_comfyui.rglob("*.bin"))
    asked = ("--mirror", site.mirror.url, "--yes", "--only", "identitynet", "--only", "face_models")
    fetched = command(own_comfyui, site.base, *asked)
    assert fetched.returncode == 0, fetched.stderr
    net = tmp_path / "disk" / "adapters" / "instantid" / "diffusion_pytorch_model.safetensors"
    assert net.read_bytes() == SMALL["identitynet"]
    assert not list(own_comfyui.rglob("*.bin"))
    whole = command(own_comfyui, site.base, "--mirror", site.mirror.url, "--yes")
    assert whole.returncode == 0, whole.stderr
    assert [path.name for path in own_comfyui.rglob("*.bin")] == ["ip-adapter.bin"]
    assert not list(own_comfyui.rglob("w600k_r50.onnx")), "--yes fetches what is needed, no more"
    net.write_bytes(bytes(len(SMALL["identitynet"])))
    checked = command(own_comfyui, site.base, "--verify")
    assert "a different file" in checked.stdout
    assert checked.stdout.count("present, SHA-256 verified") >= 2
    assert net.read_bytes() == bytes(len(SMALL["identitynet"])), "only named files are replaced"
