"""What a check of `flask doctor` says."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Diagnosis:
    """The result of one check: ok, worth knowing, or broken."""

    check: str
    level: Literal["ok", "note", "bad"]
    detail: str
