"""Extensions: what the tables know of them, where they may stand, and what stands in them.

Source: HL7 FHIR R4, 2.4 Extensibility; StructureDefinition.context.
"""

from __future__ import annotations

from typing import Any

from conformance.profiles import constraints
from conformance.profiles.facts import BASE
from conformance.profiles.model import Profile
from conformance.profiles.run import Run

Json = dict[str, Any]


def check(run: Run, location: str, host: Json, paths: tuple[str, ...], kind: str) -> None:
    """Check the extensions of an element: `paths` are what contexts may call it, `kind` is its type."""
    for name in ("extension", "modifierExtension"):
        found = host.get(name)
        for number, one in enumerate(found if isinstance(found, list) else ()):
            if isinstance(one, dict) and isinstance(one.get("url"), str):
                _one(run, f"{location}.{name}[{number}]", one, {*paths, *run.model.line(kind)}, modifier=name == "modifierExtension")


def _one(run: Run, location: str, value: Json, hosts: set[str], *, modifier: bool) -> None:
    url = value["url"]
    has_value = any(name.startswith(("value", "_value")) for name in value if isinstance(name, str))
    if has_value == ("extension" in value):
        run.error(location, "ext-1", "An extension has either a value or extensions, not both and not neither.")
    if not run.model.knows(url):
        _unknown(run, location, url, modifier)
        return
    profile = run.model.profile(url)
    if modifier != profile.modifier:
        wanted = "modifierExtension" if profile.modifier else "extension"
        run.error(location, "extension", f"The extension {url} stands in {wanted}.")
    if profile.context and hosts.isdisjoint(profile.context):
        run.error(location, "extension", f"The extension {url} may stand on {', '.join(profile.context)} only.")
    constraints.check(run.under(url), location, profile.root, value)
    _parts(run, location, value, profile)


def _unknown(run: Run, location: str, url: str, modifier: bool) -> None:
    if modifier:
        run.error(location, "extension", "A modifier extension that is not known makes the resource unsafe to read.")
    elif url.startswith((BASE, "http://hl7.org/fhir/us/core/")):
        run.say("warning", location, "extension", "The extension is of HL7's, but not one of R4 or of this package.")
    elif ":" in url:
        run.say("information", location, "extension", "The extension is not known to this package.")


def _parts(run: Run, location: str, value: Json, profile: Profile) -> None:
    """Extensions inside with a relative URL are named by the extension around them."""
    parts = profile.root.elements.get("extension")
    names = {one.elements["url"].fixed for one in parts.slices.values() if "url" in one.elements} if parts else set()
    inside = value.get("extension")
    for number, one in enumerate(inside if isinstance(inside, list) else ()):
        url = one.get("url") if isinstance(one, dict) else None
        if isinstance(url, str) and ":" not in url and url not in names:
            run.error(f"{location}.extension[{number}]", "extension", f"The extension {profile.url} has no part of this name.")
