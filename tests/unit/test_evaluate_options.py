"""Options of the command line arrive in the other Python as they were given."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from tools.evaluate.options import EXPERIMENTS, OUTPUT, add_options, forwarded

HERE = Path(__file__).resolve().parent


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--quick", "--only=views", "--only=ablation", "--steps=8", "--cfg=2.5", "--weight=0"],
        [f"--photos={HERE}", f"--clip={HERE}", "--checkpoint=a b.safetensors"],
        ["--identity-net=x/y.safetensors", "--adapter=z.bin", "--size=832x1216", "--random"],
        [],
    ],
)
def test_options_survive_the_way(arguments):
    options = parse(*arguments)
    assert parse(*forwarded(options)) == options


def test_paths_are_made_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert parse(*forwarded(parse("--photos=people"))).photos == (tmp_path / "people").resolve()
    assert parse().output == OUTPUT
    assert isinstance(parse("--output=x").output, Path)


def test_only_known_experiments_can_be_picked(capsys):
    with pytest.raises(SystemExit):
        parse("--only=likeness")
    message = capsys.readouterr().err
    assert all(name in message for name in EXPERIMENTS)
