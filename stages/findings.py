"""Findings: what a person should know about a picture, in plain words and with numbers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters: a blocking one chooses pass-through unless forced."""

    INFO = "info"
    WARNING = "warning"
    BLOCKING = "blocking"


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation: a stable code, how severe it is, and a sentence a photographer can act on.

    `value` is the measured number and `limit` the threshold that it was held against, in the unit
    that the message names; both are None where nothing was measured.
    """

    code: str
    severity: Severity
    message: str
    value: float | None = None
    limit: float | None = None
