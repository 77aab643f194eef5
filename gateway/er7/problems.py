"""What is wrong with a message, in a form that an ERR segment, an OperationOutcome and a person can all be told."""

from __future__ import annotations

from typing import NamedTuple


class Problem(NamedTuple):
    """One fault. The text is plain words and never holds a value that the sender sent.

    `location` is "PID-7", "MSH-9.2", "PV1-44[2].1" (second repetition of the field) or "DG1[3]-4" (third DG1 of the message); "" when the
    fault has no place. `code` is HL7 table 0357, `severity` HL7 table 0516 (I information, W warning, E error, F fatal).
    """

    location: str
    code: str
    severity: str
    text: str
