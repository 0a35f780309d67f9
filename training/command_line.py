"""The command line that all trainings share: settings become options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

import torch

from .loop import LoopSettings

Settings = TypeVar("Settings")


def training_parser(purpose: str | None) -> argparse.ArgumentParser:
    """Options of the loop, and of how a run's albums are painted."""
    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument("--folder", type=Path, required=True, help="the run's folder")
    parser.add_argument("--start", type=Path, help="weights.pt of a training to begin with")
    parser.add_argument("--steps", type=int)
    add_options(parser, LoopSettings, mixed_precision=("no", "bf16"))
    parser.add_argument("--album-seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1, help="processes that paint albums")
    return parser


def add_options(parser: argparse.ArgumentParser, settings: type, **choices: Sequence[str]) -> None:
    """An option for each number and text of a dataclass that has a default there.

    choices: the values that a text may have, by the field's name.
    """
    for field in fields(settings):
        if field.default is not MISSING and not isinstance(field.default, bool):
            parser.add_argument(
                f"--{field.name.replace('_', '-')}",
                type=type(field.default),
                default=field.default,
                choices=choices.get(field.name),
            )


def settings_of(kind: type[Settings], arguments: argparse.Namespace, **told: Any) -> Settings:
    """A dataclass with what the command line says; told: what it does not, or says otherwise."""
    given = vars(arguments) | told
    names = [field.name for field in fields(kind) if field.name in given]  # pyright: ignore[reportArgumentType]
    return kind(**{name: given[name] for name in names})


def loop_settings(arguments: argparse.Namespace, name: str) -> LoopSettings:
    """Settings from the command line, after torch's generator is seeded with theirs.

    The loop writes into the run's subfolder `name`.
    """
    torch.manual_seed(arguments.seed)
    return settings_of(LoopSettings, arguments, folder=arguments.folder / name)
