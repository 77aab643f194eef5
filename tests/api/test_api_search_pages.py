"""Sorted results, pages that hold while records come and change, totals, parts of resources. http://hl7.org/fhir/R4/search.html#return"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.api.subsets import Subset
from gateway.fhir import search
from gateway.store.interface import ALL
from tests.api.gateway_api import BASE, PATIENT, TASK, Bench, bench

Json = dict[str, Any]


def person(id: str, family: str, born: str = "", **more: Any) -> Json:
    return {**PATIENT, "id": id, "name": [{"family": family}], **({"birthDate": born} if born else {}), **more}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Five patients, for tests that only ask."""
    with bench(tmp_path_factory.mktemp("pages")) as made:
        made.put((ALL, "river"), person("a", "Ng", "1990-05-01"), person("b", "Álvarez", "1985"), person("c", "ng", "1970-01-02"))
        made.put((ALL, "river"), person("d", "Berg"), person("e", "Ng", "1990-05-01", gender="male"))
        made.put((ALL,), person("f", "Aaron"))
        yield made


def ids(bundle: Json) -> list[str]:
    return [each["resource"]["id"] for each in bundle.get("entry", []) if each["search"]["mode"] == "match"]


def links(bundle: Json) -> dict[str, str]:
    return {each["relation"]: each["url"].removeprefix(BASE) for each in bundle["link"]}


def walk(gateway: Bench, who: str, address: str, between: Any = None) -> list[str]:
    """What all pages hold, in order; `between` is done once, after the first."""
    seen: list[str] = []
    while address:
        page = gateway.as_(who, "GET", address).json()
        seen += ids(page)
        address = links(page).get("next", "")
        if between is not None:
            step, between = between, None
            step()
    return seen


@pytest.mark.parametrize(
    ("sort", "wanted"),
    [
        ("family", ["b", "d", "a", "c", "e"]),  # without accents and case; equals by id
        ("-family", ["a", "c", "e", "d", "b"]),
        ("family,birthdate", ["b", "d", "c", "a", "e"]),
        ("family,-birthdate", ["b", "d", "a", "e", "c"]),
        ("birthdate", ["c", "b", "a", "e", "d"]),  # who has none comes last
        ("-birthdate", ["a", "e", "b", "c", "d"]),
        ("gender,-_id", ["d", "c", "b", "a", "e"]),
        ("-_id", ["e", "d", "c", "b", "a"]),
        ("_lastUpdated,family", ["a", "b", "c", "d", "e"]),
        ("-_lastUpdated", ["e", "d", "c", "b", "a"]),
        ("-family,-_lastUpdated", ["e", "c", "a", "d", "b"]),
    ],
)
def test_sorted_by_several_keys_either_way(asked: Bench, sort: str, wanted: list[str]) -> None:
    whole = asked.as_("river", "GET", f"/fhir/Patient?_sort={sort}").json()
    assert ids(whole) == wanted
    assert whole["total"] == 5, "Aaron is not River's"
    for size in (1, 2, 4):
        assert walk(asked, "river", f"/fhir/Patient?_sort={sort}&_count={size}") == wanted


@pytest.mark.parametrize("sort", ["family", "-family", "_lastUpdated", "-_lastUpdated", "birthdate,-family"])
def test_what_comes_or_goes_between_pages_repeats_and_drops_no_other(gateway: Bench, sort: str) -> None:
    gateway.put((ALL, "river"), *(person(f"p{number}", f"N{number % 4}") for number in range(9)))
    before = walk(gateway, "river", f"/fhir/Patient?_sort={sort}")

    def meanwhile() -> None:
        gateway.put((ALL, "river"), person("x1", "A"), person("x2", "N2"), person("x3", "Z"))
        gateway.put((ALL, "river"), person(before[1], "N0", "1990-01-01"))  # one that was given already
        gateway.delete("river", "Patient", before[0])

    seen = walk(gateway, "river", f"/fhir/Patient?_sort={sort}&_count=3", meanwhile)
    others = [one for one in seen if not one.startswith("x") and one != before[1]]
    assert others == [one for one in before if one != before[1]]
    assert len(set(seen)) >= len(seen) - 1, "at most the one that changed is given again"


def test_a_sorted_pages_cursor_tells_nothing_and_serves_its_search_alone(gateway: Bench) -> None:
    gateway.put((ALL, "river", "oak"), person("a", "Halvorson"), person("b", "Zimmer"))
    address = links(gateway.as_("river", "GET", "/fhir/Patient?_sort=family&_count=1").json())["next"]
    assert "alvorson" not in address
    assert ids(gateway.as_("river", "GET", address).json()) == ["b"]
    assert gateway.as_("oak", "GET", address).status_code == 400
    for other in ("_sort=-family", "_sort=birthdate", "_sort=_lastUpdated"):
        assert gateway.as_("river", "GET", address.replace("_sort=family", other)).status_code == 400
    assert gateway.as_("river", "GET", address[:-4]).status_code == 400


