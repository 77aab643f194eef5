"""The statements of subscriptions and their outbox, as SQLite writes them (see `gateway.store.sql`)."""

# --- the outbox, written by whoever writes transitions

WATCHED = "SELECT recipient FROM subscription WHERE status <> 'off'"
"""Whose changes are wanted by somebody."""
ADD_CHANGE = "INSERT INTO outbox (position, recipient, transition, was, became) VALUES (?, ?, ?, ?, ?)"
OUTBOX = "SELECT o.position, r.name, o.transition, o.was, o.became FROM outbox o JOIN recipient r ON r.id = o.recipient ORDER BY o.position LIMIT ?"
ANY_CHANGE = "SELECT 1 FROM outbox LIMIT 1"
DROP_CHANGES = "DELETE FROM outbox WHERE position <= ?"

# --- subscriptions

COLUMNS = (
    "id, client, recipient, status, resource, headers, created, updated, patience, number, error, events, delivered, again, failures, "
    "failing_since, since, sent, due, lease"
)
_NAMES = COLUMNS.split(", ")
ADD = f"INSERT INTO subscription ({COLUMNS}) VALUES ({', '.join('?' for _ in _NAMES)})"  # noqa: S608 - constants
SET = f"UPDATE subscription SET {', '.join(f'{name} = ?' for name in _NAMES[1:])} WHERE id = ?"  # noqa: S608 - constants
GET = f"SELECT {COLUMNS} FROM subscription WHERE id = ?"  # noqa: S608 - constants
ALL = f"SELECT {COLUMNS} FROM subscription ORDER BY created, id"  # noqa: S608 - constants
OF_CLIENT = f"SELECT {COLUMNS} FROM subscription WHERE client = ? ORDER BY created, id"  # noqa: S608 - constants
OF_RECIPIENT = f"SELECT {COLUMNS} FROM subscription WHERE recipient = ? AND status <> 'off' ORDER BY id"  # noqa: S608 - constants
DROP_EVENTS = "DELETE FROM subscription_event WHERE subscription = ?"
DROP = "DELETE FROM subscription WHERE id = ?"
DUE = f"SELECT {COLUMNS} FROM subscription WHERE due <= ? AND lease <= ? ORDER BY due, id LIMIT ?"  # noqa: S608 - constants
LEASE = "UPDATE subscription SET lease = ? WHERE id = ? AND lease = ?"
"""One row for whoever comes first."""
NEXT_DUE = "SELECT due, lease FROM subscription WHERE due IS NOT NULL"
FREE = "UPDATE subscription SET lease = 0 WHERE lease > 0"
ANY_WATCHING = "SELECT 1 FROM subscription WHERE status <> 'off' LIMIT 1"

# --- events

ADD_EVENT = "INSERT INTO subscription_event (subscription, number, transition, at, recorded, detail) VALUES (?, ?, ?, ?, ?, ?)"
EVENTS = (
    "SELECT subscription, number, transition, at, recorded, detail FROM subscription_event "
    "WHERE subscription = ? AND number > ? AND number <= ? ORDER BY number LIMIT ?"
)
DROP_OLD_EVENTS = "DELETE FROM subscription_event WHERE recorded < ?"

# --- where clients may be notified

ENDPOINTS = "SELECT prefix FROM client_endpoint WHERE client = ? ORDER BY prefix"
ADD_ENDPOINT = "INSERT INTO client_endpoint (client, prefix) VALUES (?, ?) ON CONFLICT DO NOTHING"
DROP_ENDPOINT = "DELETE FROM client_endpoint WHERE client = ? AND prefix = ?"
