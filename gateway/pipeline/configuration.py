"""What the pure steps are given beside the input: feeds, policy, agencies, and how ids are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.mappings.care.policy import Policy as CarePolicy
from gateway.mappings.care.policy import default
from gateway.mappings.feeds.profile import FeedProfile
from gateway.records.statements import Identify
from transitions.policy import Policy


@dataclass(frozen=True)
class Configuration:
    """Everything that today's mappings and policy depend on; `gateway rebuild` derives all records anew with it."""

    identify: Identify
    feeds: Sequence[FeedProfile] = ()
    policy: Policy = field(default_factory=Policy)
    care: CarePolicy = field(default_factory=default)
