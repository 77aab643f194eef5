"""Every event reaches its subscriber, in order, whatever fails on the way; and nothing is sent twice needlessly."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import pytest

from gateway.pipeline.rebuild import rebuild
from gateway.smart.outbound import Reach
from gateway.store.outbox import SubscriptionRow
from gateway.subscriptions.dispatcher import Dispatcher
from gateway.subscriptions.schedule import Policy
from tests.api.running import message
from tests.subscriptions.gateway import DISCHARGE, HOUR, SECOND, Running, running


def test_events_arrive_in_order_each_once(everywhere: Running) -> None:
    id = everywhere.subscribe("transition-opened", most=1)
    for number in ("21", "22", "23"):
        everywhere.discharge(number)
    everywhere.deliver()
    assert [one.numbers for one in everywhere.endpoint.events()] == [[1], [2], [3]]
    everywhere.later(hours=1)
    assert len(everywhere.endpoint.events()) == 3
    assert (everywhere.row(id).events, everywhere.row(id).delivered) == (3, 3)


def test_max_count_bounds_the_events_of_a_notification(gateway: Running) -> None:
    gateway.subscribe("transition-opened", "full-resource", most=2)
    for number in ("21", "22", "23"):
        gateway.discharge(number)
    gateway.deliver()
    assert [one.numbers for one in gateway.endpoint.events()] == [[1, 2], [3]]
    assert {one.parameter("events-since-subscription-start") for one in gateway.endpoint.events()} == {"3"}


def test_each_topic_tells_its_own(gateway: Running) -> None:
    for topic in ("transition-opened", "transition-flagged", "follow-up-changed"):
        gateway.subscribe(topic, path=f"/{topic}")
    gateway.discharge()
    gateway.deliver()
    told = {one.path for one in gateway.endpoint.events()}
    assert told == {"/transition-opened", "/transition-flagged"}, "nothing was booked when the client left, and that is no change"
    flagged = next(one for one in gateway.endpoint.events() if one.path == "/transition-flagged")
    names = {reference["reference"].split("/")[-2] for reference in flagged.events[0]["additional-context"]}
    assert names == {"Patient", "Encounter", "Flag"}
    gateway.endpoint.got.clear()
    gateway.book()
    gateway.deliver()
    (booked,) = [one for one in gateway.endpoint.events() if one.path == "/follow-up-changed"]
    assert "Appointment" in {reference["reference"].split("/")[-2] for reference in booked.events[0]["additional-context"]}


def test_filters_narrow(gateway: Running) -> None:
    gateway.subscribe("transition-opened", "id-only", "Task?tier=urgent", path="/urgent")
    gateway.subscribe("transition-opened", "id-only", "Task?owner=Organization/river&hospital=St. Mary", path="/ours")
    gateway.subscribe("transition-opened", "id-only", "Task?owner=Organization/oak", path="/theirs")
    gateway.discharge()
    gateway.deliver()
    assert gateway.transition()["tier"] == "standard"
    assert [one.path for one in gateway.endpoint.events()] == ["/ours"]


def test_what_happened_before_is_no_event(everywhere: Running) -> None:
    """Neither what was before the subscription, nor what was while it was off."""
    everywhere.discharge("21")
    id = everywhere.subscribe()
    everywhere.deliver()
    assert everywhere.endpoint.types() == ["handshake"]
    assert everywhere.as_("river", "PUT", f"/fhir/Subscription/{id}", json={**everywhere.read(id), "status": "off"}).json()["status"] == "off"
    other = everywhere.subscribe(path="/other")
    everywhere.discharge("22")
    assert everywhere.as_("river", "PUT", f"/fhir/Subscription/{id}", json={**everywhere.read(id), "status": "requested"}).status_code == 200
    everywhere.deliver()
    assert (everywhere.row(id).events, everywhere.row(other).events) == (0, 1)
    assert [one.path for one in everywhere.endpoint.events()] == ["/other"]


def test_a_failure_is_tried_again_and_loses_nothing(everywhere: Running) -> None:
    id = everywhere.subscribe()
    everywhere.endpoint.answers = [500, 503, 404]
    everywhere.discharge("21")
    everywhere.deliver()
    assert (everywhere.row(id).failures, everywhere.row(id).delivered) == (1, 0)
    everywhere.discharge("22")
    everywhere.deliver()
    assert len(everywhere.endpoint.events()) == 1, "what is new does not shorten the pause"
    assert everywhere.read(id)["error"] == "The endpoint answered 500."
    for _ in range(3):
        everywhere.later(hours=1)
    assert [one.numbers for one in everywhere.endpoint.events()] == [[1], [1, 2], [1, 2], [1, 2]]
    assert (everywhere.row(id).failures, everywhere.row(id).delivered, everywhere.read(id).get("error")) == (0, 2, None)


def test_news_after_a_failure_that_came_to_nothing_is_told_at_once(gateway: Running) -> None:
    """What failed was taken away, so that nothing waits: the failure holds up nothing else."""
    id = gateway.subscribe()
    gateway.endpoint.answers = [500]
    gateway.discharge("21")
    gateway.deliver()
    gateway.route("oak")
    gateway.later(hours=1)
    assert (gateway.row(id).delivered, gateway.row(id).due) == (1, None)
    gateway.discharge("22")
    gateway.deliver()
    assert [one.numbers for one in gateway.endpoint.events()] == [[1], [2]]


def test_a_client_whose_endpoints_hang_does_not_hold_up_the_others(gateway: Running) -> None:
    """Four at the same time are its share."""
    for _ in range(20):
        gateway.subscribe(path="/slow")
    gateway.subscribe(who="desk", path="/desk")
    gateway.endpoint.got.clear()
    open = asyncio.Event()

    async def hangs() -> None:
        await open.wait()

    async def told() -> list[str]:
        gateway.endpoint.always = hangs
        async with asyncio.timeout(10):
            while not any(one.path == "/desk" for one in gateway.endpoint.got):
                await gateway.dispatcher.look()
                await asyncio.sleep(0.01)
        found = [one.path for one in gateway.endpoint.got]
        open.set()
        await gateway.dispatcher.settled()
        return found

    gateway.discharge()
    assert sorted(gateway.run(told())) == ["/desk", *["/slow"] * 4]


def test_retry_after_is_heeded(gateway: Running) -> None:
    id = gateway.subscribe()
    gateway.endpoint.answers, gateway.endpoint.more = [429], ["Retry-After: 7200"]
    gateway.discharge()
    gateway.deliver()
    due = gateway.row(id).due
    assert due is not None
    assert due == gateway.wall + 2 * HOUR


def test_an_endpoint_that_stays_dead_ends_in_error_and_can_be_set_going_again(gateway: Running) -> None:
    """After 72 hours of failures; the events of that time are delivered when it is back."""
    id = gateway.subscribe()
    gateway.endpoint.answers = [500] * 200
    gateway.discharge("21")
    gateway.deliver()
    for hours in (24, 24, 23):
        gateway.later(hours=hours)
    assert gateway.read(id)["status"] == "active"
    gateway.later(hours=2)
    dead = gateway.read(id)
    assert (dead["status"], dead["error"]) == ("error", "The endpoint answered 500.")
    attempts = len(gateway.endpoint.got)
    gateway.later(days=2)
    gateway.discharge("22")
    gateway.deliver()
    assert len(gateway.endpoint.got) == attempts, "nothing is sent any more"
    assert 'status="error",subscription="' + id in gateway.metrics().replace(
        f'subscription="{id}",status="error"', f'status="error",subscription="{id}"'
    )
    gateway.endpoint.answers = []
    answer = gateway.as_("river", "PUT", f"/fhir/Subscription/{id}", json={**dead, "status": "active"})
    assert (answer.status_code, answer.json()["status"], answer.json().get("error")) == (200, "requested", None)
    gateway.deliver()
    assert gateway.endpoint.types()[attempts:] == ["handshake", "event-notification"]
    assert gateway.endpoint.got[-1].numbers == [1, 2]


def test_a_handshake_that_fails_for_ten_minutes_is_an_error(gateway: Running) -> None:
    gateway.endpoint.answers = [500] * 100
    id = gateway.subscribe()
    assert gateway.read(id)["status"] == "requested"
    gateway.later(seconds=400)
    assert gateway.read(id)["status"] == "requested"
    gateway.later(seconds=300)
    assert gateway.read(id)["status"] == "error"
    assert set(gateway.endpoint.types()) == {"handshake"}


def test_who_says_gone_is_not_asked_again(gateway: Running) -> None:
    id = gateway.subscribe()
    gateway.endpoint.answers = [410]
    gateway.discharge()
    gateway.deliver()
    assert gateway.read(id)["status"] == "error"


def test_an_end_turns_it_off(gateway: Running) -> None:
    id = gateway.subscribe(end="2026-11-22T12:00:00Z")
    gateway.later(hours=11)
    gateway.discharge()
    gateway.deliver()
    assert gateway.read(id)["status"] == "off"
    assert gateway.endpoint.types() == ["handshake"]


def test_what_was_not_settled_is_sent_again_when_its_lease_is_over(everywhere: Running) -> None:
    """As after kill -9 between the endpoint's answer and our note of it: at least once."""
    everywhere.subscribe()
    everywhere.discharge()

    async def cut() -> None:
        await everywhere.dispatcher.look()
        while not everywhere.endpoint.events():
            await asyncio.sleep(0.01)
        await everywhere.dispatcher.close()

    async def slow() -> None:
        await asyncio.sleep(0.2)

    everywhere.endpoint.before = slow
    everywhere.run(cut())
    everywhere.deliver()
    assert [one.numbers for one in everywhere.endpoint.events()] == [[1]], "somebody may still be at it"
    everywhere.later(seconds=20)
    assert [one.numbers for one in everywhere.endpoint.events()] == [[1], [1]]
    everywhere.later(hours=1)
    assert len(everywhere.endpoint.events()) == 2


