"""The validator: load a package once, then check resources with it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson

from conformance.profiles import constraints, meaning, walk
from conformance.profiles.findings import Finding, in_order
from conformance.profiles.meaning import Presence
from conformance.profiles.model import Model
from conformance.profiles.run import Run
from conformance.profiles.terminology import Terminology
from gateway.errors import NotFound

Json = dict[str, Any]

BUILT_IN = ("us-core-6.1.0",)
"""The packages whose tables are in this one."""


@cache
def _table(name: str) -> Json:
    return dict(orjson.loads(files("conformance.profiles").joinpath("tables", f"{name}.json").read_bytes()))


def load(package: str | Path = "us-core-6.1.0") -> Profiles:
    """The validator for a package: one that is built in by name, any other from its tgz.

    Raises `NotFound` if there is neither, `Invalid` if the file is no FHIR package.
    """
    if str(package) in BUILT_IN:
        return Profiles(str(package), _table("r4"), _table(str(package)))
    path = Path(package)
    if not path.is_file():
        raise NotFound("There is no such package", advice=f"Name one of {', '.join(BUILT_IN)}, or the .tgz of an implementation guide.")
    from conformance.profiles.packages import definitions, package_tables

    return Profiles(path.name, _table("r4"), package_tables(definitions(path), _table("r4")))


class Profiles:
    """R4 and one package's profiles. Checking changes nothing but what is remembered, so one may serve many threads."""

    def __init__(self, name: str, base: Json, tables: Json) -> None:
        self.name = name
        self._model = Model(base, tables)
        self._terminology = Terminology(base, tables)
        self._urls = sorted(tables["profiles"])

    def check(self, resource: Any, profiles: Sequence[str] = ()) -> list[Finding]:
        """What is wrong with a resource: with its type, the profiles that it claims and are known, and those that are given.

        Resources in a Bundle are checked with what each of them claims. Any JSON has an answer.
        """
        if not isinstance(resource, dict) or resource.get("resourceType") not in self._model.resources:
            return [Finding("error", "resourceType", "structure", "This is no resource type of R4.")]
        run = self._run(resource)
        try:
            walk.resource(run, resource["resourceType"], resource)
            self._claims(run, resource["resourceType"], resource, profiles)
        except RecursionError:
            run.error(resource["resourceType"], "structure", "The resource is nested too deeply to be read.")
        return in_order(run.found)

    def _run(self, resource: Json) -> Run:
        return Run(self._model, self._terminology, resource, resource, _entries(resource))

    def _claims(self, run: Run, location: str, resource: Json, profiles: Sequence[str] = ()) -> None:
        meta = resource.get("meta")
        claimed = meta.get("profile") if isinstance(meta, dict) else None
        claims = [one.partition("|")[0] for one in claimed if isinstance(one, str)] if isinstance(claimed, list) else []
        for url in dict.fromkeys((*claims, *profiles)):
            self._against(run, location, resource, url)
        for name in ("contained", "entry"):
            inside = resource.get(name)
            for number, one in enumerate(inside if isinstance(inside, list) else ()):
                inner = one.get("resource") if name == "entry" and isinstance(one, dict) else one
                if isinstance(inner, dict) and inner.get("resourceType") in self._model.resources:
                    within = run.within(inner, resource if name == "contained" else None)
                    self._claims(within, f"{location}.{name}[{number}]{'.resource' if name == 'entry' else ''}", inner)

    def _against(self, run: Run, location: str, resource: Json, url: str) -> None:
        if not self._model.knows(url):
            run.say("information", f"{location}.meta.profile", "profile", f"The profile {url} is not in {self.name}; it was not checked.")
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

        A profile is told by the values that it requires of `category`, `code` and `type` (fixed, a pattern, or a slice that must be there); one
        that requires none is meant for every resource of the type.
        """
        urls = self.for_type(str(resource.get("resourceType")))
        return [url for url in urls if meaning.is_meant(self._run(resource), self._model.profile(url), resource)]

    def presence(self, resource: Json, profile: str) -> list[Presence]:
        """How often each must-support element of a profile is in a resource.

        Raises `NotFound` for a profile that is not in the package.
        """
        if not self._model.knows(profile):
            raise NotFound("The package has no such profile", advice="Give a canonical URL that the package has for this type.")
        return meaning.presence(self._run(resource), self._model.profile(profile), resource)


def _entries(resource: Json) -> dict[str, Json]:
    """The resources of a Bundle by fullUrl and by `Type/id`."""
    found: dict[str, Json] = {}
    entries = resource.get("entry") if resource.get("resourceType") == "Bundle" else None
    for entry in entries if isinstance(entries, list) else ():
        inner = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(inner, dict):
            found[f"{inner.get('resourceType')}/{inner.get('id')}"] = inner
            if isinstance(entry.get("fullUrl"), str):
                found[entry["fullUrl"]] = inner
    return found
