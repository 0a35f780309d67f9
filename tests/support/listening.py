"""Addresses that a group of processes listens on. Linux only; standard library only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
LISTENING = "0A"
LOOPBACK = ("0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F")
"""127.0.0.1, ::1 and ::ffff:127.0.0.1 as the kernel writes them."""


def listeners(session: int) -> dict[str, bool]:
    """Commands of the session's processes that listen; whether on the loopback interface alone."""
    addresses = dict(_listening())
    found = {}
    for process in _of_session(session):
        own = [addresses[inode] for inode in _sockets(process) if inode in addresses]
        if own:
            found[_command(process)] = all(one.split(":")[0] in LOOPBACK for one in own)
    return found


def _listening() -> Iterator[tuple[str, str]]:
    """Inode and address of every TCP socket that waits for connections."""
    for table in ("tcp", "tcp6"):
        for line in (PROC / "net" / table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING:
                yield fields[9], fields[1]


def _of_session(session: int) -> Iterator[Path]:
    for process in PROC.glob("[0-9]*"):
        try:
            # The name before the last bracket may hold spaces.
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            yield process


def _sockets(process: Path) -> Iterator[str]:
    try:
        for entry in (process / "fd").iterdir():
            target = os.readlink(entry)
            if target.startswith("socket:["):
                yield target[len("socket:[") : -1]
    except OSError:
        return


def _command(process: Path) -> str:
    try:
        return (process / "cmdline").read_text().replace("\0", " ")[:120]
    except OSError:
        return process.name
