"""Looking after a gateway: whether it is ready, what is wrong with it and what to do, and what it no longer has to keep."""
