"""Who cares for the client, as hospitals' messages change it: nobody who was told of vanishes, and what is taken back ends (issue 3, issue 4)."""

from __future__ import annotations

from typing import Any

from tests.pipeline.county import DIAGNOSIS, feed, memory_folder, message, state, store_at, visit

LEFT = visit(discharged="20260310104500", disposition="01")
DISCHARGED = message("ADT^A03^ADT_A03", "20260310110000", "9", LEFT, DIAGNOSIS)


def attending(who: str, **fields: str) -> str:
    parts = visit(**fields).split("|")
    parts[7] = who
    return "|".join(parts)


def records(*messages: bytes) -> dict[str, Any]:
    with memory_folder() as folder, store_at(folder) as store:
        feed(store, messages)
        return state(store)


def of_type(kind: str, told: dict[str, Any]) -> list[Any]:
    return [body for key, body in told.items() if key.startswith(f"* {kind}")]


def team(told: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """Who is in the team of the transition: name -> role and end, each."""
    (found,) = (one for one in of_type("CareTeam/", told) if one["name"].startswith("Care team for the transition"))
    members: dict[str, list[tuple[str, str]]] = {}
    for one in found["participant"]:
        role = one["role"][0]
        said = role.get("text") or role["coding"][0]["display"]
        members.setdefault(one["member"].get("display", ""), []).append((said, one.get("period", {}).get("end", "")))
    return members


def test_an_emptied_pv1_7_ends_the_attending_and_names_nobody_in_the_seat() -> None:
    admitted = message("ADT^A01^ADT_A01", "20260302090000", "1", attending("9^Lindqvist^Karin"))
    emptied = message("ADT^A08^ADT_A01", "20260304090000", "2", attending('""'))
    for order in ((admitted, emptied), (emptied, admitted)):
        (encounter,) = of_type("Encounter/", records(*order))
        (one,) = encounter["participant"]
        assert (one["individual"]["display"], one["period"]["end"]) == ("Karin Lindqvist", "2026-03-04T09:00:00-06:00")


def test_a_primary_care_provider_who_is_replaced_stays_in_the_team_with_the_end_of_their_time() -> None:
    first = message("ADT^A01^ADT_A01", "20260302090000", "1", "PD1||||7^Okafor^Ngozi", visit(), DIAGNOSIS)
    second = message("ADT^A08^ADT_A01", "20260304090000", "2", "PD1||||8^Brandt^Ida", visit())
    found = team(records(first, second, DISCHARGED))
    assert found["Ngozi Okafor"] == [("Primary care provider", "2026-03-04T09:00:00-06:00")]
    assert found["Ida Brandt"] == [("Primary care provider", "")]
    back = message("ADT^A08^ADT_A01", "20260305090000", "3", "PD1||||7^Okafor^Ngozi", visit())
    found = team(records(first, second, back, DISCHARGED))
    assert found["Ngozi Okafor"] == [("Primary care provider", "")]
    assert found["Ida Brandt"] == [("Primary care provider", "2026-03-05T09:00:00-06:00")]


def test_a_primary_care_provider_after_pv1_is_one_whatever_coding_system_is_named() -> None:
    for role in ("PP", "PP^Primary care^HL70443", "pp"):
        told = records(message("ADT^A01^ADT_A01", "20260302090000", "1", visit(), f"ROL|1|AD|{role}|7^Okafor^Ngozi"), DISCHARGED)
        assert team(told)["Ngozi Okafor"] == [("Primary care provider", "")]


def test_a_member_of_the_persons_team_leaves_at_a_time_of_the_senders_zone() -> None:
    rol = "ROL|1|{}|CM^Case manager^L|7^Okafor^Ngozi|20260302"
    first = message("ADT^A01^ADT_A01", "20260302090000", "1", rol.format("AD"), visit())
    gone = message("ADT^A08^ADT_A01", "20260304090000", "2", rol.format("DE"), visit())
    assert [end for _, end in team(records(first, gone, DISCHARGED))["Ngozi Okafor"]] == ["2026-03-04T09:00:00-06:00"]


def test_one_who_speaks_no_english_needs_an_interpreter() -> None:
    parts = LEFT.split("|")
    for status, found in (("A8", True), ("A1~A8", True), ("A6", False)):
        parts[15] = status
        told = records(message("ADT^A03^ADT_A03", "20260310110000", "9", "|".join(parts), DIAGNOSIS))
        (plan,) = (one for one in of_type("CarePlan/", told))
        assert ("interpreter needed" in str(plan)) is found
