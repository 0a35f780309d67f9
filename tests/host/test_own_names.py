"""The routes answer under names that no stranger can point at this machine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

OWN = ["127.0.0.1:8188", "localhost", "[::1]:8188", "192.168.1.7:80", "my-pc:8188", "my-pc.local"]
FOREIGN = ["evil.example", "evil.example:8188", "127.0.0.1.evil.example", "", "[::1", "a.b.c"]


def answers(pack: Any, **headers: str) -> bool:
    requests = pack.module("nodes.host.requests")
    request = SimpleNamespace(host=headers.pop("Host"), headers=headers)
    return requests._comes_from_here(request)


@pytest.mark.parametrize("host", OWN)
def test_names_of_the_local_network_are_answered(pack: Any, host: str) -> None:
    assert answers(pack, Host=host)
    assert answers(pack, Host=host, Origin=f"http://{host}")
    assert not answers(pack, Host=host, Origin="http://evil.example")


@pytest.mark.parametrize("host", FOREIGN)
def test_foreign_names_are_refused_without_https(pack: Any, host: str) -> None:
    assert not answers(pack, Host=host)
    assert not answers(pack, Host=host, Origin=f"http://{host}")


def test_a_name_may_be_allowed(pack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTANTID_COMPOSE_HOSTS", "other.example, Comfy.Example")
    assert answers(pack, Host="comfy.example:8188")
    assert not answers(pack, Host="evil.example")


def test_browsers_vouch_for_secure_pages(pack: Any) -> None:
    """They send this header to secure addresses only, and let no script set it."""
    assert answers(pack, Host="comfy.example", **{"Sec-Fetch-Site": "same-origin"})
    assert not answers(pack, Host="127.0.0.1", **{"Sec-Fetch-Site": "cross-site"})
