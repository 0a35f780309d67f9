"""People behind identities: their notes merged, and their labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..errors import printable
from ..types import Face, Faces, IdentityEmbedding, Person

LONGEST_NAME = 80
LONGEST_CONSENT = 400
"""Characters, of one line each."""
LONGEST_LABEL = 24
"""Characters of a name in a table."""


def person_of(faces: Faces) -> Person:
    """Somebody who is known by the largest of these faces."""
    largest = max(faces.known, key=lambda face: face.box.area, default=None)
    return Person(portrait=largest.portrait if isinstance(largest, Face) else b"")


def mixed(identities: Iterable[IdentityEmbedding]) -> Person:
    """One person for several identities: all names, all consent, and the portrait if there is only
    one among them."""
    people = list(dict.fromkeys(each.person for each in identities))
    if len(people) == 1:
        return people[0]
    names = dict.fromkeys(person.name for person in people if person.name)
    portraits = {person.portrait for person in people}
    agreed = dict.fromkeys(
        f"{person.name}: {person.consent}" if person.name else person.consent
        for person in people
        if person.consent
    )
    return Person(
        one_line(" + ".join(names), LONGEST_NAME),
        portraits.pop() if len(portraits) == 1 else b"",
        one_line("; ".join(agreed), LONGEST_CONSENT),
    )


def named(identities: Mapping[str, IdentityEmbedding]) -> dict[str, IdentityEmbedding]:
    """Identities by the names of their people; by their sockets where no name is known, and with
    their sockets where two have one name."""
    names = {socket: label_of(each.person) for socket, each in identities.items()}
    known = list(names.values())
    labels = {
        socket: f"{name} ({socket})" if name and known.count(name) > 1 else name or socket
        for socket, name in names.items()
    }
    if len(set(labels.values())) < len(labels):  # somebody is called as a socket is
        return dict(identities)
    return {labels[socket]: identity for socket, identity in identities.items()}


def label_of(person: Person) -> str:
    """The name, short enough for a table; empty where none is known."""
    return one_line(person.name, LONGEST_LABEL)


def one_line(text: str, longest: int) -> str:
    """A text that can be shown anywhere, in one line, cut where it is too long."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= longest else f"{line[: longest - 3]}..."
