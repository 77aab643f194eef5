"""What may not be disclosed does not exist for an agency: no word of it in any byte it can get, and nothing moves when it changes (law 5)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.attacks_privacy.town import MAJOR_DEPRESSION, OPIOIDS, Client, Json, Town, consent, pv1

SECRET = re.compile(
    rb"cedar[ -]?r|CEDAR|DETOX|NORTH\b|Whitehorse|opioid|(?-i:\bF1\d(?:\.|\b))|alcohol|substance"
    rb"|42CFRPart2|NORDSCLCD|OPIOIDUD|\bSUD\b|redact|withheld from|CE-\d",
    re.IGNORECASE,
)


NEVER = "0123456789abcdef0123456789abcdef"


def telling(town: Town, patient: str) -> list[str]:
    """What River reads about the client in which a secret stands. Clients here are called North, which is no secret."""
    got = town.river.everything(patient)
    rows = json.loads(got.pop("/api/transitions"))["transitions"]
    texts = {key: value for key, value in got.items() if "/" in key and not key.startswith("/")}
    texts |= {f"transition {row['id']}": json.dumps(row).encode() for row in rows if row.get("patient") == f"Patient/{patient}"}
    found = ((key, SECRET.search(value.replace(b"North", b""))) for key, value in texts.items())
    return [f"{key}: {match[0]!r}" for key, match in found if match]


def moved(before: dict[str, bytes], after: dict[str, bytes]) -> list[str]:
    return [key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]


def siu(town: Town, who: Client) -> None:
    """Cedar Ridge books a session: the message names no stay."""
    start = (town.at + timedelta(days=3)).strftime("%Y%m%d%H%M%S+0000")
    lines = [
        f"MSH|^~\\&|ADT|CEDAR|GW|COUNTY|{town.at:%Y%m%d%H%M%S}+0000||SIU^S12^SIU_S12|S{who.mrn}|P|2.5.1",
        f"SCH|P{who.mrn}|F{who.mrn}||||COUNS^Session^L|COUNS^Session^L||60|min|^^60^{start}|||||||||||||Booked",
        who.pid("CEDAR"),
        "RGS|1",
        f"AIS|1||COUNS^Session^L|{start}||||60|min",
        "AIP|1||C-12^Whitehorse^Daniel",
    ]
    answer = town.hospital.ask("POST", "/hl7/v2", content="\r".join(lines), headers={"Content-Type": "x-application/hl7-v2+er7"})
    assert "MSA|AA" in answer.text


def agree(town: Town, said: Json) -> Json:
    """The coordinator records a consent."""
    town.later(seconds=1)
    answer = town.coordinator.ask("POST", "/fhir/Consent", json=said)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def revoke(town: Town, said: Json) -> None:
    town.later(seconds=1)
    answer = town.coordinator.ask("PUT", f"/fhir/Consent/{said['id']}", json=said | {"status": "inactive"})
    assert answer.status_code == 200, answer.text


HIDDEN: dict[str, Callable[[Town, Client], None]] = {
    "a substance-use diagnosis by A08": lambda town, who: update(town, who, MAJOR_DEPRESSION, OPIOIDS),
    "a stay in a Part 2 hospital": lambda town, who: stay(town, who, MAJOR_DEPRESSION, OPIOIDS, facility="CEDAR", unit="NORTH"),
    "a stay in a Part 2 unit of the same hospital": lambda town, who: stay(town, who, OPIOIDS, unit="DETOX"),
    "a registration there": lambda town, who: town.send("ADT^A28^ADT_A05", who, facility="CEDAR"),
    "a merge there": lambda town, who: town.send("ADT^A40^ADT_A39", who, f"MRG|CE-9{who.mrn}^^^CEDAR^MR", facility="CEDAR"),
    "a booking there": siu,
}
STAYED: dict[str, Any] = {}


def update(town: Town, who: Client, *segments: str) -> None:
    admitted, left = STAYED[who.mrn]
    town.send("ADT^A08^ADT_A01", who, pv1("BHU", f"V{who.mrn}", admitted, left, "01"), *segments)


def stay(town: Town, who: Client, *segments: str, **where: str) -> None:
    town.discharged(who, *segments, visit=f"X{who.mrn}{where['unit']}", **where)


def left_st_mary(town: Town, who: Client) -> str:
    """Discharged, and said so twice, so that the change that follows is the hidden one alone."""
    STAYED[who.mrn] = (town.at - timedelta(days=10), town.at - timedelta(minutes=20))
    patient = town.discharged(who)
    update(town, who, MAJOR_DEPRESSION)
    return patient


@pytest.mark.parametrize(("number", "what"), list(enumerate(HIDDEN)), ids=list(HIDDEN))
def test_a_hidden_change_moves_nothing_that_the_agency_can_read(attacked: Town, number: int, what: str) -> None:
    """The client's name and street are like a ward's and a hospital's name: that is no reason to take them away."""
    who = Client(f"30{number:02}", "North^Cedar")
    patient = left_st_mary(attacked, who)
    attacked.river.accept(patient)
    before, whole = attacked.river.everything(patient), attacked.coordinator.everything(NEVER)
    cursor = attacked.river.feed()[1]
    HIDDEN[what](attacked, who)
    assert moved(whole, attacked.coordinator.everything(NEVER)) != []
    assert moved(before, attacked.river.everything(patient)) == []
    assert attacked.river.feed(cursor) == ([], cursor)


