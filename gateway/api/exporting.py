"""Bulk exports over HTTP: kick-off, status, cancelling, files. Bulk Data Access 2.0.0: https://hl7.org/fhir/uv/bulkdata/STU2/export.html

A job is its client's own: nobody else's token, and no other view, finds it. Files take a token that reaches the type, when they are downloaded.
"""

from __future__ import annotations

import asyncio
import secrets
import time
import zlib
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlencode

import orjson
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from gateway.api import groups
from gateway.api.access import view
from gateway.api.answers import PRIVATE, Answer, FhirResponse
from gateway.api.auditing import exported
from gateway.api.capabilities import Offer, Operation
from gateway.api.export_content import ERROR, OUTPUT, Extent, Stretch, extent, lines, page
from gateway.api.export_request import Asked, leave, loaded, read
from gateway.api.export_work import whoever_asked
from gateway.api.rates import Buckets, Rate
from gateway.api.requests import Call, prefers_gzip
from gateway.api.services import Services
from gateway.errors import Forbidden, Malformed, NotAcceptable, NotFound, TooMany
from gateway.fhir import times
from gateway.fhir.outcome import Issue, outcome
from gateway.privacy.audit import EXPORT, Shown, shown
from gateway.smart.access import Caller
from gateway.store.exports import ExportRow

_DEFINITION = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/"
OFFER = Offer(
    operations=(
        Operation("export", f"{_DEFINITION}export"),
        Operation("export", f"{_DEFINITION}patient-export", ("Patient",)),
        Operation("export", f"{_DEFINITION}group-export", ("Group",)),
    ),
    guides=("http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data",),
)

KEPT = 24 * 3600
"""Seconds until a job, and with it its files, is no more."""
AT_ONCE = 5
"""Jobs that a client may have under way."""
POLLS = Rate(per_second=10, burst=50)
"""How often the status of a job may be asked for."""
RETRY = 1
"""Seconds after which to ask again."""
_NDJSON = "application/fhir+ndjson"
_TAKEN = ("application/fhir+ndjson", "application/ndjson", "ndjson", "application/x-ndjson", "application/fhir+json", "application/json")


