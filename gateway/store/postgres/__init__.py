"""The store on PostgreSQL, for any number of gateway processes on any number of machines.

How order is kept. Everything that a transaction writes waits in memory until it ends. Then it takes one advisory lock, which is held to COMMIT; reads
the last position that was given out; gives its rows theirs, above that one; and writes them, a statement for all rows of a kind. Whoever takes the
lock next sees what was committed before. So position, `lastUpdated` and the order in which commits become visible agree among all processes, also if
a clock steps back or two clocks differ. Until then a position is provisional: a negative number (`positions`).

How people are kept apart. What is folded is locked, and the folding itself is outside the lock of positions:

    input      advisory, by feed, control ID and digest     nothing is accepted twice
    key        advisory, by an identifier that is not bound yet, so that two processes do not make two partitions of one person
    partition  its row (FOR NO KEY UPDATE)                  two processes never fold one person at once; `due` skips what another one holds
    position   advisory, to COMMIT                          order; and all that belongs to nobody alone: shared resources, references, the hours heard

A lock is waited for only while none of its kind or of a later one is held; else it is tried, and if another process has it, `Busy` says so: the
input's savepoint is undone, and it is tried again in a later transaction. So no two transactions ever wait for each other. Should PostgreSQL find a
deadlock or a serialization failure all the same, that is `Busy` too.

Transactions are READ COMMITTED, so that what is read after a lock was granted is what its last holder committed. Readers are REPEATABLE READ: one
look from beginning to end. Every statement of the two has its index, and is held to it: tables that are young have no statistics.

When a connection breaks, what was not committed is gone, and the caller is told `Unavailable`. Where it broke while COMMIT was under way, nobody
knows what came of it; the caller is told the same, sends again, and is given the first answer if it had been committed. The next transaction connects
anew.

Through a pooler, only one that keeps a session (not a transaction) together. Text cannot hold U+0000 here: it is kept as U+2400, in the columns that
are searched; what was received, and bodies, are bytes and are kept as they are.
"""

from gateway.store.postgres.store import PostgresStore, open_postgres

__all__ = ["PostgresStore", "open_postgres"]
