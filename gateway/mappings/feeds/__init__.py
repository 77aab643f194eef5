"""Feed profiles: one sender's ways, as data."""
