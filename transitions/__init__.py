"""Care transitions: who is leaving, or has left, inpatient care with no community follow-up, and what would close the gap.

A pure model on the standard library alone: it knows nothing of HL7, HTTP or SQL, is given the time, and returns values.
"""