def test_the_same_facts_the_other_way_round_leave_no_trace_either(attacked: Town) -> None:
    """The Part 2 program speaks first: identifiers, colleagues and words of its own must not be what the agency is given later."""
    who = Client("3050", "North^Dana")
    for what in list(HIDDEN)[1:]:
        HIDDEN[what](attacked, who)
    patient = left_st_mary(attacked, who)
    update(attacked, who, MAJOR_DEPRESSION, OPIOIDS)
    [shown] = attacked.river.search("Patient", _id=patient)
    assert {one["value"] for one in shown["identifier"]} == {"3050", "P3050"}
    assert "link" not in shown
    assert [row["id"] for row in attacked.river.search("Encounter", patient=patient)] != []
    assert telling(attacked, patient) == []


def test_a_practitioners_record_shows_no_word_of_a_part_2_program(attacked: Town) -> None:
    """Dr. Okafor works at both under one NPI: what Cedar Ridge calls her, and when it speaks, is not River's to see."""
    first, second = Client("3060", "Lopez^Ana"), Client("3061", "Reyes^Eva")
    npi = "1999999984^Okafor^Ngozi{}^^^Dr^^^NPI&2.16.840.1.113883.4.6&ISO"
    at = attacked.at - timedelta(days=10)

    def admit(who: Client, unit: str, facility: str, suffix: str) -> None:
        pv = pv1(unit, f"N{who.mrn}", at).split("|")
        pv[7] = npi.format(suffix)
        attacked.send("ADT^A01^ADT_A01", who, "|".join(pv), MAJOR_DEPRESSION, facility=facility)
        pv[36], pv[45] = "01", attacked.at.strftime("%Y%m%d%H%M%S+0000")
        attacked.send("ADT^A03^ADT_A03", who, "|".join(pv), MAJOR_DEPRESSION, facility=facility)

    admit(first, "BHU", "STMARY", "")
    patient = attacked.patient(first)
    [encounter] = attacked.river.search("Encounter", patient=patient)
    doctor = encounter["participant"][0]["individual"]["reference"]
    before = attacked.river.one(doctor)
    admit(second, "NORTH", "CEDAR", " Detox Chief")
    assert attacked.river.one(doctor) == before


def test_consent_opens_to_the_one_it_names_until_it_ends_and_closes_without_a_trace(attacked: Town) -> None:
    who = Client("3070", "Begay^Lorena")
    patient = attacked.discharged(who, MAJOR_DEPRESSION, OPIOIDS, facility="CEDAR", unit="NORTH", visit="C3070")
    river, harbor = attacked.river, attacked.harbor
    assert river.search("Patient", _id=patient) == []
    start = river.feed()[1]
    agreed = agree(attacked, consent(patient, "river-cmhc", attacked.at, days=5))
    shown, cursor = river.feed(start)
    assert [(row["patient"], row["hospital"]) for row in shown] == [(f"Patient/{patient}", "Cedar Ridge Recovery Center")]
    assert harbor.search("Patient", _id=patient) == []
    for kind in ("Encounter", "Condition", "CarePlan", "Task"):
        for one in river.search(kind, patient=patient):
            assert "42 CFR part 2 prohibits unauthorized use or disclosure of these records." in one["text"]["div"]
            assert f"Consent/{agreed['id']}" in json.dumps(one["meta"])
    mine = [key for key in river.everything(patient) if key.count("/") == 1 and not key.startswith("/")]
    attacked.later(days=5, seconds=1)
    told = [row for row in river.feed(cursor)[0] if row["id"] == shown[0]["id"]]
    assert told == [{"id": shown[0]["id"], "status": "withdrawn"}]
    for key in mine:
        for tail in ("", "/_history", "/_history/1", "/_history/2", "/_history/3"):
            assert river.get(f"/fhir/{key}{tail}").status_code == 404, key + tail
    assert river.feed(river.feed(cursor)[1])[0] == []
    assert [key for key, value in river.everything(NEVER).items() if b"Cedar Ridge" in value] == []


def test_revoking_counts_at_once_and_a_deny_wins(attacked: Town) -> None:
    who = Client("3071", "Tsosie^Mary")
    patient = attacked.discharged(who, MAJOR_DEPRESSION, OPIOIDS, facility="CEDAR", unit="NORTH", visit="C3071")
    permit = agree(attacked, consent(patient, "river-cmhc", attacked.at))
    assert attacked.river.search("Task", patient=patient) != []
    attacked.river.accept(patient)
    deny = agree(attacked, consent(patient, "river-cmhc", attacked.at, "deny"))
    assert attacked.river.search("Task", patient=patient) == []
    revoke(attacked, deny)
    assert attacked.river.search("Task", patient=patient) != []
    revoke(attacked, permit)
    assert attacked.river.search("Task", patient=patient) == []
    assert attacked.river.get(f"/fhir/Patient/{patient}").status_code == 404


