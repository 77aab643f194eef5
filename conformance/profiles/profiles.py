"""The validator: load a package once, then check resources with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson

from conformance.profiles import constraints, meaning, walk
from conformance.profiles.findings import Finding, in_order
from conformance.profiles.items import resource_type
from conformance.profiles.meaning import Presence
from conformance.profiles.model import Model
from conformance.profiles.run import Run
from conformance.profiles.terminology import Terminology
from gateway.errors import NotFound, Usage

Json = dict[str, Any]

BUILT_IN = ("us-core-6.1.0",)
"""The packages whose tables are in this one."""


@cache
def table(name: str) -> Json:
    """The tables of R4 (`r4`) or of a package that is built in."""
    return dict(orjson.loads(files("conformance.profiles").joinpath("tables", f"{name}.json").read_bytes()))


def load(package: str | Path = "us-core-6.1.0") -> Profiles:
    """The validator for a package: one that is built in by name, any other from its tgz.

    Raises `Usage` if there is neither, or the file is no FHIR package.
    """
    if str(package) in BUILT_IN:
        return Profiles(str(package), table("r4"), table(str(package)))
    path = Path(package)
    if not path.is_file():
        raise Usage("There is no such package", advice=f"Name one of {', '.join(BUILT_IN)}, or the .tgz of an implementation guide.")
    from conformance.profiles.packages import read

    return Profiles(path.name, table("r4"), read(path, table("r4")))


class Profiles:
    """R4 and one package's profiles. Checking changes nothing but what is remembered, so one may serve many threads."""

    def __init__(self, name: str, base: Json, tables: Json) -> None:
        self.name = name
        self._model = Model(base, tables)
        self._terminology = Terminology(base, tables)
        self._urls = sorted(tables["profiles"])

    def check(self, resource: Any, profiles: Sequence[str] = (), *, meant: bool = False) -> list[Finding]:
        """What is wrong with a resource: with its type, the profiles that it claims and are known, and those that are given.

        With `meant`, a resource without any of those is held to the profiles that it is meant for. Resources in a Bundle are checked with what
        each of them claims. Any JSON has an answer; a deep one is refused.
        """
        if not self._is_resource(resource):
            return [Finding("error", "resourceType", "structure", "This is no resource type of R4.")]
        run = self._run(resource)
        try:
            walk.resource(run, resource["resourceType"], resource)
            self._against_profiles(run, resource["resourceType"], resource, profiles, meant)
        except RecursionError:
            run.error(resource["resourceType"], "structure", "The resource is nested too deeply to be read.")
        return in_order(run.found)

    def held_to(self, resource: Json, profiles: Sequence[str] = ()) -> list[str]:
        """The known profiles that a resource claims, and those that are given; if there are none, those that it is meant for."""
        return [url for url in (*_claims(resource), *profiles) if self._model.knows(url)] or self.meant_for(resource)

    def canonical(self, name: str) -> str:
        """The canonical URL of a profile of the package, given that or its last part (`us-core-patient`).

        Raises `Usage` for a profile that is not in the package.
        """
        found = [url for url in self._urls if url == name.partition("|")[0] or url.rpartition("/")[2] == name]
        if not found:
            raise Usage(f"{self.name} has no such profile", advice="Give its canonical URL, or the last part of it.")
        return str(found[0])

    def _is_resource(self, value: Any) -> bool:
        return resource_type(value) in self._model.resources

    def _run(self, resource: Json) -> Run:
        return Run(self._model, self._terminology, resource, resource, _entries(resource))

    def _against_profiles(self, run: Run, location: str, resource: Json, profiles: Sequence[str], meant: bool) -> None:
        urls = [*dict.fromkeys((*_claims(resource), *profiles))]
        if meant and not any(map(self._model.knows, urls)):
            urls += self.meant_for(resource)
        for url in urls:
            self._against(run, location, resource, url)
        for number, inner in _items(resource, "contained"):
            if self._is_resource(inner):
                self._against_profiles(run.within(inner, resource), f"{location}.contained[{number}]", inner, (), False)
        for number, entry in _items(resource, "entry"):
            held = entry.get("resource")
            if isinstance(held, dict) and self._is_resource(held):
                self._against_profiles(run.within(held), f"{location}.entry[{number}].resource", held, (), meant)

    def _against(self, run: Run, location: str, resource: Json, url: str) -> None:
        if not self._model.knows(url):
            run.say("information", f"{location}.meta.profile", "profile", f"The profile {url} is not in the package; it was not checked.")
            return
        profile = self._model.profile(url)
        if profile.type != resource["resourceType"]:
            run.error(location, "profile", f"The profile {url} is for {profile.type}.")
            return
        constraints.check(run.under(url), location, profile.root, resource)

    def for_type(self, resource_type: str) -> list[str]:
        """The canonical URLs of the package's profiles for a resource type."""
        return [url for url in self._urls if self._model.type_of(url) == resource_type]

    def meant_for(self, resource: Json) -> list[str]:
        """The profiles of a resource's type whose discriminating codes it has.

        A profile is told by the values that it requires of `category`, `code` and `type` (fixed, a pattern, or a slice that must be there), and
        by a `category` or `patient` that it alone requires; one that requires nothing is meant for every resource of the type. Where the value sets
        of `code` tell more, the profiles whose value set has the code.
        """
        profiles = [self._model.profile(url) for url in self.for_type(resource_type(resource))]
        return [profile.url for profile in meaning.meant(self._run(resource), profiles, resource)]

    def presence(self, resource: Json, profile: str) -> list[Presence]:
        """How often each must-support element of a profile is in a resource.

        Raises `NotFound` for a profile that is not in the package.
        """
        if not self._model.knows(profile):
            raise NotFound("The package has no such profile", advice="Give a canonical URL that the package has for this type.")
        return meaning.presence(self._run(resource), self._model.profile(profile), resource)


def _claims(resource: Json) -> list[str]:
    meta = resource.get("meta")
    claimed = meta.get("profile") if isinstance(meta, dict) else None
    return [one.partition("|")[0] for one in claimed if isinstance(one, str)] if isinstance(claimed, list) else []


def _items(value: Json, name: str) -> Iterator[tuple[int, Json]]:
    """The objects of a list, with their numbers."""
    found = value.get(name)
    return ((number, one) for number, one in enumerate(found if isinstance(found, list) else ()) if isinstance(one, dict))


def _entries(resource: Json) -> dict[str, Json]:
    """The resources of a Bundle by fullUrl and by `Type/id`."""
    found: dict[str, Json] = {}
    for _, entry in _items(resource, "entry") if resource.get("resourceType") == "Bundle" else ():
        inner = entry.get("resource")
        if isinstance(inner, dict):
            found[f"{inner.get('resourceType')}/{inner.get('id')}"] = inner
            if isinstance(entry.get("fullUrl"), str):
                found[entry["fullUrl"]] = inner
    return found
