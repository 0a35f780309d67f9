"""The Doctor's findings for installations that are described here instead of built.

Real ones are in `tests/e2e/test_imperfect_installs.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import small_files

from instantid_core.doctor import files as doctor_files
from instantid_core.doctor import machine as doctor_machine
from instantid_core.doctor import report as doctor
from instantid_core.doctor.finding import Finding, State
from instantid_core.doctor.machine import Host, Machine
from instantid_core.libraries import native_libraries, pip_commands
from instantid_core.libraries.onnx_sessions import PROVIDERS
from instantid_core.models.manifest import published

CPU, CUDA = PROVIDERS["cpu"], PROVIDERS["cuda"]
GPU = {"name": "NVIDIA X", "free": 20 << 30, "total": 24 << 30}
TORCH: dict[str, Any] = {"version": "2.11.0+cu130", "cuda": "13.0", "rocm": None, "mps": False}
RUNTIME: dict[str, Any] = {"version": "1.31.1", "available": [CUDA, CPU], "refused": {}}
GOOD = Machine(
    python=(3, 12, 1),
    executable="/venv/bin/python",
    packages={
        "insightface": "2.1",
        "numpy": "2.4.6",
        "onnxruntime-gpu": "1.31.1",
        "opencv-python": "5.0.0.93",
        "torch": "2.11.0",
    },
    libraries={
        "torch": {**TORCH, "devices": [GPU]},
        "onnxruntime": {**RUNTIME, "opened": CUDA},
        "opencv": {"version": "5.0.0"},
        "insightface": {"version": "2.1"},
    },
    runtime_build={"package_name": "onnxruntime-gpu", "cuda_version": "13.0"},
    system="Linux",
)


def machine(**changes: Any) -> Machine:
    """The good one with other packages, or other outcomes of trying a library."""
    packages = {**GOOD.packages, **changes.pop("packages", {})}
    libraries = {**GOOD.libraries, **changes.pop("libraries", {})}
    kept = {name: version for name, version in packages.items() if version}
    return replace(GOOD, packages=kept, libraries=libraries, **changes)


def findings(of: Machine, host: Host | None = None) -> dict[str, Finding]:
    return {found.check: found for found in doctor.examine(host or Host("0.30.0"), of)}


def test_a_good_machine_has_no_problem_and_nothing_to_do() -> None:
    found = findings(GOOD)
    assert {finding.state for finding in found.values()} == {State.OK}
    assert not any(finding.advice for finding in found.values())
    assert not doctor.has_problem(list(found.values()))
    assert found["accelerator"].found == "NVIDIA X with 24.0 GB, 20.0 GB free"
    assert found["provider"].found == f"{CUDA} opens"
    assert found["cuda"].found == "ONNX Runtime is built for CUDA 13.0, torch for CUDA 13.0"


MISSING = {"error": "ModuleNotFoundError: No module named 'x'"}
BROKEN = {"error": "libx.so: file too short"}
CPU_BUILD = {"package_name": "onnxruntime"}
NO_GPU = {**TORCH, "devices": []}
FELL_BACK = {**RUNTIME, "opened": CPU, "refused": {CUDA: "its libraries do not load"}}


@pytest.mark.parametrize(
    ("check", "state", "found", "advice", "changes"),
    [
        ("python", "problem", "3.9.18", "3.10 or newer", {"python": (3, 9, 18)}),
        (
            "torch",
            "problem",
            "cannot be imported",
            "Install torch",
            {"libraries": {"torch": MISSING}},
        ),
        ("accelerator", "note", "no GPU", "torch that is", {"libraries": {"torch": NO_GPU}}),
        (
            "accelerator",
            "note",
            "6.0 GB",
            "slowly",
            {"libraries": {"torch": {**TORCH, "devices": [{**GPU, "total": 6 << 30}]}}},
        ),
        (
            "insightface",
            "problem",
            "not installed",
            'install "insightface>=1.0"',
            {"packages": {"insightface": ""}, "libraries": {"insightface": MISSING}},
        ),
        (
            "insightface",
            "problem",
            "cannot be imported: libx.so",
            "--upgrade",
            {"libraries": {"insightface": BROKEN}},
        ),
        (
            "insightface",
            "note",
            "it imports opencv, which does not work",
            "",
            {"libraries": {"insightface": BROKEN, "opencv": BROKEN}},
        ),
        ("insightface", "problem", "0.7.3", "--upgrade", {"packages": {"insightface": "0.7.3"}}),
        (
            "opencv",
            "problem",
            "not installed",
            "pip install opencv-python.",
            {"packages": {"opencv-python": ""}, "libraries": {"opencv": MISSING}},
        ),
        (
            "opencv",
            "note",
            "2 packages share one folder: ",
            "uninstall -y opencv-python opencv-python-headless",
            {"packages": {"opencv-python-headless": "4.13"}},
        ),
        (
            "opencv",
            "problem",
            "cannot be imported",
            "uninstall -y opencv-python and then",
            {"libraries": {"opencv": BROKEN}},
        ),
        (
            "onnxruntime",
            "problem",
            "not installed",
            "pip install onnxruntime",
            {"packages": {"onnxruntime-gpu": ""}, "libraries": {"onnxruntime": MISSING}},
        ),
        (
            "onnxruntime",
            "problem",
            "cannot be imported: libx.so",
            "uninstall -y onnxruntime onnxruntime-gpu and then",
            {"libraries": {"onnxruntime": BROKEN}},
        ),
        (
            "onnxruntime",
            "note",
            "2 packages share one folder: ",
            "Leave them as long as it works",
            {"packages": {"onnxruntime": "1.31.1"}},
        ),
        (
            "onnxruntime",
            "problem",
            "the files are those of onnxruntime, which has no CUDA",
            "--force-reinstall --no-deps",
            {"packages": {"onnxruntime": "1.31.1"}, "runtime_build": CPU_BUILD},
        ),
        (
            "onnxruntime",
            "note",
            "versions up to 1.23 read any file that a model names",
            "onnxruntime-gpu>=1.24.1",
            {"libraries": {"onnxruntime": {**RUNTIME, "version": "1.23.2", "opened": CUDA}}},
        ),
        (
            "provider",
            "note",
            f"{CPU} opens; {CUDA} does not open: its libraries do not load",
            "0.2 seconds",
            {"libraries": {"onnxruntime": FELL_BACK}},
        ),
        (
            "provider",
            "problem",
            "no provider opens",
            "uninstall",
            {"libraries": {"onnxruntime": {**RUNTIME, "opened": None, "refused": {CPU: "no"}}}},
        ),
        (
            "cuda",
            "problem",
            "built for CUDA 13.0, torch for CUDA 12.8",
            "onnxruntime",
            {"libraries": {"torch": {**TORCH, "cuda": "12.8", "devices": [GPU]}}},
        ),
        (
            "cuda",
            "note",
            "torch without CUDA",
            "0.2 seconds",
            {"libraries": {"torch": {**NO_GPU, "cuda": None}}},
        ),
    ],
)
def test_what_is_wrong_and_what_to_do(
    check: str, state: str, found: str, advice: str, changes: dict[str, Any]
) -> None:
    finding = findings(machine(**changes))[check]
    assert finding.state.value == state
    assert found in finding.found
    assert advice in finding.advice
    assert bool(advice) == bool(finding.advice)
    assert "\n" not in finding.found + finding.advice


def test_cuda_12_gets_the_last_runtime_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pip_commands.sys, "platform", "linux")
    monkeypatch.setattr(pip_commands.platform, "machine", lambda: "x86_64")
    assert pip_commands.runtime_for("12.8") == "onnxruntime-gpu<1.27"
    assert pip_commands.runtime_for("13.0") == "onnxruntime-gpu"
    assert pip_commands.runtime_for(None) == "onnxruntime"
    monkeypatch.setattr(pip_commands.platform, "machine", lambda: "aarch64")
    assert pip_commands.runtime_for("13.0") == "onnxruntime"


def test_an_older_runtime_does_not_say_its_cuda() -> None:
    old = machine(
        packages={"onnxruntime-gpu": "1.26.0"}, runtime_build={"package_name": "onnxruntime-gpu"}
    )
    assert findings(old)["cuda"].found.startswith("ONNX Runtime is built for CUDA 12,")


def test_commands_survive_a_path_with_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pip_commands.sys, "executable", r"C:\My ComfyUI\python.exe")
    wanted = r'"C:\My ComfyUI\python.exe" -m pip install "insightface>=1.0"'
    assert pip_commands.install(pip_commands.INSIGHTFACE) == wanted


# --- ComfyUI and its folders ----------------------------------------------------------------------


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """All published files, as holes of the right size, and this pack among the custom nodes."""
    roots = {kind: [tmp_path / kind] for kind in ("instantid", "controlnet", "insightface")}
    for download in published():
        for file in download.files:
            path = file.path(roots[download.kind][0])
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as hole:
                hole.truncate(file.size)
    pack = tmp_path / "custom_nodes" / "instantid-compose"
    pack.mkdir(parents=True)
    (pack / "pyproject.toml").write_text('[project]\nname = "instantid-compose"\n')
    return Host("0.30.0", roots, [tmp_path / "custom_nodes", tmp_path / "not there"])


def models(host: Host) -> dict[str, Finding]:
    return findings(GOOD, host)


def test_all_files_are_there(host: Host) -> None:
    assert {found.state for found in models(host).values()} == {State.OK}
    assert "SHA-256 not checked" in models(host)["face_models"].found


def test_hashes_are_compared_on_demand(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_files.write_small_list(tmp_path / "list.json")
    small = published(tmp_path / "list.json")
    monkeypatch.setattr(doctor_files, "published", lambda: small)
    for download in small:
        for file in download.files:
            content = small_files.SMALL.get(file.name, small_files.SMALL.get(download.id, b""))
            file.path(host.model_roots[download.kind][0]).write_bytes(content)
    good = {found.check: found for found in doctor.examine(host, GOOD, hash_files=True)}
    assert good["adapter"].state is good["face_models"].state is State.OK
    assert "as published" in good["face_models"].found
    recogniser = face_folder(host) / "glintr100.onnx"
    recogniser.write_bytes(bytes(recogniser.stat().st_size))
    assert findings(GOOD, host)["face_models"].state is State.OK
    changed = {found.check: found for found in doctor.examine(host, GOOD, hash_files=True)}
    assert changed["face_models"].state is State.PROBLEM
    assert "expected SHA-256" in changed["face_models"].found


def face_folder(host: Host) -> Path:
    return host.model_roots["insightface"][0] / "models" / "antelopev2"


def test_buffalo_in_the_place_of_antelope(host: Host) -> None:
    folder = face_folder(host)
    (folder / "glintr100.onnx").rename(folder / "w600k_r50.onnx")
    found = models(host)["face_models"]
    assert found.state is State.PROBLEM
    assert "holds w600k_r50.onnx, the recogniser of buffalo_l" in found.found


def test_buffalo_under_the_name_of_antelope(host: Host) -> None:
    with (face_folder(host) / "glintr100.onnx").open("wb") as hole:
        hole.truncate(174383860)
    found = models(host)["face_models"]
    assert found.state is State.PROBLEM
    assert "has the size of w600k_r50.onnx, the recogniser of buffalo_l" in found.found
    assert "Delete it" in found.advice


def test_a_missing_file_says_where_it_belongs(host: Host) -> None:
    path = host.model_roots["instantid"][0] / "ip-adapter.bin"
    path.unlink()
    found = models(host)["adapter"]
    assert found.state is State.PROBLEM
    assert f"not found, expected {path}" in found.found
    assert "python -m instantid_core models" in found.advice


def test_another_adapter_may_do(host: Host) -> None:
    folder = host.model_roots["instantid"][0]
    (folder / "ip-adapter.bin").unlink()
    (folder / "mine.safetensors").touch()
    found = models(host)["adapter"]
    assert found.state is State.NOTE
    assert "others were: mine.safetensors" in found.found


def test_a_cut_file_is_recognised_by_its_size(host: Host) -> None:
    with (host.model_roots["instantid"][0] / "ip-adapter.bin").open("r+b") as file:
        file.truncate(1000)
    found = models(host)["adapter"]
    assert found.state is State.NOTE
    assert "found 1000: a different file" in found.found


def test_the_older_pack_beside(host: Host) -> None:
    (Path(host.custom_nodes[0]) / "ComfyUI_InstantID").mkdir()
    (Path(host.custom_nodes[0]) / "ComfyUI-InstantID.disabled").mkdir()
    found = models(host)["other packs"]
    assert found.state is State.NOTE
    assert found.found.endswith("ComfyUI_InstantID")


def test_two_copies_of_this_pack(host: Host) -> None:
    copy = Path(host.custom_nodes[0]) / "instantid-compose-main"
    copy.mkdir()
    (copy / "pyproject.toml").write_text('[project]\nname = "instantid-compose"\n')
    found = models(host)["other packs"]
    assert found.state is State.PROBLEM
    assert "installed 2 times" in found.found


@pytest.mark.parametrize(
    ("version", "state"),
    [("0.16.2", "problem"), ("0.16.3", "ok"), ("0.33.1", "ok"), (None, "note")],
)
def test_the_version_of_the_host(version: str | None, state: str) -> None:
    assert findings(GOOD, Host(version))["comfyui"].state.value == state


# --- looking at a machine -------------------------------------------------------------------------


def test_text_and_json_say_the_same(host: Host) -> None:
    found = doctor.examine(host, machine(python=(3, 9, 1)))
    text, content = doctor.as_text(found), json.loads(doctor.as_json(found))
    assert content["problems"] == 1
    assert text.endswith(f"1 problems, 0 notes, {len(found)} checks")
    for entry in content["findings"]:
        assert f"{entry['check']}: {entry['found']}" in text
        assert entry["advice"] in text


def test_a_library_that_ends_python_does_not_end_the_doctor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = (
        "import os, sys\n"
        "for name in sys.argv[2:]:\n"
        "    if name == 'opencv': os.abort()\n"
        '    print(\'noise\'); print(\'{"library": "\' + name + \'", "version": "1"}\', flush=True)'
    )
    monkeypatch.setattr(doctor_machine, "PROBE", program)
    probed = doctor_machine.probe_libraries(("torch", "opencv", "insightface"))
    assert probed["torch"] == probed["insightface"] == {"version": "1"}
    assert probed["opencv"]["error"].startswith("importing it ended Python")


def test_the_doctor_needs_nothing_but_the_standard_library() -> None:
    program = (
        "import sys; sys.path.append(sys.argv[1]); import instantid_core.doctor;"
        "print(sorted({m.split('.')[0] for m in sys.modules} - sys.stdlib_module_names))"
    )
    root = str(Path(doctor.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, root],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "numpy" not in done.stdout
    assert "torch" not in done.stdout
    assert "instantid_core" in done.stdout


def test_a_library_that_is_cut_short_is_reported_before_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading it would end this process."""
    for name, size in (("one", 100), ("two", 80)):
        note = tmp_path / f"{name}-1.0.dist-info"
        note.mkdir()
        (note / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (note / "RECORD").write_text(f"shared/state.so,sha256=x,{size}\nshared/a.py,,\n")
    monkeypatch.syspath_prepend(tmp_path)
    packages = ("one", "two", "three")
    native_libraries.require_whole(packages)
    library = tmp_path / "shared" / "state.so"
    library.parent.mkdir()
    for size in (100, 80, 120):
        library.write_bytes(bytes(size))
        native_libraries.require_whole(packages)
    library.write_bytes(bytes(50))
    with pytest.raises(OSError, match=r"state\.so is truncated: 50 of 100 bytes"):
        native_libraries.require_whole(packages)
