"""The OpenAPI 3.1 description of everything that programs ask of the gateway.

Made when it is first asked for, from what is registered: the routes; the CapabilityStatement, which has the types, their interactions, operations and
search parameters; and what neither of them says, which stands in `openapi.csv` (a row for each interaction or address) and `openapi.toml` (what
the rows name). An address that is not served is not described, and a test holds that no other is left out.
"""

from __future__ import annotations

import asyncio
import csv
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Any, NamedTuple

import orjson
from fastapi import APIRouter, FastAPI, Request, Response
from starlette.routing import Match

from gateway import __version__
from gateway.fhir import search
from gateway.fhir.validation import bound_elements
from gateway.smart import discovery

Json = dict[str, Any]
Served = Callable[[str, str], bool]
"""Whether a route answers to this method ("GET") at this address, in which {id} is a step like another."""

_TYPED = "{type}"
_PATTERNS = {"date": r"^(eq|ne|gt|lt|ge|le|sa|eb|ap)?[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T[0-9:.]+(Z|[+-][0-9:]+)?)?)?)?$"}
"""Of a search parameter's kind: how its values are written, where that can be said."""
_RESULTS = ("_count", "_cursor", "_sort", "_total", "_has", "_summary", "_elements", "_format", "_pretty")
_PLAIN_RESULTS = ("_id", "_format")
_ABOUT = (
    "FHIR R4, the feed of transitions, HL7 v2 over HTTP and the SMART authorization server. What answers GET answers HEAD. Beside the search "
    "parameters that are listed there are chains (patient.identifier), _has, and :[type] behind a reference."
)


class Row(NamedTuple):
    """A line of `openapi.csv`."""

    of: str  # "code:read", "member:conditionalUpdate", "operation:validate": of each type that the CapabilityStatement says so of; "" of one address
    method: str
    path: str
    kind: str
    parameters: str
    body: str
    answers: str  # "200:resource 304"
    errors: str
    summary: str


def add(routes: APIRouter, base_url: str, statement: Json) -> None:
    """Serve the description at /openapi.json. It is made when somebody asks."""

    @cache
    def described(app: FastAPI) -> bytes:
        def served(method: str, path: str) -> bool:
            scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
            return any(route.matches(scope)[0] is Match.FULL for route in app.routes)

        return orjson.dumps(description(base_url, served, statement))

    async def answer(request: Request) -> Response:
        told = await asyncio.to_thread(described, request.app)
        return Response(told, media_type="application/json", headers={"Cache-Control": "max-age=300"})

    routes.add_api_route("/openapi.json", answer, methods=["GET", "HEAD"], include_in_schema=False)


def description(base_url: str, served: Served, statement: Json) -> Json:
    """The description of a gateway that is reached at `base_url`, with this CapabilityStatement."""
    tables = tomllib.loads(_table("openapi.toml"))
    about = {each["type"]: each for each in statement["rest"][0]["resource"]}
    paths: dict[str, Json] = {}
    rows = [Row(**row) for row in csv.DictReader(_table("openapi.csv").splitlines())]
    for row in rows:
        for made, type in _of_types(row, about):
            if served(made.method.upper(), made.path):
                paths.setdefault(made.path, {})[made.method] = _operation(tables, made, about.get(type, {}))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Care-transition gateway",
            "version": __version__,
            "description": _ABOUT,
        },
        "servers": [{"url": base_url}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {**tables["schemas"], **_schemas(about)},
            "responses": _failures(tables, rows),
            "parameters": {key: each for said in about.values() for key, each in _criteria(said).items()},
            "securitySchemes": _security(base_url),
        },
    }


def _table(name: str) -> str:
    return files("gateway.api").joinpath(name).read_text("utf-8")


def _of_types(row: Row, about: Mapping[str, Json]) -> Iterator[tuple[Row, str]]:
    """The row for each type that it is served for, with the type; an address that is no type's as it is."""
    if not row.of:
        yield row, ""
        return
    what, _, name = row.of.partition(":")
    for type, said in about.items():
        offers = {
            "code": name in {each["code"] for each in said["interaction"]},
            "member": name in said,
            "operation": name in {each["name"] for each in said.get("operation", ())},
            "compartment": "patient" in search.parameters(type),
        }
        if offers[what]:
            yield row._replace(path=row.path.replace(_TYPED, type), summary=row.summary.replace(_TYPED, type)), type


# --- one operation ----------------------------------------------------------------------------------------------------


def _operation(tables: Json, row: Row, said: Json) -> Json:
    """What is asked and answered at one address by one method; `said` is what the CapabilityStatement says of its type."""
    type, kind = said.get("type", ""), tables["kinds"][row.kind]
    made: Json = {"operationId": _name(row), "summary": row.summary, "tags": [type or row.kind]}
    if parameters := _parameters(tables, row, said):
        made["parameters"] = parameters
    if row.body:
        made["requestBody"] = {"required": row.body != "form", "content": _content(tables, row.body, type)}
    made["responses"] = _responses(tables, row, type)
    made["security"] = [{"smart": []}] if kind.get("token") else []
    return made


def _name(row: Row) -> str:
    """A name that no other operation has: get_fhir_Task_id."""
    return "_".join([row.method, *re.findall(r"[\w-]+", row.path)])


