# ruff: noqa: S608, S105 — every part below is a constant of this module, and "token" here is a table
"""Every fixed statement that a store runs, each with its purpose, as SQLite writes it.
(`reader.search` and `reader.messages` compose theirs from parts.)

PostgreSQL runs the same: `gateway.store.postgres.dialect` turns a statement into its words, and has others for what is written many rows at once.
"""

# --- positions and names

LAST_POSITION = "SELECT position FROM clock WHERE id = 1"
"""The last position given out, read when a transaction begins."""
SET_POSITION = "INSERT INTO clock (id, position) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET position = excluded.position"
"""The last position given out, kept when a transaction commits."""

FIND_RECIPIENT = "SELECT id FROM recipient WHERE name = ?"
ADD_RECIPIENT = "INSERT INTO recipient (id, name) SELECT coalesce(max(id), 0) + 1, ? FROM recipient WHERE true ON CONFLICT DO NOTHING"
ALL_RECIPIENTS = "SELECT id, name FROM recipient"
"""Recipients by number."""
FIND_WORD = "SELECT id FROM word WHERE name = ?"
ADD_WORD = "INSERT INTO word (id, name) SELECT coalesce(max(id), 0) + 1, ? FROM word WHERE true ON CONFLICT DO NOTHING"
ALL_WORDS = "SELECT id, name FROM word"
"""Resource types and search parameters by number."""

GET_SETTING = "SELECT value FROM setting WHERE name = ?"
ADD_SETTING = "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING"
"""A setting that is made once; whoever comes second keeps the first one's."""

# --- the inbox

INPUT_COLUMNS = (
    "i.id, i.kind, i.feed, i.control_id, i.digest, i.received, r.bytes, i.about, i.event, i.state, i.answer, i.error, i.location, "
    "i.original, i.identifiers"
)
INPUT_FROM = "FROM input i LEFT JOIN raw r ON r.input = coalesce(i.original, i.id)"
"""A duplicate's bytes are its original's."""

