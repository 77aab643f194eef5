"""What a reference points at, as far as the reference, the resource and the Bundle around it tell.

Source: HL7 FHIR R4, 2.3.0 References (literal, contained, logical), 2.36.4 Resolving references in Bundles.
"""

from __future__ import annotations

import re
from typing import Any

from conformance.profiles.model import Type
from conformance.profiles.run import Run

Json = dict[str, Any]

_LITERAL = re.compile(r"(?:(?:http|https)://[^\s?#]+/|/)?([A-Z][A-Za-z]+)(?:/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?|\?\S+)")
_UNTYPED = re.compile(r"urn:(?:uuid:[0-9a-fA-F-]{36}|oid:[0-2](?:\.\d+)+)|https?://\S+|[A-Za-z][A-Za-z0-9+.-]*:\S+")


def target(run: Run, reference: Json) -> Json | None:
    """The resource that a literal reference points at, if it is contained or in the Bundle."""
    literal = reference.get("reference")
    if not isinstance(literal, str):
        return None
    if literal == "#":
        return run.container
    if literal.startswith("#"):
        contained = run.container.get("contained")
        inside = contained if isinstance(contained, list) else []
        return next((one for one in inside if isinstance(one, dict) and one.get("id") == literal[1:]), None)
    return run.entries.get(literal) or run.entries.get(literal.partition("/_history/")[0])


def target_type(run: Run, reference: Json) -> str:
    """The type that a reference points at; "" if it does not tell."""
    if (found := target(run, reference)) is not None:
        return str(found.get("resourceType"))
    literal, stated = reference.get("reference"), reference.get("type")
    if isinstance(literal, str) and (match := _LITERAL.fullmatch(literal)) and match[1] in run.model.resources:
        return match[1]
    return stated if isinstance(stated, str) else ""


def literal(run: Run, location: str, reference: Json) -> None:
    """A literal reference has one of R4's forms, agrees with its type, and what it says to be inside is there."""
    text = reference.get("reference")
    if not isinstance(text, str):
        return
    match = _LITERAL.fullmatch(text)
    if text.startswith("#"):
        if target(run, reference) is None:
            run.error(f"{location}.reference", "ref-1", "The resource contains nothing of this id.")
    elif not match and not _UNTYPED.fullmatch(text):
        run.error(f"{location}.reference", "reference", "This is not a literal reference as R4 writes it.")
    elif match and match[1] not in run.model.resources and not text.startswith("http"):
        run.error(f"{location}.reference", "reference", "The reference names no resource type of R4.")
    elif run.entries and text.startswith("urn:") and text not in run.entries:
        run.say("warning", f"{location}.reference", "reference", "The Bundle has no entry of this fullUrl.")
    stated = reference.get("type")
    if match and isinstance(stated, str) and match[1] in run.model.resources and stated in run.model.resources and stated != match[1]:
        run.error(f"{location}.type", "reference", "The reference's type and its literal disagree.")


def allowed(run: Run, location: str, reference: Json, kind: Type) -> None:
    """A reference points at one of the types that are allowed here, where that can be told."""
    found = target_type(run, reference)
    if not kind.targets or found not in run.model.resources:
        return
    types = [run.model.type_of(one) for one in kind.targets]
    if found not in types and "Resource" not in types and "" not in types and not ("DomainResource" in types and found not in _NOT_DOMAIN):
        run.error(location, "reference", f"A reference to {' or '.join(dict.fromkeys(types))} is wanted here, not to {found}.")


_NOT_DOMAIN = ("Bundle", "Parameters", "Binary")
