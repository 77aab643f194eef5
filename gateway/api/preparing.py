"""A write before it is taken: what it is aimed at, whether the caller may do it, and what goes into the inbox. Nothing is changed here.

First `aim`, then `prepare`: a transaction must know every entry's id before it can say what the references between its entries name.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import orjson
from fastapi import HTTPException

from gateway.api.access import Seen, View
from gateway.api.body_cost import check_elements
from gateway.api.conditional import check_version, names_a_version, only_match
from gateway.api.grants import Grant, grant
from gateway.api.requests import JSON_PATCH, Call, check_content_type, is_id, parameters
from gateway.api.selections import Budget
from gateway.api.services import Services
from gateway.errors import Conflict, Forbidden, Invalid, Malformed, NotFound
from gateway.fhir import elements, patch, validation
from gateway.fhir.outcome import Issue, Rejected
from gateway.fhir.parsing import parse, parse_json
from gateway.mappings.fhir.writes import check_claim, own_system, patient_of
from gateway.pipeline.received import Received
from gateway.smart.access import Caller
from gateway.smart.scopes import Interaction

Json = dict[str, Any]

WRITES: Mapping[str, tuple[str, ...]] = {
    "Appointment": ("create", "update", "patch", "delete"),
    "Communication": ("create", "update", "patch", "delete"),
    "Consent": ("create", "update", "patch"),
    "Task": ("update", "patch"),
}
"""What may be written over REST, by type; all else is what feeds said, or follows from it. A Consent is ended, not deleted: disclosures rest on it.
"""

KEEPERS: Mapping[str, tuple[str, ...]] = {"Consent": ("coordinator", "operator")}
"""The roles that alone may write a type, whatever a scope says: an agency that wrote Consents could permit itself what is withheld from it."""

_INTERACTIONS: Mapping[str, tuple[str, Interaction]] = {
    "POST": ("create", "c"),
    "PUT": ("update", "u"),
    "PATCH": ("patch", "u"),
    "DELETE": ("delete", "d"),
}
_IF_NONE_EXIST = "If-None-Exist"


class Write(NamedTuple):
    """One write as asked."""

    call: Call
    type: str
    leave: Grant
    body: Json  # the resource; {} of a patch or a deletion


class Aim(NamedTuple):
    """Which resource a write is about."""

    id: str
    current: Seen | None  # None: it is to be made
    key: str = ""  # of one that is to be made
    found: bool = False  # by a search: to answer is to show that it is there
    stands: bool = False  # If-None-Exist found it: there is nothing to do


class Prepared(NamedTuple):
    """A write that may be taken."""

    type: str
    id: str
    status: int  # of the answer, once it is taken
    received: Received


class Beside(NamedTuple):
    """The other writes of the same transaction: what they make and delete ("Task/17"), and what the references to them name."""

    made: Collection[str] = ()
    deleted: Collection[str] = ()
    names: Mapping[str, str] = {}


ALONE = Beside()


def asked(caller: Caller, call: Call) -> Write:
    """The write that a call asks for. Raises what the caller may not do at all, and what is no resource of the type."""
    type = call.path[0]
    interaction, letter = _INTERACTIONS[call.method]
    if interaction not in WRITES.get(type, ()):
        raise HTTPException(405)
    leave = grant(caller, type, letter)
    if caller.role not in KEEPERS.get(type, (caller.role,)):
        raise Forbidden("Only the coordinator keeps these", location=type, advice="Ask the coordinator to record it.")
    body: Json = {}
    if interaction == "patch":
        check_content_type(call, JSON_PATCH)
    elif interaction != "delete":
        check_content_type(call)
        body = parse(call.body)
        if body["resourceType"] != type:
            raise Malformed("The body is of another type than the address says", location="resourceType")
    return Write(call, type, leave, body)


def own_addresses(services: Services, body: Json) -> dict[str, str]:
    """What the body's references to addresses below our own base name: {"https://…/fhir/Patient/3": "Patient/3"}."""
    base = f"{services.fhir_url}/"
    literals = {reference["reference"] for _, reference in elements.references(body)}
    return {literal: literal.removeprefix(base) for literal in literals if literal.startswith(base)}


# --- which resource it is about ---------------------------------------------------------------------------------------


