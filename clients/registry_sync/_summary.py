"""What a job has done, counted."""

from dataclasses import dataclass


@dataclass(slots=True)
class Summary:
    """What has been done: switches that were as they should be, and commands that were answered."""

    unchanged: int = 0
    hidden: int = 0
    shown: int = 0
    values: int = 0
    refused: int = 0
    unresolved: int = 0
    not_reached: int = 0

    @property
    def failed(self) -> int:
        """How many are not as they should be."""
        return self.refused + self.unresolved + self.not_reached
