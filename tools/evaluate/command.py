"""`dev.py evaluate`: measures likeness, text, views and more on a real ComfyUI; writes one page.

Runs in the Python of that ComfyUI.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from instantid_core.errors import InstantIDError
from instantid_core.faces import FaceAnalyzer
from instantid_core.models import find_models
from tools.comfyui.cache import CacheError
from tools.comfyui.client import ClientError, ComfyClient
from tools.comfyui.console import exit_code
from tools.comfyui.environment import say
from tools.comfyui.prompts import PromptError
from tools.comfyui.server import ServerError

from .backends import Backend, backend_of
from .experiments import RUNS
from .figures import EvaluationError, Report
from .judges import require_another
from .measurements import Measurements
from .options import EXPERIMENTS, add_options
from .report import as_text, write
from .runner import Runner
from .servers import running, saved_logs
from .settings import FULL, QUICK, Plan

TITLE = "InstantID Compose: evaluation"
EXPECTED = (
    EvaluationError,
    InstantIDError,
    PromptError,
    ClientError,
    ServerError,
    CacheError,
)


def main(arguments: Sequence[str]) -> int:
    """Evaluates, writes the page, and returns the exit code."""
    options = parse(arguments)

    def work() -> None:
        with tempfile.TemporaryDirectory(prefix="instantid-compose-") as scratch:
            run(options, Path(scratch))

    return exit_code(work, EXPECTED)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parses the options that `dev.py evaluate` passes on."""
    parser = argparse.ArgumentParser(prog="dev.py evaluate")
    add_options(parser)
    parser.add_argument("--installed", action="store_true")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace, scratch: Path) -> None:
    """Starts the server, runs the experiments, writes the report."""
    started = time.monotonic()
    plan = QUICK if options.quick else FULL
    backend = backend_of(options, plan)
    say("Starting ComfyUI")
    with running(backend.launch(scratch), backend.servers) as servers:
        for server in servers:
            say(f"ComfyUI is ready after {server.seconds_to_start:.1f} s at {server.url}")
        analyzer = FaceAnalyzer(find_models([backend.faces(scratch)]), "cpu")
        require_another(backend.judges, analyzer)
        clients = [ComfyClient(server.url) for server in servers]
        runner = Runner(clients, backend.setup, analyzer, clients[0].object_info())
        try:
            reports = measure(options, plan, backend, runner, started)
            report, page, figures = written(reports, options.output)
        except ClientError as error:
            logs = saved_logs(servers, options.output)
            raise EvaluationError(f"{error}\nThe log is {logs}.") from error
    for criterion in report.criteria:
        found = as_text(criterion.found)
        say(f"{criterion.verdict}: {criterion.name} {found}, wanted {criterion.threshold}")
    say(f"Page    {page}\nFigures {figures}")


def written(reports: Iterator[Report], output: Path) -> tuple[Report, Path, Path]:
    """Writes each report over the one before; returns the last one and its files.

    A run that fails or is stopped leaves what its finished experiments have measured.
    """
    return [(report, *write(report, output)) for report in reports][-1]


def measure(
    options: argparse.Namespace, plan: Plan, backend: Backend, runner: Runner, started: float
) -> Iterator[Report]:
    """Runs the experiments; yields after each the sections so far, and facts about the run."""
    people = runner.upload_people(backend.subjects, say)
    run = Measurements(
        backend.setup,
        plan,
        runner,
        people,
        backend.poses,
        backend.scorer,
        say,
        backend.judges,
        backend.attributes,
        backend.judges[0] if backend.by_judge else None,
    )
    sections = []
    for name in options.only or EXPERIMENTS:
        say(f"{name} ({time.monotonic() - started:.0f} s)")
        sections.append(RUNS[name](run))
        yield Report(TITLE, facts(run, time.monotonic() - started), [*sections], backend.notes)


def facts(run: Measurements, seconds: float) -> dict[str, str]:
    """Settings, versions and times of the run."""
    setup, clock = run.setup, run.runner.clock
    kind, inputs = setup.checkpoint
    system = json.loads(run.runner.clients[0].get("/system_stats"))
    devices = ", ".join(device["name"] for device in system["devices"])
    unseen = sum(person.subject.is_unseen for person in run.people)
    return {
        "models": f"{setup.name}: {', '.join([*inputs.values()] or [kind])}; {setup.adapter}; "
        f"{setup.control_net}",
        "sampling": f"{setup.size[0]} x {setup.size[1]}, {setup.steps} steps, CFG {setup.cfg:g}, "
        f"{setup.sampler} / {setup.scheduler}",
        "default amounts": f"weight {setup.weight:g}, strength {setup.strength:g}",
        "people": f"{len(run.people)}, {unseen} of them with photos that generation does not see",
        "pictures": f"{clock.pictures} in {clock.generating:.0f} s of the servers' time "
        f"({clock.per_picture:.2f} s each), analysed in {clock.analysing:.0f} s",
        "time": f"{seconds / 60:.1f} minutes in all, {time.strftime('%Y-%m-%d %H:%M')}",
        "recogniser": f"sha256 {run.runner.analyzer.recogniser.sha256[:16]}; beside it "
        + (", ".join(judge.name for judge in run.judges) or "no second one"),
        "likeness": f"by {run.by.name}, which conditions nothing; by both under recognisers"
        if run.by
        else "by the recogniser that conditions the pictures",
        "software": f"ComfyUI {system['system'].get('comfyui_version', '?')}, torch "
        f"{system['system'].get('pytorch_version', '?')}, Python {platform.python_version()}",
        "machine": f"{platform.machine()} {platform.system()}, {devices}",
        "intervals": "95 %, percentile bootstrap over people, 4000 resamples, fixed generator",
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
