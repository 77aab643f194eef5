"""The small thing that a store is: what the journey writes, and what readers read. Two implementations: SQLite and PostgreSQL.

Words. An *input* is a row of the inbox. A *partition* is a set of people who were ever connected by an identifier or a merge: the unit that is
folded and locked; who is who inside it is decided by the fold, never by the store. A *recipient* is whose view a row belongs to: `ALL` (operator and
coordinator: everything) or an agency's id. A *version* is one state of a resource as one recipient may see it. A *position* is the place of a
committed row in commit order; `updated` (what FHIR calls lastUpdated) rises with it, strictly, also if the clock steps back.

Shared resources (Practitioner, Organization, Location …) belong to no partition. They are written for `ALL` by `put_shared`; an agency has its own
versions of one exactly while something that it sees refers to it: while a current version of its own has the term `(REFERS, "Practitioner/<id>")`.
The store makes and deletes those versions; readers see no difference.

Every write happens inside one transaction of the store, by one writer at a time per partition. Times are microseconds since 1970 UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, Unpack

from gateway.errors import Unavailable
from gateway.store.app_grants import Grants
from gateway.store.clients import ClientRow as ClientRow  # with the rest of the interface, for whoever is given a store
from gateway.store.clients import TokenRow as TokenRow
from gateway.store.exports import Exports
from gateway.store.invitations import Invitations
from gateway.store.signing_keys import SigningKeys
from gateway.store.subscriptions import Subscriptions
from gateway.store.upkeep import Upkeep
from gateway.store.users import Users
from gateway.store.wanted import Wanted

ALL = "*"
"""The recipient that sees everything: the coordinator's and the operator's view."""

REFERS = "_refers"
"""The search term by which a version says that it refers to a shared resource: ("_refers", "Practitioner/<id>"). It is no search parameter."""

HOUR = 3_600_000_000
"""Microseconds."""

InputState = Literal["processed", "quarantined", "duplicate"]


@dataclass(frozen=True, slots=True)
class Input:
    """One row of the inbox: what was received, verbatim, and what came of it."""

    id: int  # 0 until stored
    kind: str  # "hl7v2" | "fhir-message" | "fhir-bundle" | "fhir-write" | "decision" | "opening"
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


Terms = Sequence[tuple[str, str]]
"""(search parameter, value) pairs."""


class NewVersion(NamedTuple):
    """A version to append. `body` is the JSON without meta.versionId and meta.lastUpdated; None deletes. `terms` are (search parameter, value) pairs
    to index: found by `search` while this version is the current one."""

    recipient: str
    type: str
    id: str
    body: bytes | None
    terms: Terms | Callable[[], Terms] = ()  # a function is asked only where the body differs: most of a refold's versions do not


class Version(NamedTuple):
    """A version read back."""

    type: str
    id: str
    number: int
    updated: int
    position: int
    body: bytes | None
    partition: int


class Past(NamedTuple):
    """A version as a recipient had it at some moment."""

    version: Version
    superseded: bool  # a later one has followed since


class Measured(NamedTuple):
    """What the measure counts of a transition, kept apart so that a year is read without the rest. It may differ only where the row's body does."""

    day: str  # of the discharge, "2026-12-01"
    body: bytes


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
    measured: Measured | None = None  # of the coordinator's row alone; `Reader.measured` reads it, and no row that is read back has it


@dataclass(frozen=True, slots=True)
class Change:
    """All that one input (or a waking clock) changes in one partition."""

    partition: int
    versions: Sequence[NewVersion] = ()
    transitions: Sequence[TransitionRow] = ()
    next_look: int | None = None
    audit: Sequence[bytes] = ()  # AuditEvent bodies
    whole: bool = False  # versions and transitions are all there is of the partition: what is not among them is deleted, or withdrawn


class SharedRow(NamedTuple):
    """The newest word on a Practitioner, Organization or Location: order is the recorded order's sort key."""

    key: str
    order: str
    digest: bytes


class Busy(Unavailable):
    """Another process is writing of the same people; try again in another transaction.

    What the savepoint wrote that raised this is undone, and the rest of the transaction stands. Where the commit raised it, nothing is kept.
    """


