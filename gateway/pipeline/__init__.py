"""The journey of an input: receive, translate, reconcile, assess, derive, commit, acknowledge."""

from gateway.pipeline.configuration import Configuration
from gateway.pipeline.journey import Journey
from gateway.pipeline.received import Outcome, Received

__all__ = ["Configuration", "Journey", "Outcome", "Received"]