def test_what_a_gateway_left_undelivered_the_next_one_delivers(everywhere: Running) -> None:
    id = everywhere.subscribe()
    everywhere.discharge("21")
    everywhere.endpoint.answers = [500]
    everywhere.deliver()
    everywhere.discharge("22")  # committed, and nobody has looked at the outbox yet
    around = everywhere.dispatcher._about
    everywhere.dispatcher = Dispatcher(around)
    everywhere.later(hours=1)
    assert everywhere.endpoint.events()[-1].numbers == [1, 2]
    assert everywhere.row(id).delivered == 2


def test_two_gateways_deliver_each_event_once(everywhere: Running) -> None:
    """Both look at the same moment, again and again."""
    for path in ("/a", "/b", "/c"):
        everywhere.subscribe(path=path, most=1)
    others = [everywhere.dispatcher, Dispatcher(everywhere.dispatcher._about), Dispatcher(everywhere.dispatcher._about)]

    async def at_once() -> None:
        for _ in range(6):
            await asyncio.gather(*(each.look() for each in others))
        for each in others:
            await each.settled()

    for number in ("21", "22", "23", "24"):
        everywhere.discharge(number)
        everywhere.run(at_once())
    everywhere.deliver()
    for path in ("/a", "/b", "/c"):
        assert [one.numbers for one in everywhere.endpoint.events() if one.path == path] == [[1], [2], [3], [4]]


