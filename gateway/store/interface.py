"""The small thing that a store is: what the journey writes, and what readers read. Two implementations: SQLite and PostgreSQL.

Words. An *input* is a row of the inbox. A *partition* is a set of people who were ever connected by an identifier or a merge: the unit that is
folded and locked; who is who inside it is decided by the fold, never by the store. A *recipient* is whose view a row belongs to: `ALL` (operator and
coordinator: everything) or an agency's id. A *version* is one state of a resource as one recipient may see it. A *position* is the place of a committed group's row in commit order.

Every write happens inside one transaction of the store, by one writer at a time per partition. Times are microseconds since 1970 UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

ALL = "*"
"""The recipient that sees everything: the coordinator's and the operator's view."""

InputState = Literal["processed", "quarantined", "duplicate"]


@dataclass(frozen=True, slots=True)
class Input:
    """One row of the inbox: what was received, verbatim, and what came of it."""

    id: int  # 0 until stored
    kind: str  # "hl7v2" | "fhir-message" | "fhir-bundle" | "fhir-write" | "decision"
    feed: str
    control_id: str
    digest: bytes  # SHA-256 of raw
    received: int
    raw: bytes
    about: Mapping[str, str] = field(default_factory=dict)  # what the bytes alone do not say: method, path, client, agency, If-Match …
    event: str = ""
    state: InputState = "processed"
    answer: bytes = b""  # the ACK or response body that the sender got
    error: str = ""  # plain words; "" when processed
    location: str = ""
    original: int | None = None  # of a duplicate: the input that was accepted first
    identifiers: tuple[str, ...] = ()  # MRNs and visit numbers found in it, for search


class Head(NamedTuple):
    """The newest version of a resource for a recipient."""

    recipient: str
    type: str
    id: str
    number: int  # versionId
    digest: bytes  # of body; b"" when deleted
    position: int
    updated: int


class NewVersion(NamedTuple):
    """A version to append. `body` is the JSON without meta.versionId and meta.lastUpdated; None deletes. `terms` are (search parameter, value) pairs to index."""

    recipient: str
    type: str
    id: str
    body: bytes | None
    terms: tuple[tuple[str, str], ...] = ()


class Version(NamedTuple):
    """A version read back."""

    type: str
    id: str
    number: int
    updated: int
    position: int
    body: bytes | None
    partition: int


class TransitionRow(NamedTuple):
    """A transition's latest state for a recipient, at the position of its last change that this recipient may see. `body` None: withdrawn."""

    recipient: str
    id: str
    body: bytes | None
    status: str
    flagged: bool
    tier: int  # 0 urgent, 1 high, 2 standard
    due: int  # for the list's order; a far future when nothing is due
    hospital: str = ""
    agency: str = ""
    position: int = 0
    updated: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """All that one input (or a waking clock) changes in one partition."""

    partition: int
    versions: Sequence[NewVersion] = ()
    transitions: Sequence[TransitionRow] = ()
    next_look: int | None = None
    audit: Sequence[bytes] = ()  # AuditEvent bodies


class SharedRow(NamedTuple):
    """The newest word on a Practitioner, Organization or Location: order is the recorded order's sort key."""

    key: str
    order: str
    digest: bytes