def test_every_page_names_itself_the_first_and_the_next(asked: Bench) -> None:
    first = asked.as_("river", "GET", "/fhir/Patient?gender=female&_count=2").json()
    assert links(first)["self"] == "/fhir/Patient?gender=female&_count=2"
    second = asked.as_("river", "GET", links(first)["next"]).json()
    assert links(second)["first"] == links(first)["self"] == links(first)["first"]
    assert links(second)["self"] == links(first)["next"]
    assert "next" not in links(second)
    assert ids(asked.as_("river", "GET", links(second)["self"]).json()) == ids(second) == ["c", "d"]


def test_a_page_holds_no_more_than_a_page_may(asked: Bench) -> None:
    told = asked.as_("river", "GET", "/fhir/Patient?_count=5000").json()
    assert links(told)["self"] == "/fhir/Patient?_count=1000", "the self link says what was done"


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ("_count=2", None),
        ("_count=2&_total=none", None),
        ("_total=none", None),
        ("_count=2&_total=accurate", 5),
        ("_count=2&_total=estimate", 5),
        ("_count=2&gender=female&_total=accurate", 4),
        ("_count=0", 5),
        ("_summary=count", 5),
        ("_summary=count&family=ng", 3),
        ("_count=0&gender:not=female", 1),
    ],
)
def test_totals_count_what_the_recipient_sees(asked: Bench, query: str, total: int | None) -> None:
    answer = asked.as_("river", "GET", f"/fhir/Patient?{query}").json()
    assert answer.get("total") == total
    if "_count=0" in query or "_summary=count" in query:
        assert "entry" not in answer
        assert "next" not in links(answer)
    elif "_count=2" in query:
        assert asked.as_("river", "GET", links(answer)["next"]).json().get("total") == total


def test_an_estimate_that_would_cost_too_much_is_not_given(gateway: Bench) -> None:
    gateway.put((ALL,), *({**TASK, "id": f"n{number}"} for number in range(510)))
    assert "total" not in gateway.as_("coordinator", "GET", "/fhir/Task?_total=estimate&_count=2").json()
    assert gateway.as_("coordinator", "GET", "/fhir/Task?_total=accurate&_count=2").status_code == 413


NOTED: Json = {
    **TASK,
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">call</div>'},
    "note": [{"text": "call first"}],
    "priority": "urgent",
}


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("_summary=true", {"status", "intent", "for", "owner"}),  # R4 does not count a Task's identifier to its summary
        ("_summary=text", {"text", "status", "intent"}),
        ("_summary=data", {"identifier", "status", "intent", "for", "owner", "note", "priority"}),
        ("_summary=false", {"identifier", "status", "intent", "for", "owner", "note", "priority", "text"}),
        ("_elements=note", {"status", "intent", "note"}),
        ("_elements=Task.note,priority", {"status", "intent", "note", "priority"}),
    ],
)
def test_parts_of_resources_hold_what_is_mandatory_and_say_that_they_are_parts(gateway: Bench, query: str, kept: set[str]) -> None:
    gateway.put((ALL, "river"), NOTED)
    (entry,) = gateway.as_("river", "GET", f"/fhir/Task?{query}").json()["entry"]
    for given in (entry["resource"], gateway.as_("river", "GET", f"/fhir/Task/t1?{query}").json()):
        assert set(given) == {"resourceType", "id", "meta", *kept}
        subsetted = [tag["code"] for tag in given["meta"].get("tag", [])]
        assert subsetted == ([] if query == "_summary=false" else ["SUBSETTED"])
        assert given["meta"]["versionId"] == "1"


def test_every_type_that_is_searched_has_its_summary() -> None:
    for type in search.searchable():
        whole = {
            "resourceType": type,
            "id": "1",
            "identifier": [],
            "patient": {},
            "subject": {},
            "status": "x",
            "name": [],
            "recorded": "",
            "entity": [],
        }
        assert len(Subset("true").of(whole)) > 3, f"nothing of {type} but id and meta"


@pytest.mark.parametrize(
    "query",
    ["_summary=maybe", "_elements=note.text", "_elements=", "_summary=true&_elements=note", "_summary=text&_include=Task:patient", "_total=all"],
)
def test_a_part_or_total_that_cannot_be_is_refused(asked: Bench, query: str) -> None:
    answer = asked.as_("river", "GET", f"/fhir/Task?{query}")
    assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")
    assert answer.json()["issue"][0]["expression"], "it says what is wrong"


def test_a_name_is_found_by_the_index_as_by_looking(gateway: Bench) -> None:
    """More patients than one search may look at: a name, or a birth date, is found all the same."""
    gateway.put((ALL,), *(person(f"n{number}", f"Person{number:03d}", f"19{number % 90 + 10}-03-04") for number in range(510)))
    gateway.put((ALL,), person("x", "Ødegård-Lind", "1950-07-08"))
    for query in ("name=ødegard", "family=Ødegård", "family:exact=Ødegård-Lind", "birthdate=1950-07-08", "birthdate=1950-07", "name=person&_id=x,n7"):
        found = ids(gateway.as_("coordinator", "GET", f"/fhir/Patient?{query}").json())
        assert found == (["n7"] if "_id" in query else ["x"]), query
    assert len(ids(gateway.as_("coordinator", "GET", "/fhir/Patient?name=person&_count=60").json())) == 60
    assert ids(gateway.as_("coordinator", "GET", "/fhir/Patient?birthdate=1950").json()) == ["n40", "n130", "n220", "n310", "n400", "n490", "x"]
