"""Subscriptions R5 Backport for R4 (http://hl7.org/fhir/uv/subscriptions-backport, 1.1.0): rest-hook notifications of transitions."""