class Writer(Protocol):
    """One open transaction. Raises `gateway.errors.Unavailable` when the store cannot take it; then nothing of the transaction is kept.

    For `Busy`, see there.
    """

    # the inbox
    def accepted(self, feed: str, control_id: str, digest: bytes) -> Input | None:
        """The input with these three that is `processed`. There is at most one: what may happen twice (a REST write) needs its own control ID."""

    def refused(self, feed: str, control_id: str, digest: bytes) -> Input | None:
        """The first input with these three that is `quarantined`: it is tried anew under its own row, by `settle_input`."""

    def input(self, id: int) -> Input | None: ...
    def control_id_reused(self, feed: str, control_id: str, digest: bytes) -> bool:
        """Is there a processed input of the same feed and control ID with other bytes?"""

    def add_input(self, input: Input) -> int:
        """Stores it and returns its id. A duplicate (`original` set) keeps no bytes of its own: reading it back gives the original's."""

    def settle_input(self, input: Input) -> None:
        """Replaces all but what was received (kind, feed, control ID, digest, received, raw) of the row with its id."""

    # partitions and statements
    def partitions(self, keys: Sequence[str]) -> list[int]:
        """The partitions that any of the keys is bound to, lowest first."""

    def bind(self, keys: Sequence[str], partition: int | None) -> int:
        """Binds those keys that are not bound yet to the partition, a new one for None, and returns it."""

    def join(self, partitions: Sequence[int]) -> int:
        """Makes one of several: keys, statements, resources, transitions and the earliest next look go to the lowest, which it returns."""

    def partition_of(self, type: str, id: str) -> int | None:
        """The partition that a resource, or a transition (type "Transition"), belongs to. None: unknown; 0: shared."""

    def statements(self, partition: int) -> list[tuple[int, bytes]]:
        """(input, blob) in order of input."""

    def told(self, input: int) -> list[int]:
        """The partitions that the input said something of, lowest first."""

    def put_statements(self, input: int, bodies: Mapping[int, bytes]) -> None:
        """Replaces what the input said: one blob for each partition."""

    def clear_statements(self) -> None:
        """For a rebuild: drops statements, keys, partitions and shared rows. Resources and transitions keep their versions, and belong to nobody
        until `apply` or `put_shared` writes them again, changed or not."""

    # results
    def heads(self, partition: int) -> dict[tuple[str, str, str], Head]:
        """By (recipient, type, id); deleted ones are among them, with an empty digest."""

    def transition_rows(self, partition: int) -> dict[tuple[str, str], TransitionRow]:
        """By (recipient, id); withdrawn ones are among them, with `body` None."""

    def shared(self, keys: Sequence[str]) -> dict[str, SharedRow]: ...
    def put_shared(self, rows: Iterable[tuple[SharedRow, NewVersion | None]]) -> None:
        """Remembers the newest words, and writes the versions (for `ALL`; agencies' own follow)."""

    def apply(self, change: Change) -> None:
        """Writes what differs: a version or row equal to the current one is not written again and moves nothing, and deleting or withdrawing what the
        recipient never had, or has no more, does nothing. `next_look` replaces the partition's (None: no waking)."""

    def orphans(self) -> list[Head]:
        """After `clear_statements` and all `apply`: current versions that nobody claimed, to be deleted by a Change of partition 0."""

    def orphan_transitions(self) -> list[TransitionRow]:
        """Likewise, to be withdrawn."""

    # the clock
    def tick(self) -> int:
        """A moment for something decided in this transaction: now, and strictly above every one given before, also if the clock stepped back."""

    def due(self, now: int, limit: int) -> list[int]:
        """Partitions whose next look has come, the longest waiting first."""

    def savepoint(self) -> AbstractContextManager[None]:
        """One input of a group: what is written inside is undone if it raises, and the rest of the transaction stands."""


class Heard(NamedTuple):
    """One hour (number since 1970 UTC) in which a feed was heard: inputs of any state, those that were quarantined, and when the last one came."""

    hour: int
    inputs: int
    quarantined: int
    last: int


class Filter(NamedTuple):
    """What `messages list` may ask for."""

    state: str = ""
    feed: str = ""
    since: int | None = None
    control_id: str = ""
    identifiers: tuple[str, ...] = ()  # MRNs and visit numbers, each of which it must name
    contains: bytes = b""
    limit: int | None = None
    before: int | None = None  # only inputs with a lower id
    oldest_first: bool = False