def test_a_consent_for_another_agency_opens_nothing_here(attacked: Town) -> None:
    who = Client("3072", "Nez^Paul")
    patient = attacked.discharged(who, MAJOR_DEPRESSION, OPIOIDS, facility="CEDAR", unit="NORTH", visit="C3072")
    before = attacked.river.everything(NEVER)
    agree(attacked, consent(patient, "harbor-house", attacked.at))
    assert moved(before, attacked.river.everything(NEVER)) == []


def test_an_ordinary_stay_shown_in_full_by_consent_is_shown_without_the_rest_after_it(attacked: Town) -> None:
    """The stay stays; versions from the time of the consent do not, nor what a tier owed to what they said."""
    who = Client("3073", "Redd^Calvin")
    patient = attacked.discharged(who, MAJOR_DEPRESSION, OPIOIDS)
    permit = agree(attacked, consent(patient, "river-cmhc", attacked.at))
    [open_now] = [row for row in attacked.river.feed()[0] if row.get("patient") == f"Patient/{patient}"]
    assert any("substance" in reason for reason in open_now["reasons"])
    revoke(attacked, permit)
    assert telling(attacked, patient) == []
    [row] = [row for row in attacked.river.feed()[0] if row.get("patient") == f"Patient/{patient}"]
    assert (row["tier"], row["reasons"]) == ("standard", [])


def test_a_stay_that_proves_protected_after_it_was_shown_is_withdrawn_once_with_all_its_versions(attacked: Town) -> None:
    """An A02 moves the client to the Part 2 unit: from then on the whole stay is withheld."""
    who = Client("3080", "Ito^Ken")
    patient = left_st_mary(attacked, who)
    mine = [f"{kind}/{one['id']}" for kind in ("Task", "Encounter", "CarePlan", "Flag") for one in attacked.river.search(kind, patient=patient)]
    cursor = attacked.river.feed()[1]
    admitted, left = STAYED[who.mrn]
    attacked.send("ADT^A08^ADT_A01", who, pv1("DETOX", f"V{who.mrn}", admitted, left, "01"), MAJOR_DEPRESSION)
    rows, cursor = attacked.river.feed(cursor)
    assert [row["status"] for row in rows] == ["withdrawn"]
    assert [set(row) for row in rows] == [{"id", "status"}]
    assert attacked.river.feed(cursor)[0] == []
    for name in [*mine, f"Patient/{patient}"]:
        for tail in ("", "/_history", "/_history/1"):
            assert attacked.river.get(f"/fhir/{name}{tail}").status_code == 404
    assert [each["queue"] for each in attacked.coordinator.feed()[0] if each.get("patient") == f"Patient/{patient}"] == ["coordinator"]


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["reference"]] if isinstance(value.get("reference"), str) else []
        return own + [found for inner in value.values() for found in references(inner)]
    return [found for inner in value for found in references(inner)] if isinstance(value, list) else []


@pytest.mark.parametrize("who", ["river-cmhc", "harbor-house", "coordinator"])
def test_everything_anybody_reads_is_valid_and_refers_to_nothing_it_cannot_read(attacked: Town, who: str) -> None:
    """A reference that leads nowhere is a leak of existence, or a defect."""
    from fhir.resources.R4B import get_fhir_model_class

    partner = attacked.partners[who]
    got = partner.everything(NEVER)
    bodies: list[Json] = []
    for kind, page in got.items():
        entries = json.loads(page).get("entry", []) if not kind.startswith("/") else []
        bodies += [entry["resource"] for entry in entries]
    for body in bodies:
        get_fhir_model_class(body["resourceType"]).model_validate(body)
    names = {f"{body['resourceType']}/{body['id']}" for body in bodies}
    feed = json.loads(got["/api/transitions"])
    found = {name for one in [*bodies, feed] for name in references(one) if "/" in name and not name.startswith("#")}
    unknown = {name for name in found - names if partner.get(f"/fhir/{name}").status_code != 200}
    assert unknown == set()
    must = {
        "CarePlan": ("status", "intent", "category", "subject", "text"),
        "CareTeam": ("subject", "participant"),
        "ServiceRequest": ("status", "intent", "code", "subject", "category", "authoredOn", "requester"),
        "Patient": ("identifier", "name", "gender"),
        "Encounter": ("status", "class", "type", "subject"),
        "Condition": ("category", "code", "subject"),
        "Organization": ("active", "name"),
        "Location": ("name",),
        "Practitioner": ("name",),
        "Provenance": ("target", "recorded", "agent"),
    }
    for body in bodies:
        assert [name for name in must.get(body["resourceType"], ()) if name not in body] == [], body["resourceType"]