class Exporting:
    """The export operations. `wall` gives seconds for expiry, `steady` seconds that never step back."""

    def __init__(self, services: Services, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._services, self._store, self._wall = services, services.store, wall
        self._polls = Buckets(POLLS, steady)

    # --- kick-off

    def kick_off(self, caller: Caller, call: Call) -> Answer:
        """Take a job: of the whole view, of all patients, or of a Group. Raises what `export_request.read` does, NotFound, and TooMany."""
        if not call.prefers("respond-async"):
            raise Malformed("An export is answered later, and has to be asked for so", location="Prefer", advice="Send Prefer: respond-async.")
        agency = groups.agency_of(self._services, caller, call.path[1]) if call.path[0] == "Group" else ""
        with view(self._store, caller.recipient) as look:
            asked = read(caller, call, look, "" if agency == caller.recipient else agency)
        now = int(self._wall())
        id = secrets.token_hex(16)
        row = ExportRow(id, caller.client, caller.recipient, self._request(call), asked.dumped(), now, now + KEPT)
        if not self._store.exports.add(row, AT_ONCE):
            raise TooMany("This client has too many exports under way", advice="Wait for one of them, or cancel it.")
        taken = outcome([Issue("informational", "The export is under way.", severity="information")])
        return FhirResponse(taken, 202, {"Content-Location": self._address(id)})

    def _request(self, call: Call) -> str:
        address = "/".join([self._services.fhir_url, *call.path])
        return f"{address}?{urlencode(call.parameters)}" if call.parameters else address

    def _address(self, *steps: str) -> str:
        return "/".join([self._services.base_url, "api/exports", *steps])

    # --- what became of it

    def status(self, caller: Caller, id: str) -> Answer:
        """How far it is; the manifest when it is done. Raises NotFound for whose it is not, TooMany for who asks too often."""
        row, asked = self._own(caller, id)
        if wait := self._polls.take(id):
            raise TooMany("The status is asked for too often", advice="Wait as long as Retry-After says.", wait=int(wait) + 1)
        if row.state == "failed":
            failed = outcome([Issue("exception", "The gateway failed on this export. Ask for it again.", severity="fatal")])
            return FhirResponse(failed, 500)
        if row.state == "open":
            return Answer(status=202, headers={"X-Progress": row.progress or "waiting", "Retry-After": str(RETRY)})
        return _Manifest(self._manifest(row, asked), headers={"Expires": times.http_date(row.expires * 1_000_000)})

    def _manifest(self, row: ExportRow, asked: Asked) -> bytes:
        items: dict[str, list[object]] = {"output": [], "deleted": [], "error": []}
        for number, each in enumerate(_files(row)):
            type = "Bundle" if each.kind not in (OUTPUT, ERROR) else each.type
            items[each.kind].append({"type": type, "url": self._address(row.id, f"{number}.ndjson"), "count": each.size})
        about = {"transactionTime": times.instant(row.moment), "request": row.request, "requiresAccessToken": True}
        return orjson.dumps({**about, **items})

    def cancel(self, caller: Caller, id: str) -> Answer:
        """Forget the job and its files. Raises NotFound."""
        self._own(caller, id)
        self._store.exports.drop(id)
        return FhirResponse(outcome([Issue("informational", "The export is cancelled.", severity="information")]), 202)

    def _own(self, caller: Caller, id: str) -> tuple[ExportRow, Asked]:
        row = self._store.exports.get(id)
        if row is not None and row.client == caller.client and row.recipient == caller.recipient and row.expires > self._wall():
            asked = loaded(row.asked)
            if asked.user == caller.user:
                return row, asked
        raise NotFound("There is no such export", location="address", advice="It may have been cancelled, or have expired. Ask for it again.")

    # --- files

    async def file(self, caller: Caller, call: Call, id: str, name: str) -> Response:
        """One file, read from the store while it is sent. Raises NotFound, Forbidden where the token does not reach the type, Unavailable."""
        _check_format(call)
        row, asked = self._own(caller, id)
        number = name.removesuffix(".ndjson")
        files = _files(row)
        if row.state != "done" or not number.isascii() or not number.isdigit() or len(number) > 6 or int(number) >= len(files):
            raise NotFound("There is no such file", location="address")
        pieces = self._pieces(caller, row, asked, files[int(number)], f"{id}/{name}")
        first = await anext(pieces, b"")  # what fails is told before anything is sent
        headers = {**PRIVATE, "Vary": "Accept-Encoding"}
        sent = _following(first, pieces)
        if prefers_gzip(call):
            sent, headers["Content-Encoding"] = _gzipped(sent), "gzip"
        return StreamingResponse(sent, media_type=_NDJSON, headers=headers)

    async def _pieces(self, caller: Caller, row: ExportRow, asked: Asked, file: Stretch, name: str) -> AsyncIterator[bytes]:
        if file.kind == ERROR:
            yield b"".join(note.encode() + b"\n" for note in asked.notes)
            return
        leaves = (*leave(whoever_asked(row, asked), file.type), *leave(caller, file.type))
        of = await asyncio.to_thread(self._extent, row, asked)
        after: int | None = file.after

        def piece(after: int) -> tuple[bytes, int | None]:
            """One page; what it shows is audited before it is sent."""
            self._check_standing(caller, row)
            with view(self._store, row.recipient) as look:
                found = page(look, of, leaves, file.type, after, file.until)
            told = lines(found, file.kind)
            if told:
                records = shown(found.found if file.kind == OUTPUT else ())
                exported(self._services, caller, Shown((), ((EXPORT, name),), records.patients, records.consents), row.request)
            return b"".join(told), found.following

        while after is not None:
            sent, after = await asyncio.to_thread(piece, after)
            if sent:
                yield sent

    def _extent(self, row: ExportRow, asked: Asked) -> Extent:
        with view(self._store, row.recipient) as look:
            return extent(look, asked, row.moment)

    def _check_standing(self, caller: Caller, row: ExportRow) -> None:
        """Whoever was revoked, or cancelled, while a file is sent gets no more of it."""
        client = self._store.credentials.client(caller.client)
        if (client is not None and client.revoked is not None) or self._store.exports.get(row.id) is None:
            raise Forbidden("This export is over")


class _Manifest(Answer):
    media_type = "application/json"


def _files(row: ExportRow) -> list[Stretch]:
    return [Stretch(*each) for each in orjson.loads(row.files or "[]")]


def _check_format(call: Call) -> None:
    kinds = [each.partition(";")[0].strip().lower() for each in (call.header("accept") or "*/*").split(",")]
    if not any(kind in _TAKEN or kind in ("*/*", "application/*") for kind in kinds):
        raise NotAcceptable("Files are to be had in NDJSON alone", location="Accept", advice="Ask for application/fhir+ndjson.")


async def _following(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for each in rest:
        yield each


async def _gzipped(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    packer = zlib.compressobj(wbits=31)  # 31: with gzip's header and trailer
    async for each in pieces:
        if packed := await asyncio.to_thread(packer.compress, each):
            yield packed
    yield packer.flush()
