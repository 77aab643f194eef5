"""Referrals and moves on a real store: who sees what afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.pipeline import county
from tests.pipeline.county import CONFIGURATION, DIAGNOSIS, POLICY, memory_folder, message, visit
from transitions.policy import Agency

HARBOR = Agency(id="harbor-cmhc", name="Harbor Community Mental Health", postal_codes=())
TWO = replace(CONFIGURATION, policy=replace(POLICY, agencies=(*POLICY.agencies, HARBOR)))
ADMITTED = message("ADT^A01^ADT_A01", "20260302090000", "2", visit(), DIAGNOSIS)
DISCHARGED = message("ADT^A03^ADT_A03", "20260310110000", "11", visit(discharged="20260310104500", disposition="01"), DIAGNOSIS)


def referral(event: str, at: str, control: str, receiver: str) -> bytes:
    return message(
        f"REF^{event}^REF_I12",
        at,
        control,
        "RF1|P|R|MH^Mental health|||R77^EHR",
        "PRD|RP^Referring provider^HL70286|Lindqvist^Karin",
        f"PRD|RT^Referred to provider^HL70286||||||||{receiver}",
    )


@pytest.mark.parametrize("receiver", ["|Harbor Community Mental Health", "|HARBOR COMMUNITY MENTAL HEALTH^^harbor-cmhc", "|^^^^^^^^^harbor-cmhc"])
def test_a_referral_routes_to_the_agency_that_it_names(receiver: str) -> None:
    with memory_folder() as folder, county.store_at(Path(folder), TWO) as store:
        county.feed(store, [ADMITTED, DISCHARGED, referral("I12", "20260310120000", "12", receiver)], configuration=TWO)
        assert [each["agency"] for each in county.transitions(store)] == ["harbor-cmhc"]
        assert len(county.transitions(store, "harbor-cmhc")) == 1
        assert county.transitions(store, "river") == []


def test_a_cancelled_referral_or_one_to_somebody_else_routes_nobody() -> None:
    cancelled = [referral("I12", "20260310120000", "12", "|^^^^^^^^^harbor-cmhc"), referral("I14", "20260310130000", "13", "|^^^^^^^^^harbor-cmhc")]
    for told in (cancelled, [referral("I12", "20260310120000", "12", "|Somebody Else")]):
        with memory_folder() as folder, county.store_at(Path(folder), TWO) as store:
            county.feed(store, [ADMITTED, DISCHARGED, *told], configuration=TWO)
            assert [each["agency"] for each in county.transitions(store)] == ["river"]


def test_a_visit_moved_to_another_person_voids_the_formers_transition_and_opens_the_right_ones() -> None:
    """A45: the former person's agency sees it void, and the right person's transition is theirs by that person's own address."""
    moved = b"\r".join(
        (
            rb"MSH|^~\&|ADT|STMARY|GW|COUNTY|20260311090000||ADT^A45^ADT_A45|20|P|2.5.1",
            b"EVN||20260311090000",
            b"PID|1||2002^^^STMARY^MR||Roe^Bea||19900101|F|||2 Oak St^^Springfield^IL^62702^USA^H",
            b"MRG|1001^^^STMARY^MR||||V1^^^STMARY^VN",
            visit().encode(),
        )
    )
    for told in ([ADMITTED, DISCHARGED, moved], [moved, DISCHARGED, ADMITTED]):
        with memory_folder() as folder, county.store_at(Path(folder)) as store:
            county.feed(store, told)
            found = {str(each["client"]["name"]): each for each in county.transitions(store, "river")}  # type: ignore[index]
            assert {name: each["status"] for name, each in found.items()} == {"Ada Quist": "void", "Bea Roe": "open"}
            assert found["Bea Roe"]["discharged"] == "2026-03-10T10:45:00-05:00"
