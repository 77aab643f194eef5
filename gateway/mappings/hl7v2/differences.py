"""Two translations of nearly the same message -> what differs in what they say, by the paths of the first."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from gateway.records.statements import Json, Translation

_IDENTITY = ("id", "reference")
_HEADING = {"recorded": "Provenance.recorded", "recorded_from": "Provenance.recorded"}


@dataclass(frozen=True, slots=True)
class Said:
    """What one translation says: resources by type in the Bundle's order, and what stands beside them."""

    resources: dict[str, list[Json]]
    deleted: dict[str, Any]  # "Patient.birthDate": an element that `""` takes away
    facts: dict[str, Any]  # by kind of subject: what is known of each beside its resource, and the keys under which it is known
    heading: dict[str, Any]

    @classmethod
    def of(cls, translation: Translation, made: Json) -> Said:
        """Of a translation and the Bundle that it becomes."""
        resources: dict[str, list[Json]] = {}
        for entry in made["entry"]:
            resources.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"])
        deleted: dict[str, Any] = {}
        facts: dict[str, Any] = {}
        for one in translation.statements:
            deleted |= {f"{one.own['resourceType']}.{element}": True for element in one.deletes} if one.own else {}
            facts[one.kind] = [*facts.get(one.kind, []), {**one.facts, "retires": one.retires}]
        return cls(resources, deleted, facts, asdict(translation.heading))


class Differences(NamedTuple):
    """`elements`: FHIR paths in the first Bundle; `beside`: facts and heading, where no element differs; `added`: a resource that the first lacks."""

    elements: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    added: bool = False


def differences(first: Said, second: Said, values: Collection[str]) -> Differences:
    """What differs. `values` are what was changed in the message: of an element that is gone whole, the part that said it is named.

    Ids and what references point at follow from keys, so that they count only where no content differs: then the value is what tells one
    subject from another.
    """
    found = _among(first, second, values, identity=False)
    elements = [path for path, how in found if how != "more"] or [path for path in first.deleted if path not in second.deleted]
    elements = elements or [path for path, _ in found]
    if not elements:
        found = _among(first, second, values, identity=True)
        elements = [path for path, _ in found if path.endswith(".id")] or [path for path, _ in found]
    if elements:
        return Differences(tuple(dict.fromkeys(elements)))
    added = any(len(resources) > len(first.resources.get(kind, ())) for kind, resources in second.resources.items())
    beside = [path for kind in first.facts for path, _ in _changed(first.facts[kind], second.facts.get(kind), kind, values, identity=True)]
    beside += [_HEADING.get(name, f"heading.{name}") for name, said in first.heading.items() if said != second.heading[name]]
    return Differences((), tuple(dict.fromkeys(beside)), added)


def _among(first: Said, second: Said, values: Collection[str], identity: bool) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for kind, resources in first.resources.items():
        found += _each(resources, second.resources.get(kind, []), kind, values, identity, several=len(resources) > 1)
    return found


def _changed(old: Any, new: Any, path: str, values: Collection[str], identity: bool) -> Iterator[tuple[str, str]]:
    """(path, "changed" | "gone" | "more") of what differs; ids and what references point at only with `identity`."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for name, said in old.items():
            if not identity and name in _IDENTITY and isinstance(said, str) and isinstance(new.get(name), str):
                continue
            if name in new:
                yield from _changed(said, new[name], f"{path}.{name}", values, identity)
            else:
                yield from _gone(said, f"{path}.{name}", values)
        if len(new) > len(old) or any(name not in old for name in new):
            yield path, "more"
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple):
        yield from _each(old, new, path, values, identity)
        if len(new) > len(old):
            yield path, "more"
    else:
        yield path, "changed"


def _each(old: Any, new: Any, path: str, values: Collection[str], identity: bool, several: bool = True) -> Iterator[tuple[str, str]]:
    """Two lists, item by item; of lists of different length, what is alike at both ends is set aside first."""
    start, end = (0, 0) if len(old) == len(new) else _alike_at_ends(old, new, identity)
    rest = new[start : len(new) - end]
    for position, said in enumerate(old[start : len(old) - end]):
        here = f"{path}[{start + position}]" if several else path
        yield from _changed(said, rest[position], here, values, identity) if position < len(rest) else _gone(said, here, values)


def _alike_at_ends(old: Any, new: Any, identity: bool) -> tuple[int, int]:
    """How many items two lists share at their start, and how many of the rest at their end."""
    shorter = min(len(old), len(new))
    start = next((at for at in range(shorter) if not _alike(old[at], new[at], identity)), shorter)
    end = next((at for at in range(shorter - start) if not _alike(old[-1 - at], new[-1 - at], identity)), shorter - start)
    return start, end


def _alike(old: Any, new: Any, identity: bool) -> bool:
    return next(_changed(old, new, "", "", identity), None) is None


def _gone(said: Any, path: str, values: Collection[str]) -> Iterator[tuple[str, str]]:
    """An element that is gone whole: by the leaves that say one of `values`, else as it is."""
    named = [leaf for leaf, text in _leaves(said, path) if text in values]
    for leaf in named or [path]:
        yield leaf, "gone"


def _leaves(said: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(said, dict):
        for name, inner in said.items():
            yield from _leaves(inner, f"{path}.{name}")
    elif isinstance(said, list | tuple):
        for position, inner in enumerate(said):
            yield from _leaves(inner, f"{path}[{position}]")
    else:
        yield path, str(said)
