"""JSON Patch case by case: what RFC 6902 and RFC 6901 say, appendix examples and known traps, and what one patch may not make."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from gateway.errors import Conflict, GatewayError, Invalid, Malformed, TooLarge
from gateway.fhir import patch

Json = dict[str, Any]


def op(name: str, path: Any, *value: Any, **more: Any) -> Json:
    return {"op": name, "path": path, **({"value": value[0]} if value else {}), **more}


def from_(name: str, source: str, path: str) -> Json:
    return {"op": name, "from": source, "path": path}


@pytest.mark.parametrize(
    ("document", "operation", "result"),
    [
        # RFC 6902, appendix A.1 to A.7, A.10, A.11, A.14 and A.16
        ({"foo": "bar"}, op("add", "/baz", "qux"), {"baz": "qux", "foo": "bar"}),
        ({"foo": ["bar", "baz"]}, op("add", "/foo/1", "qux"), {"foo": ["bar", "qux", "baz"]}),
        ({"baz": "qux", "foo": "bar"}, op("remove", "/baz"), {"foo": "bar"}),
        ({"foo": ["bar", "qux", "baz"]}, op("remove", "/foo/1"), {"foo": ["bar", "baz"]}),
        ({"baz": "qux", "foo": "bar"}, op("replace", "/baz", "boo"), {"baz": "boo", "foo": "bar"}),
        (
            {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
            from_("move", "/foo/waldo", "/qux/thud"),
            {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
        ),
        ({"foo": ["all", "grass", "cows", "eat"]}, from_("move", "/foo/1", "/foo/3"), {"foo": ["all", "cows", "eat", "grass"]}),
        ({"foo": "bar"}, op("add", "/child", {"grandchild": {}}), {"foo": "bar", "child": {"grandchild": {}}}),
        ({"foo": "bar"}, op("add", "/baz", "qux", xyz=123), {"foo": "bar", "baz": "qux"}),
        ({"/": 9, "~1": 10}, op("test", "/~01", 10), {"/": 9, "~1": 10}),
        ({"foo": ["bar"]}, op("add", "/foo/-", ["abc", "def"]), {"foo": ["bar", ["abc", "def"]]}),
        # section 4.1: what is there is replaced; a list's end by its length; null is a value
        ({"foo": 1}, op("add", "/foo", None), {"foo": None}),
        ({"foo": [1]}, op("add", "/foo/1", 2), {"foo": [1, 2]}),
        ({"foo": None}, op("test", "/foo", None), {"foo": None}),
        # section 4.4: moving a value to where it is does nothing; 4.5: a copy is a copy
        ({"foo": 1}, from_("move", "/foo", "/foo"), {"foo": 1}),
        ({"foo": {"a": 1}}, from_("copy", "/foo", "/bar"), {"foo": {"a": 1}, "bar": {"a": 1}}),
        # section 4.6: numbers are equal by value, objects whatever their order
        ({"foo": 1}, op("test", "/foo", 1.0), {"foo": 1}),
        ({"foo": {"a": 1, "b": 2}}, op("test", "/foo", {"b": 2, "a": 1}), {"foo": {"a": 1, "b": 2}}),
        # RFC 6901: "" is the whole document, "/" the member with the empty name, "~1" a slash
        ({"foo": 1}, op("replace", "", {"bar": 2}), {"bar": 2}),
        ({"foo": 1}, op("add", "/", 2), {"foo": 1, "": 2}),
        ({"a/b": 1}, op("replace", "/a~1b", 2), {"a/b": 2}),
    ],
)
def test_an_operation_gives_what_the_rfc_says(document: Json, operation: Json, result: Json) -> None:
    kept, asked = copy.deepcopy(document), copy.deepcopy(operation)
    assert patch.apply(document, [operation]) == result
    assert (document, operation) == (kept, asked), "neither is changed"


@pytest.mark.parametrize(
    ("document", "operation", "error"),
    [
        # A.9, A.12, A.13 (a doubled "op" is refused by the parser), A.15
        ({"baz": "qux"}, op("test", "/baz", "bar"), Conflict),
        ({"foo": "bar"}, op("add", "/baz/bat", "qux"), Invalid),
        ({"/": 9, "~1": 10}, op("test", "/~01", "10"), Conflict),
        # a truth value is no number, in lists neither
        ({"foo": 1}, op("test", "/foo", True), Conflict),
        ({"foo": [0]}, op("test", "/foo", [False]), Conflict),
        ({}, op("test", "/foo", None), Conflict),
        # indexes: no sign, no leading zero, no other digits, not beyond the end
        ({"foo": [1, 2]}, op("remove", "/foo/01"), Invalid),
        ({"foo": [1, 2]}, op("remove", "/foo/-1"), Invalid),
        ({"foo": [1, 2]}, op("remove", "/foo/2"), Invalid),
        ({"foo": [1, 2]}, op("add", "/foo/3", 0), Invalid),
        ({"foo": [1, 2]}, op("add", "/foo/1e0", 0), Invalid),
        ({"foo": [1, 2]}, op("add", "/foo/bar", 0), Invalid),
        ({"foo": [1, 2]}, op("replace", "/foo/٠", 0), Invalid),
        ({"foo": "text"}, op("replace", "/foo/0", "T"), Invalid),
        # what is not there is neither removed, replaced, moved nor copied
        ({}, op("remove", "/foo"), Invalid),
        ({}, op("replace", "/foo", 1), Invalid),
        ({}, from_("move", "/foo", "/bar"), Invalid),
        ({}, from_("copy", "/foo", "/bar"), Invalid),
        ({"foo": {}}, from_("move", "/foo", "/foo/bar"), Invalid),
        ({"foo": 1}, op("remove", ""), Invalid),
        ({"foo": 1}, op("replace", "", [1]), Invalid),
        # what is no operation
        ({}, op("add", "/foo"), Malformed),
        ({}, {"op": "add", "value": 1}, Malformed),
        ({}, {"path": "/foo", "value": 1}, Malformed),
        ({}, op("spam", "/foo", 1), Malformed),
        ({}, op("add", 5, 1), Malformed),
        ({}, op("add", "foo", 1), Malformed),
        ({"foo": 1}, {"op": "move", "path": "/bar"}, Malformed),
        ({"foo": 1}, {"op": "copy", "from": ["/foo"], "path": "/bar"}, Malformed),
        ({}, "add", Malformed),
        ({}, None, Malformed),
    ],
)
def test_an_operation_that_cannot_be_done_is_refused_with_its_place(document: Json, operation: Any, error: type[GatewayError]) -> None:
    with pytest.raises(error) as refusal:
        patch.apply(document, [{"op": "test", "path": "", "value": document}, operation])
    assert refusal.value.location.startswith("[1]") or refusal.value.location == "[]"


def test_one_that_fails_undoes_all() -> None:
    document = {"foo": 1}
    with pytest.raises(Conflict):
        patch.apply(document, [op("replace", "/foo", 2), op("test", "/foo", 1)])
    assert document == {"foo": 1}


def test_no_refusal_repeats_a_value() -> None:
    for operation in (op("test", "/name", "Halvorson, Ann"), op("remove", "/name/Halvorson"), op("Halvorson", "/name")):
        with pytest.raises(GatewayError) as refusal:
            patch.apply({"name": "Halvorson"}, [operation])
        assert "Halvorson" not in str(refusal.value)


DOUBLING = [from_("copy", "/a", "/a/-")] * 100
NESTING = [from_("copy", "/a", "/a/x")] * 100
DEEP: Json = {}
for _ in range(60):
    DEEP = {"x": DEEP}


@pytest.mark.parametrize(
    ("document", "operations", "error"),
    [
        ({"a": ["0123456789"]}, DOUBLING, TooLarge),
        ({"a": {"b": 1}}, NESTING, Malformed),
        ({}, [op("add", "/x" * number or "/x", {"x": {}}) for number in range(1, 66)], Malformed),
        ({}, [op("add", "", DEEP), op("add", "/x" * 60, DEEP)], Malformed),
        ({}, [op("add", "/x", 1)] * 101, Malformed),
        ({}, op("add", "/x", 1), Malformed),
    ],
)
def test_a_patch_does_not_make_much_of_little(document: Json, operations: Any, error: type[GatewayError]) -> None:
    with pytest.raises(error):
        patch.apply(document, operations)
