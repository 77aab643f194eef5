"""The store's tables, as SQLAlchemy metadata: what the migrations lead to, for SQLite and PostgreSQL alike.

Nothing on a hot path imports this module. The first migration spells the same tables out, as they were then; a test compares the two.

One number orders everything that recipients see. A *position* is both the place of a row in commit order and its `lastUpdated` in
microseconds since 1970 UTC: the greater of the transaction's time and the last position plus one. It rises strictly even if the clock
steps back, so sequence, `_lastUpdated` and commit order cannot disagree.

Why it is laid out so (benchmarks/store.py measures it):
- what grows for ever (raw, body, version, statement) is appended in commit order under integer keys, so pages fill one after another;
- what is looked up at random (term, partition_key) holds small integers and short keys, one row for all recipients;
- what a fold reads and writes of one stay lies together: a resource's row holds its newest versions for every recipient;
- a body is stored once; every recipient who sees the same bytes refers to it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, SmallInteger, Table, Text
from sqlalchemy.types import TypeEngine

metadata = MetaData()

# A whole number of 64 bits. SQLite keeps rows under their INTEGER PRIMARY KEY, and only under exactly that type name.
_integer = BigInteger().with_variant(Integer, "sqlite")
# In order of its bytes, as SQLite has it.
_text = Text().with_variant(Text(collation="C"), "postgresql")


def _table(name: str, *columns: Column[Any] | Index, clustered: bool = False) -> Table:
    """A table; `clustered`: kept in order of its primary key (SQLite's WITHOUT ROWID)."""
    return Table(name, metadata, *columns, sqlite_with_rowid=not clustered)


def _column(name: str, type: TypeEngine[Any] = _integer, *, key: bool = False, null: bool = False) -> Column[Any]:
    return Column(name, type, primary_key=key, nullable=null, autoincrement=False)


# One row: the last position given out.
clock = _table("clock", _column("id", key=True), _column("position"))

# What the installation keeps about itself: its key.
setting = _table("setting", _column("name", _text, key=True), _column("value", LargeBinary()))

# Recipients, resource types and search parameters as small integers. Rows are never changed.
recipient = _table("recipient", _column("id", key=True), _column("name", _text), Index("recipient_name", "name", unique=True))
word = _table("word", _column("id", key=True), _column("name", _text), Index("word_name", "name", unique=True))

# The inbox. A duplicate is a light row without raw bytes that names the original.
input = _table(
    "input",
    _column("id", key=True),
    _column("kind", _text),
    _column("feed", _text),
    _column("control_id", _text),
    _column("digest", LargeBinary()),
    _column("received"),
    _column("about", _text),  # JSON object
    _column("event", _text),
    _column("state", _text),
    _column("answer", LargeBinary()),
    _column("error", _text),
    _column("location", _text),
    _column("original", null=True),
    _column("identifiers", _text),  # JSON array
)
_key = (input.c.control_id, input.c.feed, input.c.digest, input.c.state)
_processed, _quarantined, _duplicate = (input.c.state == state for state in ("processed", "quarantined", "duplicate"))
# Nothing accepted is counted twice, whatever a program does wrong.
Index("input_accepted", *_key, unique=True, sqlite_where=_processed, postgresql_where=_processed)
Index("input_refused", *_key, sqlite_where=_quarantined, postgresql_where=_quarantined)
Index("input_duplicate", input.c.original, input.c.state, sqlite_where=_duplicate, postgresql_where=_duplicate)

# The bytes as received, apart from the rest, so that lists and counts do not read them.
raw = _table("raw", _column("input", key=True), _column("bytes", LargeBinary()))

# MRNs and visit numbers found in an input, for search.
input_identifier = _table("input_identifier", _column("value", _text, key=True), _column("input", key=True), clustered=True)

# The hours (since 1970 UTC) in which each feed was heard: its rhythm, which the inbox's retention does not take away.
heard = _table(
    "heard",
    _column("feed", _text, key=True),
    _column("hour", key=True),
    _column("inputs"),
    _column("quarantined"),
    _column("last"),
    clustered=True,
)

# Partitions: sets of people ever connected. `next_look`: when the clock has to wake it.
partition = _table("partition", _column("id", key=True), _column("next_look", null=True))
Index("partition_due", partition.c.next_look, sqlite_where=partition.c.next_look.is_not(None), postgresql_where=partition.c.next_look.is_not(None))

# An identifier's 128-bit hash -> its partition.
partition_key = _table("partition_key", _column("hash", LargeBinary(), key=True), _column("partition"), clustered=True)
Index("partition_key_partition", partition_key.c.partition)

# What an input says of the people of a partition, one compact blob.
statement = _table("statement", _column("id", key=True), _column("partition"), _column("input"), _column("body", LargeBinary()))
Index("statement_partition", statement.c.partition)
Index("statement_input", statement.c.input)

# A resource's id as an integer; the partition that claims it (0 for shared ones, null while nobody does, during a rebuild); its newest version for
# each recipient with what is indexed of it, packed (gateway.store.heads): the writer's own memory, in one row however many recipients.
resource = _table(
    "resource",
    _column("id", key=True),
    _column("type"),
    _column("name", _text),
    _column("partition", null=True),
    _column("heads", LargeBinary()),
    _column("terms", LargeBinary()),
)
Index("resource_name", resource.c.name, resource.c.type, unique=True)
Index("resource_partition", resource.c.partition)

# Bodies, each under a position of its own.
body = _table("body", _column("position", key=True), _column("json", LargeBinary()))

# Every state of a resource that a recipient could see; `body` null: deleted. The one with the highest number is current.
version = _table(
    "version",
    _column("resource", key=True),
    _column("recipient", key=True),
    _column("number", key=True),
    _column("type"),
    _column("position"),
    _column("body", null=True),
    clustered=True,
)
Index("version_type", version.c.recipient, version.c.type, version.c.position)

# Search terms that some recipient's current version has; whose, `resource.terms` says.
term = _table("term", _column("parameter", key=True), _column("value", _text, key=True), _column("resource", key=True), clustered=True)

# How many current versions of a recipient refer to a shared resource ("Practitioner/…").
reference = _table("reference", _column("recipient", key=True), _column("target", _text, key=True), _column("count"), clustered=True)

# A transition's latest state for each recipient, at the position of its last change; `body` null: withdrawn.
transition = _table(
    "transition",
    _column("id", key=True),
    _column("name", _text),
    _column("recipient"),
    _column("partition", null=True),
    _column("position"),
    _column("status", _text),
    _column("flagged", SmallInteger()),
    _column("tier", SmallInteger()),
    _column("due"),
    _column("hospital", _text),
    _column("agency", _text),
    _column("shown", SmallInteger()),  # 0: withdrawn
    _column("body", LargeBinary(), null=True),
)
_order = (transition.c.tier, transition.c.due, transition.c.name)
_flagged = transition.c.flagged == 1
Index("transition_name", transition.c.name, transition.c.recipient, unique=True)
Index("transition_partition", transition.c.partition)
Index("transition_feed", transition.c.recipient, transition.c.position)
# Pages of the list, found without looking at a row: so every column of a question is in its index.
Index("transition_list", transition.c.recipient, transition.c.shown, *_order)
Index("transition_status", transition.c.recipient, transition.c.status, transition.c.shown, *_order)
Index(
    "transition_flagged",
    transition.c.recipient,
    transition.c.flagged,
    *_order,
    transition.c.status,
    sqlite_where=_flagged,
    postgresql_where=_flagged,
)

# What the measure counts of a transition as the coordinator sees it; `day` is "" where it counts nothing.
measured = _table("measured", _column("transition", key=True), _column("day", _text), _column("body", LargeBinary()), Index("measured_day", "day"))

# The newest word on a Practitioner, Organization or Location.
shared = _table("shared", _column("key", _text, key=True), _column("rank", _text), _column("digest", LargeBinary()), clustered=True)

# AuditEvents in the order in which they were written.
audit = _table("audit", _column("id", key=True), _column("recorded"), _column("body", LargeBinary()))

# SMART clients, access tokens (by their SHA-256) and spent assertions. Times are seconds.
client = _table(
    "client",
    _column("id", _text, key=True),
    _column("role", _text),
    _column("organization", _text),
    _column("scopes", _text),
    _column("jwks", _text),
    _column("jwks_url", _text),
    _column("feeds", _text),  # JSON array
    _column("created"),
    _column("revoked", null=True),
    _column("about", _text),  # JSON object: what an app is beyond that
)
token = _table(
    "token",
    _column("digest", LargeBinary(), key=True),
    _column("client", _text),
    _column("scopes", _text),
    _column("expires"),
    _column("issued"),
    _column("detail", _text),  # the app_grant that it was given for; "" where a client acts for itself
    clustered=True,
)
Index("token_expires", token.c.expires)
Index("token_client", token.c.client)
Index("token_detail", token.c.detail)
spent = _table("spent", _column("digest", LargeBinary(), key=True), _column("keep_until"), clustered=True)
Index("spent_keep_until", spent.c.keep_until)

# People who log in here, and their logins by the SHA-256 of the cookie. A person's name is never given to another.
account = _table(
    "account",
    _column("id", _text, key=True),
    _column("name", _text),
    _column("full_name", _text),
    _column("role", _text),
    _column("organization", _text),
    _column("practitioner", _text),
    _column("password", _text),
    _column("created"),
    _column("revoked", null=True),
    Index("account_name", "name", unique=True),
    clustered=True,
)
login = _table(
    "login",
    _column("digest", LargeBinary(), key=True),
    _column("account", _text),
    _column("at"),
    _column("expires"),
    Index("login_account", "account"),
    Index("login_expires", "expires"),
    clustered=True,
)

# What people let apps do, and what hangs on each grant, by its SHA-256: a code, refresh tokens (and access tokens, above).
app_grant = _table(
    "app_grant",
    _column("id", _text, key=True),
    _column("client", _text),
    _column("account", _text),
    _column("scopes", _text),
    _column("patient", _text),
    _column("encounter", _text),
    _column("login", LargeBinary(), null=True),
    _column("authenticated"),
    _column("created"),
    _column("expires"),
    Index("app_grant_expires", "expires"),
    clustered=True,
)
code = _table(
    "code",
    _column("digest", LargeBinary(), key=True),
    _column("granted", _text),
    _column("redirect_uri", _text),
    _column("challenge", _text),
    _column("nonce", _text),
    _column("expires"),
    _column("used", null=True),
    Index("code_granted", "granted"),
    clustered=True,
)
refresh = _table(
    "refresh",
    _column("digest", LargeBinary(), key=True),
    _column("granted", _text),
    _column("expires"),
    _column("used", null=True),
    Index("refresh_granted", "granted"),
    clustered=True,
)

# Launches that were begun here, each good for one use.
launch = _table(
    "launch",
    _column("digest", LargeBinary(), key=True),
    _column("client", _text),
    _column("patient", _text),
    _column("encounter", _text),
    _column("expires"),
    clustered=True,
)

# What clients subscribed to, and how far each has got (gateway.store.outbox). Times are microseconds by the wall clock.
subscription = _table(
    "subscription",
    _column("id", _text, key=True),
    _column("client", _text),
    _column("recipient", _text),
    _column("status", _text),
    _column("resource", LargeBinary()),
    _column("headers", _text),  # JSON array
    _column("created"),
    _column("updated"),
    _column("patience"),
    _column("number"),
    _column("error", _text),
    _column("events"),
    _column("delivered"),
    _column("again", _text),  # JSON array
    _column("failures"),
    _column("failing_since", null=True),
    _column("since"),  # a position
    _column("sent"),
    _column("due", null=True),
    _column("lease"),
)
_watched, _due = subscription.c.status != "off", subscription.c.due.is_not(None)
Index("subscription_client", subscription.c.client)
Index("subscription_watched", subscription.c.recipient, sqlite_where=_watched, postgresql_where=_watched)
Index("subscription_due", subscription.c.due, sqlite_where=_due, postgresql_where=_due)

# Changes of watched transitions that nobody has looked at yet: how the recipient saw it, and how it sees it now; null: not at all.
outbox = _table(
    "outbox",
    _column("position", key=True),
    _column("recipient"),
    _column("transition", _text),
    _column("was", LargeBinary(), null=True),
    _column("became", LargeBinary(), null=True),
)

# What was an event of which subscription.
subscription_event = _table(
    "subscription_event",
    _column("subscription", _text, key=True),
    _column("number", key=True),
    _column("transition", _text),
    _column("at"),  # the position of the change
    _column("recorded"),
    _column("detail", _text),
    Index("subscription_event_recorded", "recorded"),
    clustered=True,
)

# The addresses below which a client may be notified.
client_endpoint = _table("client_endpoint", _column("client", _text, key=True), _column("prefix", _text, key=True), clustered=True)

# The issuer's keys, as JWKs. The newest signs; `private` is "" from the moment another one does.
signing_key = _table(
    "signing_key", _column("kid", _text, key=True), _column("created"), _column("public", _text), _column("private", _text), clustered=True
)

# Leave to register one client (RFC 7591's initial access token), by its SHA-256: what the client may be at most.
invitation = _table(
    "invitation",
    _column("digest", LargeBinary(), key=True),
    _column("role", _text),
    _column("organization", _text),
    _column("scopes", _text),
    _column("feeds", _text),
    _column("expires"),
    clustered=True,
)

# Bulk exports: what was asked for, and which stretches of versions its files are. Times are seconds, `moment` is a position.
bulk_export = _table(
    "bulk_export",
    _column("id", _text, key=True),
    _column("client", _text),
    _column("recipient", _text),
    _column("request", _text),
    _column("asked", _text),  # JSON object
    _column("created"),
    _column("expires"),
    _column("moment"),
    _column("progress", _text),
    _column("state", _text),
    _column("files", _text),  # JSON array
    _column("worker", _text),
    _column("leased"),
    Index("bulk_export_open", "state", "created", "id"),
    Index("bulk_export_expires", "expires"),
)
