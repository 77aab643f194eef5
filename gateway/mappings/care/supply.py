"""How long a supply of medication lasts."""

from __future__ import annotations

from datetime import date, timedelta

from gateway.records.statements import Json

DAYS_OF = {"d": 1, "day": 1, "days": 1, "wk": 7, "week": 7, "weeks": 7, "mo": 30, "month": 30, "months": 30}
"""Units of time (UCUM, and what people write) in days."""
LONGEST = 10 * 366


def end(resource: Json) -> date | None:
    """The day on which what a MedicationRequest orders, or a MedicationDispense gave, runs out; None where it does not say, or nothing sensible."""
    if resource["resourceType"] == "MedicationDispense":
        return _after(resource.get("whenHandedOver") or resource.get("whenPrepared"), resource.get("daysSupply", {}))
    dispense = resource.get("dispenseRequest", {})
    return _after(resource.get("authoredOn"), dispense.get("expectedSupplyDuration", {})) or _day(dispense.get("validityPeriod", {}).get("end"))


def _after(begun: object, supply: Json) -> date | None:
    start, value = _day(begun), supply.get("value")
    days = DAYS_OF.get(str(supply.get("code") or supply.get("unit") or "").casefold())
    if start and days and isinstance(value, int | float) and 0 < value * days <= LONGEST:
        return start + timedelta(days=int(value * days))
    return None


def dosages(resource: Json) -> list[Json]:
    """The dosages of a MedicationRequest or MedicationStatement; a MedicationAdministration has one, of another shape, without a time."""
    found = resource.get("dosageInstruction") or resource.get("dosage") or []
    return found if isinstance(found, list) else []


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None
