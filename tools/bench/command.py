"""`dev.py bench`: prints the tables of the benchmark.

Variants are measured in turns within one run, so that whatever slows the machine down slows all of
them. Read the ratios; no time passes or fails.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import torch

from .faces import face_tables
from .group import group_tables
from .host import build_scene, machine, start_host, use_models
from .processes import import_table, memory_table
from .report import Table, as_data, as_markdown, as_text
from .steps import memory_tables, step_tables, variants


def main(arguments: Sequence[str]) -> int:
    """Measures, prints each table as soon as it is ready, and returns the exit code."""
    options = parse(arguments)
    if "COMFYUI_PATH" not in os.environ:
        print("error: start the benchmark as `python3 dev.py bench`", file=sys.stderr)
        return 2
    tables = []
    where = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        tables_of = measure_batch if options.batch else measure_full if options.full else measure
        for table in tables_of(Path(folder), options, where):
            tables.append(table)
            print(f"\n{as_text(table)}", flush=True)
            write_files(options, where, tables)
    return 0


def write_files(
    options: argparse.Namespace, where: dict[str, str], tables: Sequence[Table]
) -> None:
    """Writes the files asked for with what there is, so that an interrupted run keeps it."""
    if options.out:
        options.out.write_text(as_markdown(where, tables), encoding="utf-8")
    if options.json:
        data = json.dumps(as_data(where, tables), indent=2)
        options.json.write_text(data + "\n", encoding="utf-8")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--full", action="store_true", help="SDXL's own sizes; on a GPU if there is one"
    )
    parser.add_argument(
        "--dims", choices=("published", "small"), default="published", help="sizes of --full"
    )
    parser.add_argument("--steps", action="store_true", help="whole steps of --full on a CPU, too")
    parser.add_argument("--out", type=Path, help="also write the tables as a Markdown page")
    parser.add_argument("--batch", action="store_true", help="only the throughput of dev.py batch")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args(arguments)
    for name in ("json", "out"):
        path = getattr(options, name)
        if path and not path.parent.is_dir():
            parser.error(f"--{name} names a file in {path.parent}, which is not a folder")
    return options


def measure_batch(
    folder: Path, options: argparse.Namespace, where: dict[str, str]
) -> Iterator[Table]:
    """Table of the throughput of several workers."""
    from .batch_throughput import batch_table  # needs the core under its own name

    where.update({"cores": str(os.cpu_count())})
    yield batch_table(folder)


def measure_full(
    folder: Path, options: argparse.Namespace, where: dict[str, str]
) -> Iterator[Table]:
    """Tables at SDXL's sizes, compared with the roofline and the baseline."""
    host_nodes = _ready(where)
    from .full import full_tables  # needs the host

    yield from full_tables(folder, options, host_nodes)


def _ready(where: dict[str, str]) -> ModuleType:
    host_nodes = start_host()
    if not torch.cuda.is_available():
        # With several threads, disturbance by other programs has a larger effect.
        torch.set_num_threads(1)
    where.update(machine())
    print("\n".join(f"{name}: {value}" for name, value in where.items()), flush=True)
    return host_nodes


def measure(folder: Path, options: argparse.Namespace, where: dict[str, str]) -> Iterator[Table]:
    """All tables, one after another. `where` receives the description of the machine."""
    host_nodes = _ready(where)
    with torch.inference_mode():
        use_models(folder)
        scene = build_scene(host_nodes)
        compared = variants(scene)
        yield from step_tables(compared)
        yield from memory_tables(compared)
        yield from group_tables(scene)
        yield from face_tables(scene, folder / "insightface")
    yield memory_table(folder, full=False)
    yield import_table(folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
