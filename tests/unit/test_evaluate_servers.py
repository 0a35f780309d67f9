"""Servers of an evaluation, side by side."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.painting_server import SIDE, PaintingServer, measurements_on

from tools.comfyui.server import HostServer, Launch
from tools.evaluate import backends, servers
from tools.evaluate.prompts import Job
from tools.evaluate.settings import QUICK, Overrides

LAUNCH = Launch(Path("python"), Path("comfyui"), ["--cpu"], Path("base/server.log"))


class Started(AbstractContextManager):
    """A server of which only the launch is of interest."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch

    def __exit__(self, *error: object) -> None:
        self.launch = replace(self.launch, port=-1)


@pytest.fixture
def machine(monkeypatch) -> Any:
    monkeypatch.setattr(servers, "HostServer", Started)
    return lambda count: monkeypatch.setattr(servers, "cores", lambda: count)


def launches(count: int) -> Sequence[Launch]:
    with servers.running(LAUNCH, count) as started:
        found = [one.launch for one in started]
    assert all(one.launch.port == -1 for one in started), "all have ended"
    return found


@pytest.mark.parametrize(("found", "expected"), [(1, 1), (3, 3), (64, servers.MOST)])
def test_small_models_get_a_server_for_each_core(machine, found, expected):
    machine(found)
    assert servers.for_small_models() == expected


def test_a_single_server_is_launched_as_it_is(machine):
    machine(8)
    assert launches(1) == [LAUNCH]


def test_several_share_the_cores_and_keep_logs_of_their_own(machine):
    machine(8)
    found = launches(3)
    assert [one.log for one in found] == [Path(f"base/server_{n}.log") for n in (1, 2, 3)]
    assert [one.environ for one in found] == [{"OMP_NUM_THREADS": "2"}] * 3
    plain = [replace(one, log=LAUNCH.log, environ={}) for one in found]
    assert plain == [LAUNCH] * 3


def test_all_logs_are_kept(tmp_path):
    hosts = []
    for n in (1, 2):
        log = tmp_path / f"server_{n}.log"
        log.write_text(f"log {n}")
        hosts.append(HostServer(replace(LAUNCH, log=log)))
    named = servers.saved_logs(hosts, tmp_path / "out")
    paths = [Path(one) for one in named.split(", ")]
    assert [path.read_text() for path in paths] == ["log 1", "log 2"]


def test_only_small_models_have_several(monkeypatch, tmp_path):
    monkeypatch.setattr(backends, "for_small_models", lambda: 3)
    monkeypatch.setattr(backends.workspace, "require_packages", lambda: None)
    monkeypatch.setattr(backends.workspace, "current", lambda: LAUNCH)
    monkeypatch.setattr(backends, "people_in", lambda folder, references: [])
    assert backends.random_backend(QUICK, Overrides()).servers == 3
    assert backends.world_backend(QUICK, Overrides()).servers == 3
    empty = dict.fromkeys(vars(backends.OwnModels()))
    options = argparse.Namespace(**empty, photos=tmp_path, insightface=None, clip=None)
    assert backends.own_backend(options, QUICK, Overrides()).servers == 1


def test_fewer_steps_run_on_the_same_servers_and_count_their_time(analyzer):
    run = measurements_on(PaintingServer(), analyzer)
    few = run.runner.at_steps(2)
    before = run.runner.clock.generating
    few.prepare([Job("a text", 1, (SIDE, SIDE))])
    assert few.clients is run.runner.clients
    assert run.runner.clock.pictures == 1
    assert run.runner.clock.generating > before
