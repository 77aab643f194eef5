"""One derivation's material, looked up once: the stay, what may be referred to, times in the facility's zone, and how records are identified."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.mappings.care.context import CareContext
from gateway.records.record import PersonRecord, StayRecord
from gateway.records.statements import Json
from transitions.describe import CLOSED_AS
from transitions.model import Assignment, Transition

ENDED_WELL = "follow-up-kept"


@dataclass(frozen=True, slots=True)
class Scene:
    """What every derived record is made from."""

    person: PersonRecord
    stay: StayRecord
    transition: Transition
    context: CareContext
    known: Mapping[str, Json]  # "Condition/…" -> resource: what may be referred to
    conditions: tuple[Json, ...]
    mine: Mapping[str, tuple[Json, ...]]  # by type: what was said of this stay, and of the client without a stay

    @classmethod
    def of(cls, person: PersonRecord, stay: StayRecord, transition: Transition, context: CareContext) -> Scene:
        owned = (person.appointments, person.documents, person.referrals, person.care, person.contacts, person.observations)
        resources = [
            person.patient,
            *person.related,
            *(resource for each in person.stays for resource in (each.encounter, *each.parts)),
            stay.encounter,
            *stay.parts,
            *(one.resource for group in owned for one in group),
            *person.shared.values(),
        ]
        known = {f"{resource['resourceType']}/{resource['id']}": resource for resource in resources if "id" in resource}
        conditions = tuple(part for part in stay.parts if part["resourceType"] == "Condition" and _stands(part))
        mine: dict[str, list[Json]] = {}
        for one in (*stay.parts, *person.related, *(owned.resource for owned in person.observations if owned.stay in (None, stay.id))):
            mine.setdefault(one["resourceType"], []).append(one)
        return cls(person, stay, transition, context, known, conditions, {kind: tuple(found) for kind, found in mine.items()})

    def of_type(self, *kinds: str) -> list[Json]:
        """What was said of this stay, and of the client without a stay."""
        return [one for kind in kinds for one in self.mine.get(kind, ())]

    @property
    def subject(self) -> Json:
        return {"reference": f"Patient/{self.person.id}"}

    @property
    def encounter(self) -> Json:
        return {"reference": f"Encounter/{self.stay.id}"}

    @property
    def device(self) -> Json:
        return {"reference": f"Device/{self.context.device}"}

    @property
    def gateway(self) -> Json:
        return {"reference": f"Organization/{self.context.organization}"}

    def identify(self, kind: str, local: str) -> str:
        """The id of a derived record: its transition's, and its place within it."""
        return self.context.identify(kind, f"{self.transition.id}|{local}")

    def resolves(self, reference: Json | None) -> bool:
        """Whether a literal reference points to something in the record or in the configuration."""
        target = str((reference or {}).get("reference", ""))
        kind, _, name = target.partition("/")
        return target in self.known or (kind == "Organization" and (name in self.context.agencies or name == self.context.organization))

    @property
    def agency(self) -> Json | None:
        """The Organization that the transition is routed to."""
        agency = self.transition.agency
        return organization(self.context, agency) if agency and self.transition.queue == "agency" else None

    @property
    def hospital(self) -> Json | None:
        """The Organization that discharges, if the messages name one."""
        provider: Json | None = self.stay.encounter.get("serviceProvider")
        return {"reference": provider["reference"]} if provider and self.resolves(provider) else None

    @property
    def discharge(self) -> datetime | None:
        """When the stay ended, or else is expected to."""
        return self.transition.stay.discharged or self.transition.stay.expected_discharge

    @property
    def begun(self) -> datetime:
        """When the transition came to be known: by the discharge, else its expectation; a void one, by what was taken back. Recorded times."""
        transition, stay = self.transition, self.transition.stay
        if transition.status == "void":
            return transition.tracked_since or transition.since or stay.first_seen
        return stay.discharge_recorded or stay.expectation_recorded or stay.pending_since or stay.first_seen

    @property
    def reached(self) -> bool:
        """Somebody spoke with the client after the discharge, or saw them."""
        discharged = self.transition.stay.discharged
        if discharged is None:
            return False
        return self.transition.follow_up.state == "kept" or any(one.reached and one.at >= discharged for one in self.transition.contacts)

    def day(self, after: int) -> str | None:
        """A day counted from the day of discharge in the facility's calendar, as a FHIR date."""
        discharge = self.discharge
        return self.date(discharge, after) if discharge else None

    def date(self, moment: datetime, after: int = 0) -> str:
        """The day of a moment in the facility's calendar, or one counted from it, as a FHIR date."""
        return (self.local(moment).date() + timedelta(days=after)).isoformat()

    def local(self, moment: datetime) -> datetime:
        return moment.astimezone(zone_of(self.transition.stay.zone))

    def time(self, moment: datetime) -> str:
        """A FHIR dateTime in the facility's zone."""
        return self.local(moment).isoformat(timespec="seconds")

    def spoken(self, moment: datetime) -> str:
        """A time in the facility's zone as people write it: "Fri 20 Nov 2026 10:00"; of what was told as a day alone, the day."""
        local = self.local(moment)
        day = f"{local:%a} {local.day} {local:%b %Y}"
        return f"{day} {local:%H:%M}" if local.time() != time.min else day

    def age(self) -> int | None:
        """Whole years on the day of discharge, or of the first word on the stay."""
        born = self.transition.stay.client.birth_date
        at = self.local(self.discharge or self.begun).date()
        return years(born, at) if born else None

    def appointments(self) -> list[str]:
        """Appointments that are, or may be, follow-up after this discharge and are in the record, as references."""
        return sorted({name for name in self.transition.visits if name.startswith("Appointment/") and name in self.known})

    def current(self) -> Assignment | None:
        """The assignment that stands now."""
        return self.transition.assignments[-1] if self.transition.assignments else None


