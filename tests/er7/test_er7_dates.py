"""Times: HL7 v2 chapter 2A (DT, DTM, TS) -> FHIR date and dateTime. Expected values by hand."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.er7.dates import birth_date, parse

CHICAGO = ZoneInfo("America/Chicago")
FHIR_DATE_TIME = re.compile(  # the regular expression of FHIR R4's dateTime
    r"([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)(-(0[1-9]|1[0-2])(-(0[1-9]|[1-2][0-9]|3[0-1])"
    r"(T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?(Z|(\+|-)((0[0-9]|1[0-3]):[0-5][0-9]|14:00)))?)?)?"
)

# value sent                      text                                     precision   offset assumed
GOLDEN = [
    ("2026", "2026", "year", True),
    ("202611", "2026-11", "month", True),
    ("20261122", "2026-11-22", "day", True),
    ("2026112210", "2026-11-22T10:00:00-06:00", "minute", True),
    ("202611221015", "2026-11-22T10:15:00-06:00", "minute", True),
    ("20261122101530", "2026-11-22T10:15:30-06:00", "second", True),
    ("20260722101530", "2026-07-22T10:15:30-05:00", "second", True),  # summer
    ("20261122101530.1", "2026-11-22T10:15:30.1-06:00", "fraction", True),
    ("20261122101530.1234", "2026-11-22T10:15:30.1234-06:00", "fraction", True),
    ("20261122101530.1234567891234", "2026-11-22T10:15:30.123456789-06:00", "fraction", True),
    ("20261122101530123", "2026-11-22T10:15:30.123-06:00", "fraction", True),  # the point left out
    ("20261122101530-0800", "2026-11-22T10:15:30-08:00", "second", False),
    ("20261122101530+0110", "2026-11-22T10:15:30+01:10", "second", False),
    ("20261122101530-06", "2026-11-22T10:15:30-06:00", "second", False),
    ("20261122101530.5+1400", "2026-11-22T10:15:30.5+14:00", "fraction", False),
    ("202611221015+0000", "2026-11-22T10:15:00+00:00", "minute", False),
    ("20261122101530Z", "2026-11-22T10:15:30Z", "second", False),
    ("20261122-0600", "2026-11-22", "day", False),
    ("19490511000000", "1949-05-11T00:00:00-05:00", "second", True),  # Chicago kept summer time from 24 April in 1949
    ("20240229", "2024-02-29", "day", True),
    (" 20261122 ", "2026-11-22", "day", True),
    ("20260308023000", "2026-03-08T02:30:00-06:00", "second", True),  # the hour that summer time leaves out: the offset from before it
    ("20261101013000", "2026-11-01T01:30:00-05:00", "second", True),  # the hour that comes twice: the first
    ("18500101120000", "1850-01-01T12:00:00-05:50", "second", True),  # mean solar time, its seconds cut off
]


@pytest.mark.parametrize(("value", "text", "precision", "assumed"), GOLDEN, ids=[row[0] for row in GOLDEN])
def test_a_time_keeps_its_precision_and_its_offset(value: str, text: str, precision: str, assumed: bool) -> None:
    moment = parse(value, CHICAGO)
    assert moment is not None
    assert (moment.text, moment.precision, moment.zone_assumed) == (text, precision, assumed)


@pytest.mark.parametrize(
    "value",
    [
        "",
        '""',
        "0",
        "202",
        "20261",
        "2026112",
        "202611221",
        "2026112210153",
        "201904714005700",  # met in the wild
        "something wrong here",  # likewise
        "20261322",
        "20260230",
        "20250229",
        "20261100",
        "20260022",
        "00000000",
        "00001122",
        "20261122240000",
        "20261122106000",
        "20261122101560",
        "20261122101530.",
        "20261122101530.1x",
        "20261122101530-1500",
        "20261122101530+0160",
        "20261122101530+1",
        "20261122101530 -0600",
        "2026-11-22",
        "20261122 1015",
        "20261122T101530",
        "20261122\n",
        "２０２６１１２２",  # digits, but not HL7's
        "99999",
        "20261122" * 1000,
    ],
)
def test_what_is_no_time_is_none(value: str) -> None:
    assert parse(value, CHICAGO) is None
    assert birth_date(value) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("19870311", "1987-03-11"),
        ("198703", "1987-03"),
        ("1987", "1987"),
        ("19490511000000", "1949-05-11"),
        ("19870311233000+1400", "1987-03-11"),  # the day as written, never shifted
    ],
)
def test_a_birth_date_is_a_date(value: str, expected: str) -> None:
    assert birth_date(value) == expected


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("20261122101530-0800", datetime(2026, 11, 22, 18, 15, 30, tzinfo=UTC)),
        ("20261122101530.25+0110", datetime(2026, 11, 22, 9, 5, 30, 250_000, tzinfo=UTC)),
        ("20261122", datetime(2026, 11, 22, 6, tzinfo=UTC)),  # midnight in Chicago
        ("2026", datetime(2026, 1, 1, 6, tzinfo=UTC)),
        ("19700101000000Z", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_the_instant_is_the_start_in_utc(value: str, at: datetime) -> None:
    moment = parse(value, CHICAGO)
    assert moment is not None
    assert moment.instant == round(at.timestamp() * 1_000_000)


@given(
    st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31, 23, 59, 59)),
    st.integers(-14 * 60, 14 * 60),
    st.sampled_from(["%Y%m%d%H%M%S.%f", "%Y%m%d%H%M%S", "%Y%m%d%H%M"]),
)
def test_every_real_time_is_read_as_python_reads_it_and_is_valid_fhir(at: datetime, minutes: int, form: str) -> None:
    form = form.replace("%Y", f"{at.year:04}")
    cut = at.replace(microsecond=at.microsecond if "%f" in form else 0, second=at.second if "%S" in form else 0)
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    moment = parse(f"{at.strftime(form)}{sign}{hours:02}{rest:02}", UTC)
    assert moment is not None
    assert FHIR_DATE_TIME.fullmatch(moment.text)
    there = timezone(timedelta(minutes=minutes))
    assert moment.instant == (cut.replace(tzinfo=there) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@given(st.text(alphabet="0123456789+-.Z ", max_size=30) | st.text(max_size=30), st.sampled_from([UTC, CHICAGO, ZoneInfo("Pacific/Kiritimati")]))
def test_any_text_gives_valid_fhir_or_nothing(value: str, zone: ZoneInfo) -> None:
    moment = parse(value, zone)
    assert moment is None or FHIR_DATE_TIME.fullmatch(moment.text)