def aim(services: Services, caller: Caller, look: View, write: Write, again: bool = False, budget: Budget | None = None) -> Aim:
    """The resource that a write is about. Raises NotFound where it is to be changed and the caller sees none.

    `again`: it was tried before, and another was in the way. `budget` is that of several conditions together.
    """
    call, type = write.call, write.type
    if call.method == "POST":
        condition = call.header("if-none-exist")
        found = only_match(services, caller, look, type, parameters(condition), _IF_NONE_EXIST, budget) if condition else None
        return Aim(found.resource["id"], found, found=True, stands=True) if found else _new(services, caller, look, write, condition, again)
    if len(call.path) == 2:
        id = call.path[1]
        return Aim(id, _within(write, look.find(type, id) if is_id(id) else None, id))
    found = only_match(services, caller, look, type, call.parameters, type, budget)
    if found is None and call.method == "PUT" and "create" in WRITES[type] and "id" not in write.body:
        return _new(services, caller, look, write._replace(leave=grant(caller, type, "c")), repr(call.parameters), again)
    current = _within(write, found, "")
    return Aim(current.resource["id"], current, found=True)


def _within(write: Write, found: Seen | None, id: str) -> Seen:
    """What is found, if the scope's constraint reaches it; else it does not exist, whoever's it is."""
    if found is None or not write.leave.opens(found.resource):
        raise NotFound("There is no such resource", location=f"{write.type}/{id}" if is_id(id) else write.type)
    return found


def _new(services: Services, caller: Caller, look: View, write: Write, condition: str, again: bool) -> Aim:
    """A resource to be made. Its key follows from the condition, if there is one: of two that ask the same at the same time, one makes it, and the
    other finds it when it is tried again."""
    system = own_system(caller.organization or caller.client)
    value = uuid.uuid4().hex
    if condition and not again:
        subjects = sorted(repr(one) for one in elements.values(write.body, "subject.reference|patient.reference|participant.actor.reference"))
        value = hashlib.sha256(repr((system, write.type, condition, subjects)).encode()).hexdigest()[:32]
    key = f"{system}|{value}"
    return Aim(services.identify(write.type, key), None, key)


# --- whether it may be, and as what -----------------------------------------------------------------------------------


def prepare(services: Services, caller: Caller, look: View, write: Write, aim: Aim, beside: Beside = ALONE) -> Prepared:
    """The write as the journey takes it. Raises whatever speaks against it."""
    call, type = write.call, write.type
    if aim.current is not None:
        check_version(call, type, aim.current.number)
    if call.method == "DELETE":
        return _deletion(caller, call, type, aim)
    raw, sent, about = _wanted(write, aim)
    body, references = _linked(services, sent, beside)
    if references:
        about["references"] = orjson.dumps(references, option=orjson.OPT_SORT_KEYS).decode()
    check_elements(body)
    validation.check_written(body)
    if not write.leave.opens(body):
        raise Forbidden("The access token's scope does not reach this resource", location=type)
    current = aim.current.resource if aim.current is not None else {}
    if type == "Task":
        _check_task(caller, call, body, current)
    elif aim.current is not None:
        about["key"] = _own_key(caller, type, current)
        if patient_of(body) != patient_of(current):
            raise Invalid("A resource stays with its patient", location=type)
    else:
        patient_of(body)  # there is one, and one alone
        about |= {"key": aim.key, **({"if-none-match": "*"} if call.method == "PUT" or call.header("if-none-exist") else {})}
    _check_references(look, body, current, beside)
    if aim.current is not None:
        about["if-match"] = str(aim.current.number)
    received = Received("fhir-write", raw, about=_about(caller, call.method, type, aim.id, **about))
    return Prepared(type, aim.id, 200 if aim.current is not None else 201, received)


def _deletion(caller: Caller, call: Call, type: str, aim: Aim) -> Prepared:
    assert aim.current is not None  # `aim` finds it, or raises
    current = aim.current.resource
    key, patient = _own_key(caller, type, current), patient_of(current)
    about = _about(caller, call.method, type, aim.id, key=key, patient=patient, **{"if-match": str(aim.current.number)})
    return Prepared(type, aim.id, 204, Received("fhir-write", b"", about=about))