def test_a_change_of_the_subscription_while_it_is_notified_wins(everywhere: Running) -> None:
    id = everywhere.subscribe()
    everywhere.discharge()

    async def turned_off() -> None:
        await asyncio.to_thread(everywhere.store.subscriptions.revise, id, lambda row: replace(row, status="off", lease=0, due=None))

    everywhere.endpoint.before = turned_off
    everywhere.deliver()
    assert (everywhere.row(id).status, everywhere.row(id).delivered) == ("off", 0)


def test_a_rebuild_leaves_subscriptions_alone_and_sends_nothing_for_unchanged_facts(everywhere: Running) -> None:
    """Law 2."""
    id = everywhere.subscribe()
    everywhere.discharge("21")
    everywhere.deliver()
    before, got = everywhere.row(id), len(everywhere.endpoint.got)
    everywhere.journey.stop()
    rebuild(everywhere.store, everywhere.configuration, everywhere.now)
    everywhere.journey = type(everywhere.journey)(everywhere.store, everywhere.configuration, lambda: everywhere.now)
    everywhere.journey.start()
    everywhere.later(hours=1)
    assert everywhere.row(id) == before
    assert len(everywhere.endpoint.got) == got


def test_nobody_subscribed_nothing_is_put_into_the_outbox(everywhere: Running) -> None:
    everywhere.discharge("21")
    everywhere.subscribe(who="oak")
    everywhere.discharge("22")
    assert everywhere.store.subscriptions.fan_out(lambda rows, change: pytest.fail("there is a change"), 0, 10) == 0


