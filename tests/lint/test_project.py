"""What the repository promises about itself."""

import re
import sys

from support.sources import REPOSITORY

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


def requirements() -> list[str]:
    lines = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_requirements_are_the_projects_dependencies():
    assert requirements() == PROJECT["project"]["dependencies"]


def test_the_gpu_runtime_is_installed_after_what_brings_the_cpu_one():
    names = [re.split(r"[<>=!~; \[]", line)[0] for line in requirements()]
    assert names[0] == "insightface"
    assert names[-1] == "onnxruntime-gpu"
    assert "sys_platform" in requirements()[-1]


def test_the_host_provides_torch_and_numpy():
    assert not [line for line in requirements() if re.match(r"(torch|numpy|safetensors)\b", line)]


def test_the_changelog_tells_of_this_version():
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## .*\b{re.escape(PROJECT['project']['version'])}\b", changelog, re.M)


def test_the_registry_finds_what_it_asks_for():
    assert PROJECT["project"]["name"] == "instantid-compose"
    assert PROJECT["tool"]["comfy"]["DisplayName"] == "InstantID Compose"
    assert re.fullmatch(r">=\d+\.\d+\.\d+", PROJECT["tool"]["comfy"]["requires-comfyui"])
    assert (REPOSITORY / PROJECT["project"]["license"]["file"]).is_file()
    assert (REPOSITORY / PROJECT["project"]["readme"]).is_file()