def _wanted(write: Write, aim: Aim) -> tuple[bytes, Json, dict[str, str]]:
    """The bytes for the inbox, the resource that is wanted, and what else the inbox should know of it."""
    call, type = write.call, write.type
    if call.method == "PATCH":
        assert aim.current is not None  # as above
        operations = parse_json(call.body)
        check_elements(operations)
        result = patch.apply(aim.current.resource, operations)
        if (result.get("resourceType"), result.get("id")) != (type, aim.id):
            raise Invalid("A patch leaves type and id as they are", location=f"{type}.id")
        return orjson.dumps(result), result, {"patch": call.body.decode("utf-8", "replace")}
    named = write.body.get("id")
    if call.method == "PUT" and aim.current is not None and named != aim.id and not (named is None and len(call.path) == 1):
        raise Malformed("The body's id is not the one in the address", location=f"{type}.id")
    return call.body, write.body, {}


def _linked(services: Services, sent: Json, beside: Beside) -> tuple[Json, dict[str, str]]:
    """The body with its references as we write them, and what had to be replaced for it."""
    names = {**own_addresses(services, sent), **beside.names}
    references = {literal: names[literal] for literal in _links(sent) & names.keys()} if names else {}
    return elements.relinked(sent, references), references


def _links(body: Json) -> set[str]:
    """Every value of a body that may name another resource: references, and whatever else is a urn."""
    found = {reference["reference"] for _, reference in elements.references(body)}
    stack: list[Any] = [body]
    while stack:
        node = stack.pop()
        if isinstance(node, str) and node.startswith("urn:"):
            found.add(node)
        elif isinstance(node, (dict, list)):
            stack += node.values() if isinstance(node, dict) else node
    return found


def _check_task(caller: Caller, call: Call, body: Json, current: Json) -> None:
    """An agency writes its own Task; to take one on, it must say which version it saw: two must not both believe that they have the client."""
    owner = elements.relative(str(current.get("owner", {}).get("reference", "")))
    if caller.role == "agency" and owner != f"Organization/{caller.organization}":
        raise Forbidden("This Task is not the caller's to answer", location="Task.owner")
    claims = current.get("status") == "requested" and body.get("status") == "accepted"
    if claims and not names_a_version(call):
        if call.header("if-match"):
            raise Malformed("To accept a Task, name the version that was read: any is none", location="If-Match")
        raise Conflict("To accept a Task, say which version was read", location="If-Match", advice='Send If-Match: W/"version".')
    check_claim(body, current)


def _own_key(caller: Caller, type: str, current: Json) -> str:
    """The key under which the caller's organization made the resource. Raises Forbidden where somebody else did."""
    system = own_system(caller.organization or caller.client)
    for identifier in elements.values(current, "identifier"):
        if isinstance(identifier, dict) and identifier.get("system") == system:
            return f"{system}|{identifier['value']}"
    raise Forbidden("Somebody else keeps this resource", location=type, advice="Only who made it here changes it here.")


def _check_references(look: View, resource: Json, current: Json, beside: Beside) -> None:
    """Every reference that a write brings names something that the caller sees: what does not exist and what is another's are told alike."""
    stand = {reference["reference"] for _, reference in elements.references(current)} - {*beside.deleted}
    issues = []
    for place, reference in elements.references(resource):
        literal = reference["reference"]
        if literal.startswith("#") or literal in stand:
            continue
        plain = elements.relative(literal)
        type, _, id = plain.partition("/")
        if plain in beside.deleted or (plain not in beside.made and (not id or look.find(type, id) is None)):
            issues.append(Issue("not-found", "This refers to nothing that the caller can read here.", f"{place}.reference"))
    if issues:
        raise Rejected(issues)


def _about(caller: Caller, method: str, type: str, id: str, **more: str) -> dict[str, str]:
    """What the inbox keeps of a write beside its body."""
    return {
        "method": method,
        "type": type,
        "id": id,
        "path": f"{type}/{id}",
        "client": caller.client,
        "role": caller.role,
        "organization": caller.organization,
        "recipient": caller.recipient,
        "sender": f"{caller.role}/{caller.organization or caller.client}",
        **({"user": caller.user} if caller.user else {}),
        **more,
    }
