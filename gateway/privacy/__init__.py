"""Privacy: security labels, consent, the disclosure filter, audit. Pure functions; the pipeline and the API give them records and the time."""
