"""Who looks for a client at a confidential address: every door that an agency has, before and after it was marked."""

from __future__ import annotations

import json
from typing import Any

from tests.attacks_privacy.town import MAJOR_DEPRESSION, Client, Json, Town, consent, pv1

STREET = b"77 Larch Lane"


class Hidden(Client):
    """A client whose address the hospital marks, or does not mark yet."""

    kind = "CONF"

    def pid(self, facility: str, mrn: str = "", died: str = "", postal_code: str = "") -> str:
        before = super().pid(facility, mrn, died, postal_code)
        return before.replace("1 Elm St^^Springfield^IL^", "77 Larch Lane^^Springfield^IL^").replace("^USA^H", f"^USA^{self.kind}")


def telling(town: Town, partner: Any, patient: str) -> list[str]:
    return sorted(key for key, said in partner.everything(patient).items() if b"larch" in said.lower())


def location(patient: str, town: Town, **more: Any) -> Json:
    said = consent(patient, "river-cmhc", town.at, **more)
    said["provision"]["securityLabel"] = [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "LOCIS"}]
    return said


def test_the_routed_agency_reads_the_street_nowhere_and_the_coordinator_does(attacked: Town) -> None:
    who = Hidden("5001", "Marsh^Ines", "62707")
    guardian = "NK1|1|Marsh^Olga|GUARD^Guardian|77 LARCH LANE^^Springfield^IL^62707^USA^H|2175550100"
    patient = attacked.discharged(who, MAJOR_DEPRESSION, guardian)
    attacked.send("SIU^S12^SIU_S12", who, f"SCH||5001A|||||77 Larch Lane visit||||^^45^{attacked.at:%Y%m%d}220000", "RGS|1|A")
    assert telling(attacked, attacked.river, patient) == []
    [shown] = attacked.river.search("Patient", _id=patient)
    assert shown["address"] == [{"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/iso21090-AD-use", "valueCode": "CONF"}]}]
    [plan] = attacked.river.search("CarePlan", patient=patient)
    assert "<tr><th>Confidential address</th><td>yes: ask the coordinator for it</td></tr>" in plan["text"]["div"]
    assert STREET in json.dumps(attacked.coordinator.search("Patient", _id=patient)).encode()


def test_no_search_by_address_finds_the_client(attacked: Town) -> None:
    who = Hidden("5002", "Marsh^Una", "62799")
    patient = attacked.discharged(who)
    for name, value in (("address-postalcode", "62799"), ("address", "77 Larch Lane"), ("address", "Larch"), ("address-city", "Springfield")):
        answer = attacked.river.get("/fhir/Patient", params={name: value, "_count": "1000"})
        found = [entry["resource"]["id"] for entry in answer.json().get("entry", [])] if answer.status_code == 200 else []
        assert patient not in found, (name, value)


def test_what_was_shown_before_it_was_marked_is_not_in_the_history(attacked: Town) -> None:
    who = Hidden("5003", "Marsh^Ada", "62707")
    who.kind = "H"
    patient = attacked.discharged(who)
    assert telling(attacked, attacked.river, patient) != []
    who.kind = "CONF"
    attacked.send("ADT^A31^ADT_A05", who)
    assert telling(attacked, attacked.river, patient) == []
    history = attacked.river.get(f"/fhir/Patient/{patient}/_history").json()
    [version] = [entry["resource"]["meta"]["versionId"] for entry in history["entry"]]
    for older in range(1, int(version)):
        assert attacked.river.get(f"/fhir/Patient/{patient}/_history/{older}").status_code == 404


def test_a_consent_opens_it_to_the_one_it_names_and_leaves_nothing_behind_when_it_is_revoked(attacked: Town) -> None:
    who = Hidden("5004", "Marsh^Eva", "62707")
    patient = attacked.discharged(who)
    answer = attacked.coordinator.ask("POST", "/fhir/Consent", json=location(patient, attacked))
    assert answer.status_code == 201, answer.text
    attacked.later(seconds=1)
    assert f"Patient/{patient}" in telling(attacked, attacked.river, patient)
    given = answer.json()
    revoked = attacked.coordinator.ask("PUT", f"/fhir/Consent/{given['id']}", json=given | {"status": "inactive"})
    assert revoked.status_code == 200, revoked.text
    attacked.later(seconds=1)
    assert telling(attacked, attacked.river, patient) == []


def test_another_hospitals_unmarked_word_does_not_open_it(attacked: Town) -> None:
    who = Hidden("5005", "Marsh^Lea", "62707")
    patient = attacked.discharged(who)
    plain = Hidden("5005", "Marsh^Lea", "62707")
    plain.kind = "H"
    attacked.send("ADT^A04^ADT_A01", plain, pv1("LAB", "C5005", attacked.at, kind="O"), facility="CEDAR")
    assert telling(attacked, attacked.river, patient) == []


def test_a_merge_does_not_open_it(attacked: Town) -> None:
    who, second = Hidden("5006", "Marsh^Lena", "62707"), Hidden("5007", "Marsh^L", "62707")
    second.kind = "H"
    patient = attacked.discharged(who)
    attacked.send("ADT^A04^ADT_A01", second, pv1("MED3", "V5007", attacked.at, kind="O"))
    attacked.send("ADT^A40^ADT_A39", who, "MRG|5007^^^STMARY^MR")
    assert telling(attacked, attacked.river, patient) == []
