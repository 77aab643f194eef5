"""What holds for every stay: order-free, idempotent, exact next looks, monotone evidence, no flag without a reason, and never an exception."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.transitions.given import CHICAGO, CLIENT, DEPRESSION, ICD10, INFARCTION, POLICY, UNCERTAIN, at, decided
from transitions.assess import assess, outlook, overdue
from transitions.model import Claim, ClosedAs, Code, Contact, Decision, Evidence, FollowUp, Observation, Placement, Stay, TakenBack, Transition, Visit
from transitions.policy import Policy

DISCHARGED = at("12-01 10:00")
QUICK = settings(max_examples=100, deadline=None)

hours = st.integers(-15 * 24, 40 * 24)
near = st.builds(lambda hour, minute, zone: (DISCHARGED + timedelta(hours=hour, minutes=minute)).astimezone(zone), hours, st.sampled_from([0, 0, 1, 30]), st.sampled_from([UTC, ZoneInfo(CHICAGO)]))  # fmt: skip  # noqa: E501
ends_of_time = st.sampled_from([datetime(*day, tzinfo=zone) for day in ((1, 1, 1), (9999, 12, 31)) for zone in (UTC, ZoneInfo(CHICAGO))])
anywhere = st.datetimes(timezones=st.sampled_from([UTC, ZoneInfo(CHICAGO), ZoneInfo("Pacific/Kiritimati")])) | ends_of_time
agencies = st.sampled_from(["river", "harbor", "", "elsewhere"])
codes = st.sampled_from([DEPRESSION, INFARCTION, Code("Psychiatric follow-up"), Code("Dental"), Code("Clinic visit"), Code("Homeless", "Z59.0", ICD10), Code()])  # fmt: skip  # noqa: E501
evidence = st.sampled_from([(), (Evidence("told", "message 9"),)])


def follow_ups(moments: st.SearchStrategy[datetime]) -> st.SearchStrategy[FollowUp]:
    return st.builds(
        FollowUp,
        reference=st.sampled_from([f"Appointment/{number}" for number in range(9)]),
        status=st.sampled_from(["booked", "booked", "fulfilled", "arrived", "cancelled", "noshow", "pending", "entered-in-error"]),
        recorded=moments,
        start=st.none() | moments,
        first_recorded=st.none() | moments,
        services=st.lists(codes, max_size=2).map(tuple),
        booked_by=agencies,
        visit_class=st.sampled_from(["", "", "AMB", "EMER"]),
        evidence=evidence,
    )


def contacts(moments: st.SearchStrategy[datetime]) -> st.SearchStrategy[Contact]:
    return st.builds(
        Contact,
        reference=st.sampled_from(["Communication/1", "Communication/2"]),
        at=moments,
        means=st.sampled_from(["phone", "visit", ""]),
        reached=st.booleans(),
        by=agencies,
        evidence=evidence,
    )


def visits(moments: st.SearchStrategy[datetime]) -> st.SearchStrategy[Visit]:
    return st.builds(
        Visit,
        id=st.sampled_from(["a", "b", "c"]),
        visit_class=st.sampled_from(["IMP", "IMP", "EMER", "AMB", ""]),
        hospital=st.just("Lakeside"),
        admitted=st.none() | moments,
        discharged=st.none() | moments,
        cancelled=st.sampled_from([False, False, True]),
        psychiatric=st.sampled_from(["yes", "no", "undecided"]),
        tracked=st.booleans(),
    )


def decisions(moments: st.SearchStrategy[datetime]) -> st.SearchStrategy[Decision]:
    words = [("close", each) for each in get_args(ClosedAs)]
    words += [("close", "nonsense"), ("reopen", ""), ("route", "harbor"), ("route", ""), ("psychiatric", "yes"), ("disposition", "65"), ("?", "?")]
    return st.builds(
        lambda word, moment, about: Decision(word[0], word[1], moment, "ann", about),
        st.sampled_from([*words, ("confirm-kind", "mental-health")]),
        moments,
        st.sampled_from(["", "Appointment/1"]),
    )


def claims(moments: st.SearchStrategy[datetime]) -> st.SearchStrategy[Claim]:
    return st.builds(
        Claim,
        task=st.just("task"),
        agency=agencies,
        status=st.sampled_from(["accepted", "rejected", "failed", "completed", "in-progress", "nonsense"]),
        at=moments,
        reason=st.sampled_from(["", "unable-to-contact", "left region"]),
        number=st.sampled_from([0, 0, 1, 2]),
    )


def stays(moments: st.SearchStrategy[datetime], **fixed: Any) -> st.SearchStrategy[Stay]:
    maybe = st.none() | moments
    given_: dict[str, st.SearchStrategy[Any]] = {
        "id": st.just("stay"),
        "transition": st.just("transition"),
        "client": st.builds(
            lambda deceased, died, postal, uncertain: replace(
                CLIENT, deceased=deceased, died=died, postal_code=postal, identity_uncertain=UNCERTAIN if uncertain else ()
            ),
            st.sampled_from([False, False, False, True]),
            maybe,
            st.sampled_from(["62704", "62501", ""]),
            st.sampled_from([False, False, True]),
        ),
        "hospital": st.just("St. Mary"),
        "zone": st.sampled_from([CHICAGO, "UTC", "Australia/Lord_Howe", "nowhere"]),
        "state": st.sampled_from(
            ["discharged", "discharged", "discharged", "in-hospital", "on-leave", "planned", "admission-cancelled", "entered-in-error"]
        ),
        "first_seen": moments,
        "admitted": maybe,
        "discharged": maybe,
        "discharge_recorded": maybe,
        "discharge_cancelled": maybe,
        "error_recorded": maybe,
        "expected_discharge": maybe,
        "pending_since": maybe,
        "expectation_recorded": maybe,
        "expectation_withdrawn": maybe,
        "ever_inpatient": st.sampled_from([True, True, True, False]),
        "placements": st.sampled_from([(), (Placement(DISCHARGED, "BHU", "psychiatric"),), (Placement(DISCHARGED, "MED", "other"),)]),
        "diagnoses": st.lists(codes, max_size=2).map(tuple),
        "disposition_recorded": maybe,
        "disposition": st.none() | st.sampled_from(["01", "07", "20", "21", "50", "65", "02", "30", "93", ""]).map(lambda code: Code("", code)),
        "other_visits": st.lists(visits(moments), max_size=3).map(tuple),
        "observations": st.lists(
            st.builds(Observation, st.sampled_from(["93374-7", "93250-9"]), moments, text=st.sampled_from(["High", "Yes", "Low"])), max_size=2
        ).map(tuple),
        "claims": st.lists(claims(moments), max_size=3).map(tuple),
        "decisions": st.lists(decisions(moments), max_size=2).map(tuple),
        "referred_to": st.sampled_from([(), ("harbor",), ("elsewhere",)]),
        "withheld_from": st.sampled_from([frozenset(), frozenset({"*"}), frozenset({"river"})]),
        "tie": st.sampled_from([False, False, True]),
        "taken_back": st.lists(st.builds(TakenBack, st.sampled_from(["discharge", "expectation"]), moments, moments, maybe), max_size=2).map(tuple),
        "evidence": evidence,
    }
    return st.builds(Stay, **(given_ | {name: st.just(value) for name, value in fixed.items()}))


policies = st.sampled_from([POLICY, replace(POLICY, typical_stay_days=10)])
some_follow_ups = st.lists(follow_ups(near), max_size=4).map(tuple)
some_contacts = st.lists(contacts(near), max_size=3).map(tuple)
ON_THE_WARD = (Placement(DISCHARGED, "BHU", "psychiatric"),)
DISCHARGE = {"state": "discharged", "discharged": DISCHARGED, "discharge_recorded": DISCHARGED, "placements": ON_THE_WARD, "zone": CHICAGO}


HELD = Stay("", "", CLIENT, "", CHICAGO, "discharged", DISCHARGED, discharged=DISCHARGED, diagnoses=(DEPRESSION,), disposition=Code("", "65"))


TWICE = tuple(Visit("a", "EMER", hospital, DISCHARGED + timedelta(days=2), None, False, "no", False) for hospital in ("Lakeside", "St. Mary"))
"""Two visits that nothing but what they say tells apart."""


def said(transition: Transition | None) -> Transition | None:
    """The answer alone, without what was given."""
    return None if transition is None else transition._replace(follow_ups=(), contacts=(), stay=Stay("", "", CLIENT, "", "", "planned", DISCHARGED))


def codes_of(transition: Transition | None) -> set[str]:
    return set() if transition is None else {flag.code for flag in transition.flags}


@QUICK
@given(stays(near), some_follow_ups, some_contacts, near, st.randoms(use_true_random=False))
def test_the_order_of_what_was_told_does_not_matter(stay: Stay, follow_ups: Any, contacts: Any, as_of: datetime, random: Any) -> None:
    assume(len({each.reference for each in follow_ups}) == len(follow_ups))
    assume(len({each.id for each in stay.other_visits}) == len(stay.other_visits))

    def shuffled(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(random.sample(values, len(values)))

    other = replace(stay, other_visits=shuffled(stay.other_visits), observations=shuffled(stay.observations))
    once = assess(stay, follow_ups, (), as_of, POLICY)
    again = assess(other, shuffled(follow_ups), (), as_of, POLICY)
    assert said(once) == said(again)
    assert codes_of(assess(stay, (), contacts, as_of, POLICY)) == codes_of(assess(stay, (), shuffled(contacts), as_of, POLICY))


@settings(QUICK, max_examples=200)
@given(stays(near), some_follow_ups, some_contacts, near, st.integers(1, 60 * 24), policies)
@example(HELD, (), (), DISCHARGED, 24, POLICY)
@example(
    replace(HELD, disposition=Code("", "01"), claims=(Claim("", "river", "accepted", DISCHARGED),)),
    (),
    (Contact("", DISCHARGED, "phone", True),),
    DISCHARGED,
    72,
    POLICY,
)
def test_before_its_next_look_an_answer_stays_what_it_is(
    stay: Stay, follow_ups: Any, contacts: Any, as_of: datetime, later: int, policy: Policy
) -> None:
    now = assess(stay, follow_ups, contacts, as_of, policy)
    look = now.next_look if now is not None else outlook(stay, policy, as_of)
    then = as_of.astimezone(UTC) + timedelta(hours=later)
    if look is not None:
        assert look > as_of
        then = min(then, look - timedelta(microseconds=1))
    assert said(assess(stay, follow_ups, contacts, then, policy)) == said(now)
    if now is not None:
        assert bool(now.why_no_next_look) == (now.next_look is None)


@QUICK
@given(stays(near), some_follow_ups, some_contacts, near, st.integers(0, 60 * 24), policies)
def test_waking_at_every_look_ends_where_one_late_look_does(
    stay: Stay, follow_ups: Any, contacts: Any, as_of: datetime, later: int, policy: Policy
) -> None:
    end = as_of.astimezone(UTC) + timedelta(hours=later)
    moment, woken = as_of, assess(stay, follow_ups, contacts, as_of, policy)
    for _ in range(50):
        look = woken.next_look if woken is not None else outlook(stay, policy, moment)
        if look is None or look > end:
            break
        moment, woken = look, assess(stay, follow_ups, contacts, look, policy)
    else:
        raise AssertionError("it never comes to rest")
    assert said(woken) == said(assess(stay, follow_ups, contacts, end, policy))


@QUICK
@given(stays(near), near, st.integers(0, 200 * 24))
def test_a_stay_without_a_discharge_is_asked_after_at_its_look_and_not_before(stay: Stay, as_of: datetime, later: int) -> None:
    since, look = overdue(stay, POLICY, as_of)
    then = as_of.astimezone(UTC) + timedelta(hours=later)
    assert since is None or since <= as_of
    assert since is None or look is None
    if look is not None:
        assert overdue(stay, POLICY, look) == (look, None)
        then = min(then, look - timedelta(microseconds=1))
    assert overdue(stay, POLICY, then)[0] == since


@settings(QUICK, max_examples=200)
@given(stays(near, **DISCHARGE), some_follow_ups, some_contacts, near, st.integers(15, 180))
def test_a_visit_kept_in_the_window_never_raises_a_flag(stay: Stay, follow_ups: Any, contacts: Any, as_of: datetime, hour: int) -> None:
    start = DISCHARGED.astimezone(UTC) + timedelta(hours=hour)
    assume(start <= as_of)
    kept = FollowUp("Appointment/kept", "fulfilled", start, start, mental_health=True)
    before = assess(stay, follow_ups, contacts, as_of, POLICY)
    after = assess(stay, (*follow_ups, kept), contacts, as_of, POLICY)
    assert codes_of(after) <= codes_of(before)


@QUICK
@given(stays(near), some_follow_ups, some_contacts, near)
def test_no_flag_without_evidence_and_a_way_to_clear_it(stay: Stay, follow_ups: Any, contacts: Any, as_of: datetime) -> None:
    transition = assess(stay, follow_ups, contacts, as_of, POLICY)
    if transition is None:
        return
    assert all(flag.evidence and all(piece.text for piece in flag.evidence) and flag.clears for flag in transition.flags)
    assert len(codes_of(transition)) == len(transition.flags)
    assert not transition.flags or transition.status in ("open", "anticipated")
    assert (transition.closed_as is not None) == (transition.status == "closed")
    assert [each.number for each in transition.assignments] == list(range(1, len(transition.assignments) + 1))
    if transition.assignments:
        assert transition.agency == transition.assignments[-1].agency
    assert transition.agency not in stay.withheld_from
    assert transition.agency is None or "*" not in stay.withheld_from


@QUICK
@given(stays(near, **DISCHARGE), some_follow_ups, some_contacts, near, st.integers(0, 400 * 24))
def test_the_clock_alone_never_closes_an_open_transition(stay: Stay, follow_ups: Any, contacts: Any, as_of: datetime, later: int) -> None:
    # A visit that was reported as kept ahead of its start is kept when it starts: the report closes, not the clock.
    follow_ups = tuple(each for each in follow_ups if each.status != "fulfilled")
    now = assess(stay, follow_ups, contacts, as_of, POLICY)
    then = assess(stay, follow_ups, contacts, as_of + timedelta(hours=later), POLICY)
    if now is not None and now.status == "open":
        assert then is not None
        assert then.status == "open"
        clocked = {"not-picked-up", "no-contact", "no-follow-up-7-days", "no-follow-up-30-days"}
        assert codes_of(now) & clocked <= codes_of(then)


@QUICK
@given(stays(near, state="in-hospital", discharged=None, discharge_cancelled=DISCHARGED, placements=ON_THE_WARD, ever_inpatient=True, pending_since=None, expected_discharge=None), some_follow_ups, some_contacts, near)  # fmt: skip  # noqa: E501
@example(Stay("", "", CLIENT, "", CHICAGO, "in-hospital", DISCHARGED, discharge_cancelled=DISCHARGED), (), (), DISCHARGED)
def test_after_a13_the_transition_is_void_and_a_later_discharge_opens_it_again(stay: Stay, follow_ups: Any, contacts: Any, as_of: datetime) -> None:
    void = assess(stay, follow_ups, contacts, as_of, POLICY)
    assert void is not None
    assert (void.status, void.flags, void.follow_up.state, void.next_look) == ("void", (), "none", None)
    assert void.assignments[-1].status in ("cancelled", "completed", "failed", "rejected")
    alive = replace(CLIENT, postal_code="62704")
    again = replace(stay, client=alive, state="discharged", discharged=DISCHARGED + timedelta(days=2), disposition=Code("", "01"))
    again = replace(again, other_visits=(), decisions=(), claims=())
    opened = assess(again, (), (), as_of, POLICY)
    assert opened is not None
    assert opened.status == "open"


@settings(QUICK, max_examples=200)
@given(stays(anywhere), st.lists(follow_ups(anywhere), max_size=3).map(tuple), st.lists(contacts(anywhere), max_size=2).map(tuple), anywhere)
@example(replace(HELD, other_visits=TWICE, decisions=(decided("psychiatric", "yes"),)), (), (), DISCHARGED)
def test_assess_never_raises(stay: Stay, follow_ups: Any, contacts: Any, as_of: datetime) -> None:
    once = assess(stay, follow_ups, contacts, as_of, POLICY)
    assert assess(stay, follow_ups, contacts, as_of, POLICY) == once
    outlook(stay, POLICY, as_of)


@given(st.text(max_size=40), st.text(max_size=8), st.sampled_from(["", ICD10, "http://snomed.info/sct"]))
def test_any_words_and_any_code_are_read(text: str, code: str, system: str) -> None:
    stay = Stay("", "", CLIENT, "", text, "discharged", DISCHARGED, diagnoses=(Code(text, code, system),), disposition=Code(text, code))
    follow_up = FollowUp("Appointment/1", text, DISCHARGED, DISCHARGED, services=(Code(text, code, system),), place=text)
    assess(stay, (follow_up,), (), DISCHARGED, POLICY)


def test_a_decision_is_only_as_good_as_its_words() -> None:
    stay = Stay(
        "",
        "",
        CLIENT,
        "",
        CHICAGO,
        "discharged",
        DISCHARGED,
        discharged=DISCHARGED,
        disposition=Code("", "01"),
        decisions=(decided("close", "gone"),),
    )
    found = assess(stay, (), (), DISCHARGED, POLICY)
    assert found is not None
    assert found.status == "open"