def _content(tables: Json, names: str, type: str) -> Json:
    """What a body holds: one of `contents`, or several, joined by +, of the same media type."""
    found = [tables["contents"][name] for name in names.split("+")]
    schemas = [{"$ref": f"#/components/schemas/{schema.replace(_TYPED, type)}"} for _, schema in found]
    return {found[0][0]: {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}}


def _responses(tables: Json, row: Row, type: str) -> Json:
    """What a row's answers hold, and the errors that it or its kind can give; one number may be both."""
    kind = tables["kinds"][row.kind]
    made: dict[str, Json] = {status: {"$ref": f"#/components/responses/{_key(status, kind['error'])}"} for status in _errors(kind, row)}
    for status, _, name in (each.partition(":") for each in row.answers.split()):
        answer = _answer(tables, status, name, type)
        if status in made:
            answer["content"] |= _content(tables, kind["error"], "")
        made[status] = answer
    return dict(sorted(made.items()))


def _errors(kind: Json, row: Row) -> set[str]:
    return {*map(str, kind["errors"]), *map(str, kind["with_body"] if row.body else ()), *row.errors.split()}


def _key(status: str, name: str) -> str:
    return f"{name}-{status}"


def _answer(tables: Json, status: str, name: str, type: str = "") -> Json:
    return {"description": HTTPStatus(int(status)).phrase, **({"content": _content(tables, name, type)} if name else {})}


def _failures(tables: Json, rows: list[Row]) -> Json:
    """The errors that any address may give, once for all."""
    pairs = {(status, kind["error"]) for row in rows for kind in [tables["kinds"][row.kind]] for status in _errors(kind, row)}
    return {_key(status, name): _answer(tables, status, name) for status, name in sorted(pairs)}


# --- parameters -------------------------------------------------------------------------------------------------------


def _parameters(tables: Json, row: Row, said: Json) -> list[Json]:
    made: list[Json] = []
    for name in row.parameters.split():
        if name in ("search", "criteria"):
            made += [{"$ref": f"#/components/parameters/{key}"} for key in _criteria(said)]
            made += _results(tables, said) if name == "search" else []
        else:
            made.append(_parameter(tables, name))
    return made


def _parameter(tables: Json, name: str) -> Json:
    said = tables["parameters"][name]
    return {"name": name, **said, **({"required": True} if said["in"] == "path" else {})}


def _results(tables: Json, said: Json) -> list[Json]:
    """How the results of a search are given."""
    criteria = {each["name"] for each in said.get("searchParam", ())}
    made = [_parameter(tables, name) for name in (_RESULTS if search.parameters(said["type"]) else _PLAIN_RESULTS) if name not in criteria]
    for name, listed in (("_include", said.get("searchInclude")), ("_revinclude", said.get("searchRevInclude"))):
        if listed:
            made.append({"name": name, "in": "query", "schema": {"type": "array", "items": {"enum": listed}}})
    return made


def _criteria(said: Json) -> dict[str, Json]:
    """The search parameters of a type, by themselves and with each modifier; types behind a reference are not listed."""
    made = {}
    for each in said.get("searchParam", ()):
        modifiers = search.MODIFIERS[each["type"]] if each["name"] in search.parameters(said["type"]) else ("",)
        for modifier in modifiers:
            name = f"{each['name']}:{modifier}" if modifier else each["name"]
            made[f"{said['type']}.{name.replace(':', '.')}"] = {"name": name, "in": "query", "schema": _value(each["type"], modifier)}
    return made


def _value(kind: str, modifier: str) -> Json:
    if modifier == "missing":
        return {"enum": ["true", "false"]}
    return {"type": "string", "minLength": 1, **({"pattern": _PATTERNS[kind]} if kind in _PATTERNS else {})}


# --- what is shared ---------------------------------------------------------------------------------------------------


def _schemas(about: Mapping[str, Json]) -> Json:
    """Of each type: a resource as it is given, and one as it is sent, with what R4 requires of it and binds to codes."""
    made: Json = {}
    for type in about:
        name: Json = {"resourceType": {"const": type}}
        made[type] = {"type": "object", "required": ["resourceType"], "properties": {**name, "id": {"type": "string"}, "meta": {"type": "object"}}}
        codes = {element: _one_or_more(sorted(allowed)) for element, allowed in bound_elements(type) if "." not in element}
        made[f"New{type}"] = {"type": "object", "required": ["resourceType"], "properties": {**name, **codes}}
    return made


def _one_or_more(codes: list[str]) -> Json:
    """The tables do not say which elements repeat."""
    return {"anyOf": [{"enum": codes}, {"type": "array", "items": {"enum": codes}}]}


def _security(base_url: str) -> Json:
    token = discovery.token_url(base_url)
    scopes = {
        "system/*.rs": "for a backend service, as far as it is registered",
        "patient/*.rs": "for an app, of one client",
        "user/*.rs": "for an app",
    }
    system, app = ({name: words for name, words in scopes.items() if name.startswith("system") is wanted} for wanted in (True, False))
    return {
        "smart": {
            "type": "oauth2",
            "description": "SMART App Launch 2.2: backend services prove themselves by private_key_jwt; apps are let in by people, with PKCE (S256).",
            "flows": {
                "clientCredentials": {"tokenUrl": token, "scopes": system},
                "authorizationCode": {"authorizationUrl": f"{base_url}{discovery.AUTHORIZE}", "tokenUrl": token, "refreshUrl": token, "scopes": app},
            },
        }
    }