class Reader(Protocol):
    """A consistent look at what is committed when it begins. Iterators are lazy, and end with it."""

    def read(self, recipient: str, type: str, id: str) -> Version | None:
        """The current version, deleted ones included (`body` None); None if the recipient never had one."""

    def vread(self, recipient: str, type: str, id: str, number: int) -> Version | None: ...
    def history(self, recipient: str, type: str, id: str, limit: int, before: int | None = None) -> list[Version]:
        """Newest first; `before`: only version numbers below it."""

    def versions(self, recipient: str, type: str, *, limit: int, before: int | None = None, since: int | None = None) -> list[Version]:
        """Every version of a type, deletions among them, newest first: positions below `before`, and not below `since`."""

    def search(self, recipient: str, type: str, **wanted: Unpack[Wanted]) -> list[Version]:
        """Current versions in order of position."""

    def count(self, recipient: str, type: str, **wanted: Unpack[Wanted]) -> int:
        """How many `search` would find."""

    def export(self, recipient: str, type: str | None = None) -> Iterator[Version]:
        """Every current version, type by type."""

    def as_of(self, recipient: str, type: str, *, moment: int, after: int, until: int, limit: int) -> list[Past]:
        """What the recipient had of a type at a moment, deleted resources among it, in order of position: those above `after`, up to `until`.
        Once that moment is over, the answer is the same for ever."""

    def ids(self, recipient: str, type: str) -> list[tuple[str, int]]:
        """(id, partition) of the current resources of a type, in order of position."""

    def types(self, recipient: str) -> list[str]:
        """The types of which the recipient has, or had, a resource; by name."""

    def last(self) -> int:
        """The last position that was given out to anybody. It tells a process that another one has committed."""

    def feed(self, recipient: str, after: int, limit: int) -> list[TransitionRow]:
        """Rows that changed after a position, in order of position, withdrawn ones among them."""

    def position(self, recipient: str) -> int:
        """The position of the recipient's last change in its feed; 0 when there is none."""

    def worklist(self, recipient: str, *, flagged: bool = False, status: str = "", limit: int | None = None, offset: int = 0) -> list[TransitionRow]:
        """In order of tier, due, id; without the withdrawn."""

    def measured(self, first: str, last: str) -> Iterator[Measured]:
        """What the measure counts of discharges from one day to another, both of them included, in the order of days and bodies."""

    def transition(self, recipient: str, id: str) -> TransitionRow | None:
        """The row, also if withdrawn (`body` None)."""

    def messages(self, filter: Filter) -> Iterator[Input]:
        """Inputs, newest first unless `oldest_first`."""

    def told(self, keys: Sequence[str]) -> dict[int, list[tuple[int, bytes]]]:
        """The statements of each partition that any of the keys is bound to, as `Writer.statements` gives them."""

    def feeds(self) -> list[str]:
        """The feeds that were ever heard, by name."""

    def heard(self, feed: str, limit: int) -> list[Heard]:
        """The hours in which the feed was heard, newest first."""

    def audit(self, after: int, limit: int) -> list[tuple[int, int, bytes]]:
        """(number, recorded, AuditEvent body) in the order written, from numbers above `after`."""

    def counts(self, *names: str, at_most: int | None = None) -> dict[str, int]:
        """Inputs by state ("processed", "quarantined", "duplicate"), "transitions" and those "flagged"; or what is named of that alone.

        `at_most`: nothing is counted further, so that the cost does not grow with what is stored.
        """


class Credentials(Protocol):
    """Clients, tokens and spent assertions. Each call is a short transaction of its own; wall-clock seconds throughout.
    Never call one inside `Store.write` of the same thread: it would wait for itself."""

    @property
    def users(self) -> Users: ...
    @property
    def grants(self) -> Grants: ...
    @property
    def invitations(self) -> Invitations: ...
    def add_client(self, client: ClientRow) -> None:
        """Adds it; a known id is replaced."""

    def client(self, id: str) -> ClientRow | None: ...
    def clients(self) -> list[ClientRow]: ...
    def revoke_client(self, id: str, at: int) -> bool:
        """Revokes it and drops its tokens. False: unknown, or revoked before."""

    def spend_jti(self, client: str, jti: str, keep_until: int) -> bool:
        """True for whoever spends this assertion first, until `keep_until`."""

    def add_token(self, token: TokenRow) -> None: ...
    def token(self, digest: bytes) -> TokenRow | None:
        """The token, expired or not, unless it was revoked or purged."""

    def revoke_token(self, digest: bytes) -> bool: ...


class Store(Protocol):
    """Opened by the composition root alone; everybody else is given it."""

    @property
    def credentials(self) -> Credentials: ...
    @property
    def signing_keys(self) -> SigningKeys: ...
    @property
    def exports(self) -> Exports: ...
    @property
    def subscriptions(self) -> Subscriptions: ...
    @property
    def upkeep(self) -> Upkeep: ...
    def installation_key(self) -> bytes: ...
    def write(self, now: int) -> AbstractContextManager[Writer]: ...
    def reading(self) -> AbstractContextManager[Reader]: ...
    def close(self) -> None: ...
