"""Care-transition gateway: hospital feeds in, records and transitions for community mental-health care out."""

__version__ = "0.1.0"
