"""Combine Identities: strangers among photos of one person are left out, and named."""

from __future__ import annotations

from typing import Any

import pytest
import torch

NODE = "InstantIDCombineIdentities"


@pytest.fixture
def album(pack: Any, identity_of: Any) -> dict[str, Any]:
    """Two photos of one person, and one of a stranger."""
    kind, person = pack.module("instantid_core.types").IdentityEmbedding, identity_of(1)
    near = [
        kind(0.6 * person.references + 0.4 * identity_of(n).references, person.recogniser)
        for n in (11, 12)
    ]
    return dict(zip(("identity0", "identity1", "identity2"), [*near, identity_of(2)], strict=True))


def test_strangers_are_left_out_and_named(pack: Any, album: Any, caplog: Any) -> None:
    identity, text = pack.run(NODE, identities=album, weights="", combine="robust")
    assert identity.references.shape == (1, 1, 512)
    assert "identity2: left out, another person" in text
    assert "identity2 (another person" in caplog.text
    without = {name: album[name] for name in ("identity0", "identity1")}
    clean, _ = pack.run(NODE, identities=without, weights="")
    torch.testing.assert_close(identity.references, clean.references)


def test_without_the_new_input_nothing_changes(pack: Any, album: Any, caplog: Any) -> None:
    averaged, text = pack.run(NODE, identities=album, weights="1, 1, 2")
    expected = sum(
        share * album[name].references.double()
        for name, share in zip(album, (0.25, 0.25, 0.5), strict=True)
    )
    torch.testing.assert_close(averaged.references, expected.float())
    assert text.splitlines()[-1] == "identity2: share 0.50"
    assert "count little" not in caplog.text


def test_nothing_but_strangers_is_a_sentence(pack: Any, identity_of: Any) -> None:
    strangers = {f"identity{n}": identity_of(n) for n in (3, 4)}
    with pytest.raises(Exception, match="No two of these 2 references are of one person"):
        pack.run(NODE, identities=strangers, weights="", combine="robust")