def others(scene: Scene, kind: str) -> list[Json]:
    """What somebody else's system sent of a kind, for this stay or for none."""
    mine = (one.resource for one in scene.person.care if one.stay in (None, scene.stay.id))
    return sorted((one for one in mine if one["resourceType"] == kind), key=lambda one: str(one["id"]))


def organization(context: CareContext, agency: str) -> Json:
    """A reference to an agency, with the name it is configured under."""
    name = context.agencies.get(agency)
    return {"reference": f"Organization/{agency}", **({"display": name} if name else {})}


def ended(scene: Scene, well: str, otherwise: str) -> str | None:
    """The status of what has ended: `entered-in-error`, `well` where the follow-up was kept, `otherwise` in every other case; None while it runs."""
    transition = scene.transition
    if transition.status == "void":
        return "entered-in-error" if transition.stay.state == "entered-in-error" else otherwise
    if transition.status == "closed":
        return well if transition.closed_as == ENDED_WELL else otherwise
    return None


def why_ended(scene: Scene) -> str:
    """Why what was derived is over, in a sentence; "" while it runs."""
    if scene.transition.status == "void":
        return "Entered in error." if scene.transition.stay.state == "entered-in-error" else "The discharge was cancelled."
    return f"Closed: {CLOSED_AS[scene.transition.closed_as]}." if scene.transition.closed_as else ""


def latest(recorded: Iterable[int]) -> datetime | None:
    """The newest of recorded times (microseconds UTC)."""
    newest = max(recorded, default=None)
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=newest) if newest is not None else None


def years(born: date, at: date) -> int:
    """Age in whole years."""
    return at.year - born.year - ((at.month, at.day) < (born.month, born.day))


def zone_of(name: str) -> ZoneInfo:
    """The IANA zone, UTC where the name is unknown."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _stands(condition: Json) -> bool:
    codes = {coding.get("code") for coding in condition.get("verificationStatus", {}).get("coding", [])}
    return not codes & {"entered-in-error", "refuted"}


def words(concept: Json | None) -> str:
    """A CodeableConcept in words: its text, else the first display, else the first code."""
    concept = concept or {}
    codings = concept.get("coding") or []
    shown = (str(coding.get(key) or "") for key in ("display", "code") for coding in codings)
    return str(concept.get("text") or next((text for text in shown if text), ""))