class Writer(Protocol):
    """One open transaction. Raises `gateway.errors.Unavailable` when the store cannot take it."""

    # the inbox
    def accepted(self, feed: str, control_id: str, digest: bytes) -> Input | None: ...
    def refused(self, feed: str, control_id: str, digest: bytes) -> Input | None: ...
    def input(self, id: int) -> Input | None: ...
    def control_id_reused(self, feed: str, control_id: str, digest: bytes) -> bool: ...
    def add_input(self, input: Input) -> int: ...
    def settle_input(self, input: Input) -> None: ...

    # partitions and statements
    def partitions(self, keys: Sequence[str]) -> list[int]: ...
    def bind(self, keys: Sequence[str], partition: int | None) -> int: ...
    def join(self, partitions: Sequence[int]) -> int: ...
    def partition_of(self, type: str, id: str) -> int | None: ...
    def statements(self, partition: int) -> list[tuple[int, bytes]]: ...
    def put_statements(self, input: int, bodies: Mapping[int, bytes]) -> None: ...
    def clear_statements(self) -> None: ...

    # results
    def heads(self, partition: int) -> dict[tuple[str, str, str], Head]: ...
    def transition_rows(self, partition: int) -> dict[tuple[str, str], TransitionRow]: ...
    def shared(self, keys: Sequence[str]) -> dict[str, SharedRow]: ...
    def put_shared(self, rows: Iterable[tuple[SharedRow, NewVersion | None]]) -> None: ...
    def apply(self, change: Change) -> None: ...

    # the clock
    def due(self, now: int, limit: int) -> list[int]: ...

    def savepoint(self) -> AbstractContextManager[None]: ...


class Filter(NamedTuple):
    """What `messages list` may ask for."""

    state: str = ""
    feed: str = ""
    since: int | None = None
    control_id: str = ""
    identifier: str = ""
    contains: bytes = b""
    limit: int | None = None
    before: int | None = None


class Reader(Protocol):
    """A consistent look at what is committed."""

    def read(self, recipient: str, type: str, id: str) -> Version | None: ...
    def vread(self, recipient: str, type: str, id: str, number: int) -> Version | None: ...
    def history(self, recipient: str, type: str, id: str, limit: int, before: int | None = None) -> list[Version]: ...
    def search(
        self,
        recipient: str,
        type: str,
        *,
        terms: Sequence[tuple[str, Sequence[str]]] = (),
        updated_after: int | None = None,
        updated_before: int | None = None,
        partition: int | None = None,
        after: int | None = None,
        limit: int | None = None,
    ) -> list[Version]: ...
    def export(self, recipient: str, type: str | None = None) -> Iterator[Version]: ...
    def feed(self, recipient: str, after: int, limit: int) -> list[TransitionRow]: ...
    def position(self, recipient: str) -> int: ...
    def worklist(
        self, recipient: str, *, flagged: bool = False, status: str = "", limit: int | None = None, offset: int = 0
    ) -> list[TransitionRow]: ...
    def transition(self, recipient: str, id: str) -> TransitionRow | None: ...
    def messages(self, filter: Filter) -> Iterator[Input]: ...
    def counts(self) -> dict[str, int]: ...


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A SMART client as registered."""

    id: str
    role: str  # "agency" | "hospital" | "coordinator" | "operator"
    organization: str  # agency id, or hospital
    scopes: str  # space-separated
    jwks: str = ""  # JSON Web Key Set, inline
    jwks_url: str = ""
    feeds: tuple[str, ...] = ()
    created: int = 0
    revoked: int | None = None


class TokenRow(NamedTuple):
    """An access token, known by its SHA-256 alone."""

    digest: bytes
    client: str
    scopes: str
    expires: int  # seconds, wall clock
    issued: int
    detail: str = ""  # JSON: user, patient, launch context


class Credentials(Protocol):
    """Clients, tokens and spent assertions. Each call is a short transaction of its own; wall-clock seconds throughout."""

    def add_client(self, client: ClientRow) -> None: ...
    def client(self, id: str) -> ClientRow | None: ...
    def clients(self) -> list[ClientRow]: ...
    def revoke_client(self, id: str, at: int) -> bool: ...
    def spend_jti(self, client: str, jti: str, keep_until: int) -> bool: ...
    def add_token(self, token: TokenRow) -> None: ...
    def token(self, digest: bytes) -> TokenRow | None: ...
    def revoke_token(self, digest: bytes) -> bool: ...


class Store(Protocol):
    """Opened by the composition root alone; everybody else is given it."""

    credentials: Credentials

    def installation_key(self) -> bytes: ...
    def write(self, now: int) -> AbstractContextManager[Writer]: ...
    def reading(self) -> AbstractContextManager[Reader]: ...
    def close(self) -> None: ...
