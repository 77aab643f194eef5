"""The closed loop under attack: races, declines, bookings that come and go, clients who die or move; and pollers that must not miss."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from tests.attacks_privacy.town import MAJOR_DEPRESSION, Client, Json, Partner, Town, booking, pv1


def row(partner: Partner, patient: str) -> Json:
    [found] = [each for each in partner.feed()[0] if each.get("patient") == f"Patient/{patient}"]
    return found


def flags(partner: Partner, patient: str) -> set[str]:
    return {flag["code"] for flag in row(partner, patient)["flags"]}


def news(partner: Partner, cursor: str, transition: str) -> list[Json]:
    return [each for each in partner.feed(cursor)[0] if each["id"] == transition]


def call(town: Town, patient: str, reached: bool = True) -> Any:
    said = {
        "resourceType": "Communication",
        "status": "completed" if reached else "not-done",
        "medium": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationMode", "code": "PHONE"}]}],
        "subject": {"reference": f"Patient/{patient}"},
        "sent": town.at.isoformat(),
        "sender": {"reference": "Organization/river-cmhc"},
    }
    return town.river.ask("POST", "/fhir/Communication", json=said)


def test_who_declines_is_told_once_that_it_is_gone_and_reads_nothing_more_and_the_next_agency_sees_nothing_of_it(attacked: Town) -> None:
    patient = attacked.discharged(Client("4001", "Frost^Ida", postal_code="62905"))  # 6290* is River's, 629* Harbor's
    transition = row(attacked.river, patient)["id"]
    assert attacked.harbor.search("Task", patient=patient) == []
    booked = attacked.river.ask("POST", "/fhir/Appointment", json=booking(patient, attacked.at + timedelta(days=3)))
    assert booked.status_code == 201
    attacked.later(hours=1)
    assert call(attacked, patient).status_code == 201
    mine = [key for key in attacked.river.everything(patient) if key.count("/") == 1 and not key.startswith("/")]
    cursor = attacked.river.feed()[1]
    attacked.later(hours=1)
    answer = attacked.river.accept(patient, "rejected", statusReason={"text": "No place free"})
    assert answer.status_code == 200
    rows, after = attacked.river.feed(cursor)
    assert [each for each in rows if each["id"] == transition] == [{"id": transition, "status": "withdrawn"}]
    assert news(attacked.river, after, transition) == []
    for key in mine:
        for tail in ("", "/_history", "/_history/1", "/_history/2"):
            assert attacked.river.get(f"/fhir/{key}{tail}").status_code == 404 or key.startswith(("Practitioner/", "Location/")), key + tail
    assert call(attacked, patient).status_code == 422
    seen = {key: value for key, value in attacked.harbor.everything(patient).items() if "/" in key}
    assert [each["id"] for each in attacked.harbor.search("Task", patient=patient)] != []
    shown = {key: value.replace(b"/api/transitions", b"") for key, value in seen.items() if not key.startswith("/")}
    assert [
        key for key, value in shown.items() if b"river" in value.lower() or b"No place free" in value or booked.json()["id"].encode() in value
    ] == []
    feed = str(row(attacked.harbor, patient))
    assert not [word for word in ("river", "No place free", booked.json()["id"]) if word in feed], feed


def test_of_two_who_accept_at_once_one_wins(attacked: Town) -> None:
    patient = attacked.discharged(Client("4002", "Gale^Tom"))
    task, tag = attacked.river.task(patient)
    assert attacked.river.ask("PUT", f"/fhir/Task/{task['id']}", json=task | {"status": "accepted"}).status_code == 412
    assert attacked.river.ask("PUT", f"/fhir/Task/{task['id']}", json=task | {"status": "accepted"}, headers={"If-Match": "*"}).status_code == 400
    with ThreadPoolExecutor(4) as pool:
        claims = [
            pool.submit(
                attacked.river.ask,
                "PUT",
                f"/fhir/Task/{task['id']}",
                json=task | {"status": "accepted", "note": [{"text": f"{number}"}]},
                headers={"If-Match": tag},
            )
            for number in range(4)
        ]
    assert sorted(claim.result().status_code for claim in claims) == [200, 412, 412, 412]
    assert attacked.harbor.ask("PUT", f"/fhir/Task/{task['id']}", json=task | {"status": "accepted"}, headers={"If-Match": tag}).status_code == 404


def test_what_an_agency_notes_on_its_task_is_there_when_it_is_read_again(attacked: Town) -> None:
    patient = attacked.discharged(Client("4003", "Hale^Una"))
    answer = attacked.river.accept(patient, note=[{"text": "Prefers mornings"}])
    assert answer.json()["note"] == [{"text": "Prefers mornings"}]


def test_a_booking_clears_the_flag_its_cancelling_brings_it_back_and_a_call_clears_no_contact(attacked: Town) -> None:
    patient = attacked.discharged(Client("4004", "Ives^Leo"))
    attacked.river.accept(patient)
    assert flags(attacked.river, patient) == {"no-follow-up-scheduled"}
    made = attacked.river.ask("POST", "/fhir/Appointment", json=booking(patient, attacked.at + timedelta(days=6)))
    assert flags(attacked.river, patient) == set()
    attacked.later(hours=1)
    body = made.json() | {"status": "cancelled"}
    assert attacked.river.ask("PUT", f"/fhir/Appointment/{body['id']}", json=body).status_code == 200
    assert flags(attacked.river, patient) == {"no-follow-up-scheduled"}
    attacked.later(hours=80)
    assert "no-contact" in flags(attacked.river, patient)
    assert call(attacked, patient, reached=False).status_code == 201
    assert "no-contact" in flags(attacked.river, patient)
    attacked.later(hours=1)
    assert call(attacked, patient).status_code == 201
    assert "no-contact" not in flags(attacked.river, patient)


def test_somebody_elses_appointment_is_not_changed(attacked: Town) -> None:
    who = Client("4005", "Jung^Amy")
    patient = attacked.discharged(who)
    start = (attacked.at + timedelta(days=3)).strftime("%Y%m%d%H%M%S+0000")
    lines = [
        f"MSH|^~\\&|ADT|STMARY|GW|COUNTY|{attacked.at:%Y%m%d%H%M%S}+0000||SIU^S12^SIU_S12|S4005|P|2.5.1",
        f"SCH|P4005|F4005||||PSYFU^Follow-up^L|PSYFU^Follow-up^L||60|min|^^60^{start}|||||||||||||Booked",
        who.pid("STMARY"),
        "RGS|1",
        f"AIS|1||PSYFU^Follow-up^L|{start}||||60|min",
    ]
    attacked.hospital.ask("POST", "/hl7/v2", content="\r".join(lines), headers={"Content-Type": "x-application/hl7-v2+er7"})
    [appointment] = attacked.river.search("Appointment", patient=patient)
    answer = attacked.river.ask("PUT", f"/fhir/Appointment/{appointment['id']}", json=appointment | {"status": "cancelled"})
    assert answer.status_code == 403
    forged = appointment | {"status": "cancelled", "identifier": [{"system": "urn:gateway:write:river-cmhc", "value": "1"}]}
    assert attacked.river.ask("PUT", f"/fhir/Appointment/{appointment['id']}", json=forged).status_code == 403
    assert flags(attacked.river, patient) == set()


@pytest.mark.parametrize("how", ["discharge cancelled", "died"])
def test_when_a_transition_ends_the_agency_is_told_and_its_task_is_cancelled(attacked: Town, how: str) -> None:
    who = Client("4006" if how == "died" else "4007", "Kerr^Jo")
    admitted = attacked.at - timedelta(days=10)
    patient = attacked.discharged(who)
    attacked.river.accept(patient)
    transition, cursor = row(attacked.river, patient)["id"], attacked.river.feed()[1]
    [task] = attacked.river.search("Task", patient=patient)
    if how == "died":
        attacked.send("ADT^A08^ADT_A01", who, pv1("BHU", f"V{who.mrn}", admitted, attacked.at, "01"), died=attacked.at.strftime("%Y%m%d|Y"))
    else:
        attacked.send("ADT^A13^ADT_A01", who, pv1("BHU", f"V{who.mrn}", admitted))
    [told] = news(attacked.river, cursor, transition)
    assert (told["status"], told["closed_as"], told["flags"]) == (("closed", "died", []) if how == "died" else ("void", None, []))
    assert attacked.river.get(f"/fhir/Task/{task['id']}").json()["status"] == "cancelled"


def test_a_client_who_moves_stays_with_the_agency_that_has_accepted_and_goes_to_the_new_area_if_nobody_has(attacked: Town) -> None:
    accepted, asked = Client("4008", "Lund^Eli"), Client("4009", "Moss^Kit")
    ids = [attacked.discharged(who) for who in (accepted, asked)]
    attacked.river.accept(ids[0])
    transition, cursor = row(attacked.river, ids[1])["id"], attacked.river.feed()[1]
    for who in (accepted, asked):
        attacked.send("ADT^A31^ADT_A05", who, postal_code="62501")
    assert row(attacked.river, ids[0])["agency"] == "river-cmhc"
    assert attacked.harbor.search("Task", patient=ids[0]) == []
    assert news(attacked.river, cursor, transition) == [{"id": transition, "status": "withdrawn"}]
    assert row(attacked.harbor, ids[1])["agency"] == "harbor-house"
    assert attacked.river.get(f"/fhir/Patient/{ids[1]}").status_code == 404


def test_a_merge_keeps_the_agencys_client_readable_under_the_old_id_and_the_new(attacked: Town) -> None:
    old, new = Client("4010", "Nash^Bo", county="P4010"), Client("4011", "Nash^Bo", county="P4011")
    patient = attacked.discharged(old)
    attacked.river.accept(patient)
    cursor = attacked.river.feed()[1]
    attacked.send("ADT^A40^ADT_A39", new, "MRG|4010^^^STMARY^MR")
    [task] = attacked.river.search("Task", patient=attacked.patient(new))
    assert task["status"] == "accepted"
    assert attacked.river.feed(cursor)[0] != []
    retired = attacked.river.get(f"/fhir/Patient/{patient}")
    assert retired.status_code == 200
    for link in retired.json().get("link", []):
        assert attacked.river.get(f"/fhir/{link['other']['reference']}").status_code == 200


def test_a_client_whose_stay_is_psychiatric_only_by_what_the_agency_may_not_know_goes_to_the_coordinator(attacked: Town) -> None:
    """By what River may know the stay is undecided, so River cannot have it; it must not stand with River on the coordinator's list."""
    who = Client("4012", "Orr^Sue")
    telling = "DG1|1||F32.89^Depressive disorder after years of alcohol^I10|||F|||||||||1"
    patient = attacked.discharged(who, telling, unit="OBS9")
    assert (row(attacked.coordinator, patient)["queue"], row(attacked.coordinator, patient)["agency"]) == ("coordinator", None)
    assert attacked.river.get(f"/fhir/Patient/{patient}").status_code == 404
    assert row(attacked.coordinator, patient)["psychiatric"]["answer"] == "yes"