def test_an_input_that_fails_leaves_no_event(everywhere: Running) -> None:
    """The event is recorded by the transaction that makes the change, and undone with it."""
    id = everywhere.subscribe()
    wrong = message("notification-discharge", "m9", "actve", "2026-11-22T01:05:00Z")
    assert everywhere.as_("st-mary", "POST", "/fhir/$process-message", json=wrong).status_code == 422
    everywhere.tell(DISCHARGE)
    everywhere.tell(DISCHARGE)  # again: a duplicate
    everywhere.deliver()
    assert everywhere.row(id).events == 1


def test_old_events_are_forgotten_and_their_numbers_stay() -> None:
    with running(Policy(Reach(loopback=True), keep_days=2)) as gateway:
        id = gateway.subscribe(most=1)
        gateway.endpoint.answers = [410]
        gateway.discharge("21")
        gateway.deliver()
        gateway.later(days=3)
        assert gateway.store.subscriptions.events(id, 0, 99, 9) == []
        gateway.as_("river", "PUT", f"/fhir/Subscription/{id}", json={**gateway.read(id), "status": "requested"})
        gateway.discharge("22")
        gateway.deliver()
        assert [one.numbers for one in gateway.endpoint.events()] == [[1], [2]]


def test_it_runs_by_itself(gateway: Running) -> None:
    """The gateway's own loop: a commit wakes it, and so does a new subscription."""
    gateway.allow()
    task = asyncio.run_coroutine_threadsafe(gateway.dispatcher.run(), gateway.http._loop)

    async def until(number: int) -> None:
        async with asyncio.timeout(10):
            while len(gateway.endpoint.got) < number:
                await asyncio.sleep(0.01)

    gateway.as_("river", "POST", "/fhir/Subscription", json=gateway.wish())
    gateway.run(until(1))
    gateway.discharge()
    gateway.run(until(2))
    task.cancel()
    assert gateway.endpoint.types() == ["handshake", "event-notification"]


def test_what_there_is_of_each_subscription_is_in_the_metrics(gateway: Running) -> None:
    id = gateway.subscribe()
    gateway.endpoint.answers = [500]
    gateway.discharge()
    gateway.deliver()
    told = gateway.metrics()

    def value(name: str, **labels: str) -> float:
        found = re.search(
            rf"^{name}{{([^}}]*)}} (\S+)$", "\n".join(line for line in told.split("\n") if all(f'{k}="{v}"' in line for k, v in labels.items())), re.M
        )
        assert found is not None, name
        return float(found[2])

    assert value("gateway_subscription_status", subscription=id, client="river", status="active") == 1
    assert value("gateway_subscription_waiting_events", subscription=id) == 1
    assert value("gateway_subscription_failures", subscription=id) == 1


def test_a_row_is_not_mistaken_for_another(everywhere: Running) -> None:
    """Every column comes back as it was kept."""
    row = SubscriptionRow("x", "river", "river", "error", b"{}", ("A: b",), 1, 2, 3, 4, "e", 5, 6, (7, 8), 9, 10, 0, 12, 13, 14)
    everywhere.store.subscriptions.add(row)
    found = everywhere.row("x")
    assert replace(found, since=0) == row
    assert row.patience != SECOND
