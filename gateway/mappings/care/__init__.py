"""What community care works from, derived from a stay and its assessment: CarePlan, CareTeam, ServiceRequests, Task, Flags, Provenance. Pure.

Everything here is a proposal; only the Task, which asks an agency to act, is an order. Nothing clinical is invented: what no message told is unknown.
"""