def test_pollers_that_apply_the_feed_hold_exactly_what_is_theirs(attacked: Town) -> None:
    """Random doings of hospitals, agencies and the clock; pollers look now and then. At the end each holds what a fresh reader is given."""
    chance = random.Random(7)
    pollers = {partner: ("", dict[str, Json]()) for partner in (attacked.river, attacked.harbor, attacked.coordinator)}

    def poll(partner: Partner) -> None:
        cursor, held = pollers[partner]
        rows, cursor = partner.feed(cursor)
        for each in rows:
            held.pop(each["id"], None) if each["status"] == "withdrawn" else held.update({each["id"]: each})
        pollers[partner] = (cursor, held)

    people = [Client(f"45{number:02}", f"Poll^P{number}", postal_code=code) for number, code in enumerate(("62701", "62501", "62905", "60000"))]
    for _ in range(60):
        who, partner = chance.choice(people), chance.choice(list(pollers))
        admitted = attacked.at - timedelta(days=10)
        match chance.randrange(7):
            case 0:
                attacked.send("ADT^A03^ADT_A03", who, pv1("BHU", f"W{who.mrn}", admitted, attacked.at, "01"), MAJOR_DEPRESSION)
            case 1:
                attacked.send("ADT^A13^ADT_A01", who, pv1("BHU", f"W{who.mrn}", admitted))
            case 2:
                attacked.send("ADT^A31^ADT_A05", who, postal_code=chance.choice(("62701", "62501", "62905", "60000")))
            case 3:
                unit = chance.choice(("BHU", "DETOX", "MED3"))
                attacked.send("ADT^A03^ADT_A03", who, pv1(unit, f"W{who.mrn}{unit}", admitted, attacked.at, "01"), MAJOR_DEPRESSION)
            case 4:
                attacked.later(hours=chance.choice((1, 30)))
            case 5:
                tasks = [each for each in partner.search("Task") if each["status"] == "requested" and "owner" in each]
                if tasks and partner.id != "coordinator":
                    task = chance.choice(tasks)
                    tag = partner.get(f"/fhir/Task/{task['id']}").headers["ETag"]
                    status: Json = chance.choice(({"status": "accepted"}, {"status": "rejected", "statusReason": {"text": "full"}}))
                    body = partner.get(f"/fhir/Task/{task['id']}").json() | status
                    assert partner.ask("PUT", f"/fhir/Task/{task['id']}", json=body, headers={"If-Match": tag}).status_code == 200
            case _:
                poll(partner)
    for partner in pollers:
        poll(partner)
        current = {each["id"]: each for each in partner.feed()[0] if each["status"] != "withdrawn"}
        assert pollers[partner][1] == current
        owned = {each["id"] for each in current.values() if partner.id == "coordinator" or each["agency"] == partner.id}
        assert owned == set(current)


def test_nobody_is_lost_between_two_agencies(attacked: Town) -> None:
    """What the coordinator sees with an agency, that agency sees."""
    for agency in (attacked.river, attacked.harbor):
        theirs = {each["id"] for each in agency.feed()[0] if each["status"] != "withdrawn"}
        believed = {each["id"] for each in attacked.coordinator.feed()[0] if each.get("queue") == "agency" and each["agency"] == agency.id}
        assert believed == theirs
