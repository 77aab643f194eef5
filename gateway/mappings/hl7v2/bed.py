"""NPU (A20) -> Location: the status of a bed, of nobody's stay."""

from __future__ import annotations

from gateway.mappings import tables
from gateway.mappings.hl7v2 import datatypes, shared
from gateway.mappings.hl7v2.context import Context

_STATUSES = tables.codings("0116-bed-status")


def bed(context: Context) -> None:
    """The bed of NPU-1 as a Location that is shared, with its operational status (NPU-2)."""
    for npu in context.message.all("NPU"):
        place = context.one(npu, 1)
        reference = shared.location(context, place)
        if reference is None:
            continue
        status = datatypes.tabled(context, context.one(npu, 2), _STATUSES, ("bed-status", "0116"), "NPU-2")
        known = context.shared.get(reference["reference"])
        if known is not None and status and status.get("coding"):
            resource = {**known.resource, "operationalStatus": status["coding"][0]}
            context.shared[reference["reference"]] = known._replace(resource=resource)