ACCEPTED = f"SELECT {INPUT_COLUMNS} {INPUT_FROM} WHERE i.control_id = ? AND i.feed = ? AND i.digest = ? AND i.state = 'processed'"
"""Was exactly this taken before?"""
REFUSED = (
    f"SELECT {INPUT_COLUMNS} {INPUT_FROM} WHERE i.control_id = ? AND i.feed = ? AND i.digest = ? AND i.state = 'quarantined' ORDER BY i.id LIMIT 1"
)
"""Was exactly this refused before? Then it is tried anew under its row."""
REUSED = "SELECT 1 FROM input WHERE control_id = ? AND feed = ? AND digest <> ? AND state = 'processed' LIMIT 1"
"""Did the sender use this control ID for something else?"""
GET_INPUT = f"SELECT {INPUT_COLUMNS} {INPUT_FROM} WHERE i.id = ?"
ADD_INPUT = (
    "INSERT INTO input (kind, feed, control_id, digest, received, about, event, state, answer, error, location, original, identifiers) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
SETTLE_INPUT = "UPDATE input SET about = ?, event = ?, state = ?, answer = ?, error = ?, location = ?, original = ?, identifiers = ? WHERE id = ?"
"""What came of an input. What was received does not change."""
ADD_RAW = "INSERT INTO raw (input, bytes) VALUES (?, ?)"
ADD_IDENTIFIER = "INSERT INTO input_identifier (value, input) VALUES (?, ?) ON CONFLICT DO NOTHING"
DROP_IDENTIFIER = "DELETE FROM input_identifier WHERE value = ? AND input = ?"

HEAR = (
    "INSERT INTO heard (feed, hour, inputs, quarantined, last) VALUES (?, ?, 1, ?, ?) ON CONFLICT (feed, hour) DO UPDATE "
    "SET inputs = heard.inputs + 1, quarantined = heard.quarantined + excluded.quarantined, last = max(heard.last, excluded.last)"
)
"""A feed was heard."""
FEEDS = "SELECT DISTINCT feed FROM heard ORDER BY feed"
HEARD = "SELECT hour, inputs, quarantined, last FROM heard WHERE feed = ? ORDER BY hour DESC LIMIT ?"

# --- partitions and statements

ADD_PARTITION = "INSERT INTO partition (next_look) VALUES (NULL)"
FIND_KEY = "SELECT partition FROM partition_key WHERE hash = ?"
ADD_KEY = "INSERT INTO partition_key (hash, partition) VALUES (?, ?) ON CONFLICT DO NOTHING"
"""A key stays where it was bound first; `join` alone moves it."""
MOVE = (
    "UPDATE partition_key SET partition = ? WHERE partition = ?",
    "UPDATE statement SET partition = ? WHERE partition = ?",
    "UPDATE resource SET partition = ? WHERE partition = ?",
    "UPDATE transition SET partition = ? WHERE partition = ?",
)
"""Everything of one partition goes to another."""
JOIN_WAKE = (
    "UPDATE partition SET next_look = (SELECT min(next_look) FROM partition WHERE id IN (?1, ?2)) WHERE id = ?1",
    "DELETE FROM partition WHERE id = ?2",
)
"""The earlier of two wakings stays."""
WAKE = "UPDATE partition SET next_look = ?1 WHERE id = ?2 AND next_look IS NOT ?1"
DUE = "SELECT id FROM partition WHERE next_look <= ? ORDER BY next_look, id LIMIT ?"

STATEMENTS = "SELECT input, body FROM statement WHERE partition = ? ORDER BY input, id"
ADD_STATEMENT = "INSERT INTO statement (partition, input, body) VALUES (?, ?, ?)"
TOLD = "SELECT DISTINCT partition FROM statement WHERE input = ? ORDER BY partition"
DROP_STATEMENTS = "DELETE FROM statement WHERE input = ?"
CLEAR = (
    "DELETE FROM statement",
    "DELETE FROM partition_key",
    "DELETE FROM partition",
    "DELETE FROM shared",
    "UPDATE resource SET partition = NULL",
    "UPDATE transition SET partition = NULL",
)
"""For a rebuild: all that was derived, but the versions; nobody claims them until they are derived again."""

# --- resources

LAST_RESOURCE = "SELECT max(id) FROM resource"
FIND_RESOURCE = "SELECT id, partition, heads, terms FROM resource WHERE name = ? AND type = ?"
ADD_RESOURCE = "INSERT INTO resource (id, type, name, partition, heads, terms) VALUES (?, ?, ?, ?, ?, ?)"
SET_RESOURCE = "UPDATE resource SET heads = ?, terms = ? WHERE id = ?"
CLAIM_RESOURCE = "UPDATE resource SET partition = ? WHERE id = ?"
RESOURCES_OF_PARTITION = "SELECT id, type, name, heads, terms FROM resource WHERE partition = ?"
ORPHANS = "SELECT id, type, name, heads, terms FROM resource WHERE partition IS NULL"
"""What a rebuild did not derive again."""
ADD_BODY = "INSERT INTO body (position, json) VALUES (?, ?)"
ADD_VERSION = "INSERT INTO version (resource, recipient, number, type, position, body) VALUES (?, ?, ?, ?, ?, ?)"
ADD_TERM = "INSERT INTO term (parameter, value, resource) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
DROP_TERM = "DELETE FROM term WHERE parameter = ? AND value = ? AND resource = ?"
COUNT_REFERENCE = (
    "INSERT INTO reference (recipient, target, count) VALUES (?, ?, ?) "
    "ON CONFLICT (recipient, target) DO UPDATE SET count = reference.count + excluded.count"
)
"""One more, or one less, of the versions that a recipient sees refers to a shared resource."""
REFERS = "SELECT 1 FROM reference WHERE recipient = ? AND target = ? AND count > 0"

SHARED = "SELECT key, rank, digest FROM shared WHERE key = ?"
SET_SHARED = "INSERT INTO shared (key, rank, digest) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET rank = excluded.rank, digest = excluded.digest"

# --- transitions

TRANSITION_COLUMNS = "t.recipient, t.name, t.body, t.status, t.flagged, t.tier, t.due, t.hospital, t.agency, t.position"
TRANSITIONS_OF_PARTITION = f"SELECT t.id, {TRANSITION_COLUMNS} FROM transition t WHERE t.partition = ?"
FIND_TRANSITION = f"SELECT t.id, t.partition, {TRANSITION_COLUMNS} FROM transition t WHERE t.name = ? AND t.recipient = ?"
PARTITION_OF_TRANSITION = "SELECT partition FROM transition WHERE name = ? AND partition IS NOT NULL LIMIT 1"
ORPHAN_TRANSITIONS = f"SELECT {TRANSITION_COLUMNS} FROM transition t WHERE t.partition IS NULL AND t.body IS NOT NULL ORDER BY t.position"
LAST_TRANSITION = "SELECT max(id) FROM transition"
ADD_TRANSITION = (
    "INSERT INTO transition (id, name, recipient, partition, position, status, flagged, tier, due, hospital, agency, shown, body) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
SET_TRANSITION = (
    "UPDATE transition SET partition = ?, position = ?, status = ?, flagged = ?, tier = ?, due = ?, hospital = ?, agency = ?, shown = ?, body = ? "
    "WHERE id = ?"
)

SET_MEASURED = (
    "INSERT INTO measured (transition, day, body) VALUES (?, ?, ?) ON CONFLICT (transition) DO UPDATE SET day = excluded.day, body = excluded.body"
)
MEASURED = "SELECT day, body FROM measured WHERE day >= ? AND day <= ? ORDER BY day, body"

ADD_AUDIT = "INSERT INTO audit (recorded, body) VALUES (?, ?)"

# --- reading

VERSION_COLUMNS = "r.type, r.name, v.number, v.position, b.json, r.partition"
VERSION_FROM = "FROM resource r JOIN version v ON v.resource = r.id LEFT JOIN body b ON b.position = v.body"
READ = f"SELECT {VERSION_COLUMNS} {VERSION_FROM} WHERE r.name = ? AND r.type = ? AND v.recipient = ? ORDER BY v.number DESC LIMIT 1"
VREAD = f"SELECT {VERSION_COLUMNS} {VERSION_FROM} WHERE r.name = ? AND r.type = ? AND v.recipient = ? AND v.number = ?"
HISTORY = (
    f"SELECT {VERSION_COLUMNS} {VERSION_FROM} WHERE r.name = ? AND r.type = ? AND v.recipient = ? AND v.number < ? ORDER BY v.number DESC LIMIT ?"
)
VERSIONS = (
    f"SELECT {VERSION_COLUMNS} FROM version v INDEXED BY version_type CROSS JOIN resource r ON r.id = v.resource LEFT JOIN body b "
    "ON b.position = v.body WHERE v.recipient = ? AND v.type = ? AND v.position < ? AND v.position >= ? ORDER BY v.position DESC LIMIT ?"
)
"""Every version of a type, the newest first."""

CURRENT = (
    "v.body IS NOT NULL AND NOT EXISTS "
    "(SELECT 1 FROM version n WHERE n.resource = v.resource AND n.recipient = v.recipient AND n.number = v.number + 1)"
)
"""This version is not deleted, and no later one follows it."""
NAMED_IN_ORDER = (
    "SELECT r.type, r.name, v.number, v.position, v.body, r.partition, r.heads, r.terms FROM version v INDEXED BY version_type "
    f"JOIN resource r ON r.id = v.resource WHERE v.recipient = ? AND v.type = ? AND v.position > ? AND v.position < ?{{0}} AND {CURRENT} "
    "ORDER BY v.position"
)
"""Current versions of a type between two positions, in order of position, without bodies; {0}: what the index has to name them by (`NAMED`)."""
IN_ORDER = NAMED_IN_ORDER.format("").replace(", r.heads, r.terms", "")
"""The same where every one is wanted."""
AS_OF = (
    "SELECT r.type, r.name, v.number, v.position, v.body, r.partition, EXISTS "
    "(SELECT 1 FROM version l WHERE l.resource = v.resource AND l.recipient = v.recipient AND l.number = v.number + 1) "
    "FROM version v INDEXED BY version_type JOIN resource r ON r.id = v.resource "
    "WHERE v.recipient = ? AND v.type = ? AND v.position > ? AND v.position <= ? AND NOT EXISTS "
    "(SELECT 1 FROM version n WHERE n.resource = v.resource AND n.recipient = v.recipient AND n.number = v.number + 1 AND n.position <= ?) "
    "ORDER BY v.position LIMIT ?"
)
"""What was current at a moment, between two positions, in order of position; and whether it is superseded by now."""
OF_RESOURCES = (
    "SELECT r.type, r.name, v.number, v.position, v.body, r.partition, r.heads, r.terms FROM ({0}) found CROSS JOIN version v "
    "ON v.resource = found.resource CROSS JOIN resource r ON r.id = v.resource "
    f"WHERE v.recipient = ? AND +v.type = ? AND +v.position > ? AND +v.position < ? AND {CURRENT} ORDER BY v.position"
)
"""The same of a few resources that are found first. A plus keeps SQLite from using the index of the other order."""
HAS_TERM = "parameter = ? AND value IN ({0})"
WITH_TERM = "SELECT DISTINCT resource FROM term WHERE {0}"
NAMED = " AND EXISTS (SELECT 1 FROM term WHERE {0} AND resource = v.resource)"
BEGINNING = "(value >= ? AND value < ?)"
WITH_BEGINNING = "SELECT DISTINCT resource FROM term WHERE parameter = ? AND ({0})"
COUNT_FOUND = "SELECT count(*) FROM ({0} LIMIT ?) found"
COUNT_BETWEEN = (
    "SELECT count(*) FROM (SELECT 1 FROM version INDEXED BY version_type WHERE recipient = ? AND type = ? AND position > ? AND position < ? LIMIT ?) "
    "found"
)
WITH_ID = "SELECT id AS resource FROM resource WHERE name IN ({0}) AND type = ?"
IN_PARTITION = "SELECT id AS resource FROM resource WHERE partition = ?"
GET_BODIES = "SELECT position, json FROM body WHERE position IN ({0})"
CONTAINS = "instr(r.bytes, ?) > 0"
"""Are the bytes received anywhere these?"""
TYPES_OF = "SELECT DISTINCT w.name FROM word w WHERE EXISTS (SELECT 1 FROM version v WHERE v.recipient = ? AND v.type = w.id) ORDER BY w.name"
FEED = f"SELECT {TRANSITION_COLUMNS} FROM transition t WHERE t.recipient = ? AND t.position > ? ORDER BY t.position LIMIT ?"
FEED_POSITION = "SELECT max(position) FROM transition WHERE recipient = ?"
GET_TRANSITION = f"SELECT {TRANSITION_COLUMNS} FROM transition t WHERE t.name = ? AND t.recipient = ?"
WORKLIST = (
    f"SELECT {TRANSITION_COLUMNS} FROM (SELECT id FROM transition INDEXED BY {{0}} WHERE recipient = ? AND {{1}} "
    "ORDER BY tier, due, name LIMIT ? OFFSET ?) page CROSS JOIN transition t ON t.id = page.id ORDER BY t.tier, t.due, t.name"
)
"""A page of the list: found in an index alone, then read. {0} is the index, {1} what it narrows."""
WORKLIST_ALL = WORKLIST.format("transition_list", "shown = 1")
WORKLIST_FLAGGED = WORKLIST.format("transition_flagged", "flagged = 1")
WORKLIST_STATUS = WORKLIST.format("transition_status", "status = ? AND shown = 1")
WORKLIST_BOTH = WORKLIST.format("transition_flagged", "flagged = 1 AND status = ?")
AUDIT = "SELECT id, recorded, body FROM audit WHERE id > ? ORDER BY id LIMIT ?"
COUNTS = {
    name: f"SELECT count(*) FROM (SELECT 1 FROM {which} LIMIT ?) counted"
    for name, which in (
        *((state, f"input WHERE state = '{state}'") for state in ("processed", "quarantined", "duplicate")),
        ("transitions", "transition INDEXED BY transition_list WHERE recipient = ? AND shown = 1"),
        ("flagged", "transition INDEXED BY transition_flagged WHERE recipient = ? AND flagged = 1"),
    )
}

# --- credentials

CLIENT_COLUMNS = "id, role, organization, scopes, jwks, jwks_url, feeds, created, revoked, about"
SET_CLIENT = (
    f"INSERT INTO client ({CLIENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET role = excluded.role, "
    "organization = excluded.organization, scopes = excluded.scopes, jwks = excluded.jwks, jwks_url = excluded.jwks_url, "
    "feeds = excluded.feeds, created = excluded.created, revoked = excluded.revoked, about = excluded.about"
)
"""Adding a known client replaces what was said of it."""
GET_CLIENT = f"SELECT {CLIENT_COLUMNS} FROM client WHERE id = ?"
ALL_CLIENTS = f"SELECT {CLIENT_COLUMNS} FROM client ORDER BY id"
REVOKE_CLIENT = "UPDATE client SET revoked = ? WHERE id = ? AND revoked IS NULL"
DROP_TOKENS_OF = "DELETE FROM token WHERE client = ?"
ADD_TOKEN = "INSERT INTO token (digest, client, scopes, expires, issued, detail) VALUES (?, ?, ?, ?, ?, ?)"
GET_TOKEN = "SELECT digest, client, scopes, expires, issued, detail FROM token WHERE digest = ?"
DROP_TOKEN = "DELETE FROM token WHERE digest = ?"
DROP_EXPIRED_TOKENS = "DELETE FROM token WHERE expires < ?"
SPEND = "INSERT INTO spent (digest, keep_until) VALUES (?, ?) ON CONFLICT DO NOTHING"
"""One row, and so True, for whoever comes first."""
DROP_OLD_SPENT = "DELETE FROM spent WHERE keep_until < ?"

# --- the issuer's keys

SIGNING_KEYS = "SELECT kid, created, public, private FROM signing_key ORDER BY private = '', created DESC, kid"
"""The one that signs first, also if two processes added one at once."""
ADD_SIGNING_KEY = (
    "INSERT INTO signing_key (kid, created, public, private) "
    "SELECT ?, CASE WHEN coalesce(max(created), -1) >= ? THEN max(created) + 1 ELSE ? END, ?, ? FROM signing_key"
)
"""The newest, also where a clock stepped back."""
STOP_SIGNING = "UPDATE signing_key SET private = '' WHERE kid <> ?"
DROP_SIGNING_KEY = "DELETE FROM signing_key WHERE kid = ?"
