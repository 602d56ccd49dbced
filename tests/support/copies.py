"""A copy of all states, as a reader of SyncConsents keeps it."""

from dataclasses import dataclass, field

from consentsvc.v1 import consent_event_service_pb2 as events
from consentsvc.v1 import consent_pb2 as shared
from tests.support import acts
from tests.support.wire import Wire


@dataclass
class Copy:
    """States by subject, kept as the contract says."""

    subjects: dict[str, events.SubjectState] = field(default_factory=dict)
    rules: list[events.PurposeRule] = field(default_factory=list)
    cursor: str = ""
    through: int = 0
    complete: bool = False
    snapshots: int = 0
    sent: int = 0

    def take(self, response: events.SyncConsentsResponse) -> None:
        """Brings the copy up to date."""
        if response.snapshot_start:
            self.subjects.clear()
            self.rules = list(response.rules)
            self.complete = False
            self.snapshots += 1
        assert len(response.states) <= 500
        for one in response.states:
            if one.erased:
                gone = [who for who, it in self.subjects.items() if it.pseudonym == one.pseudonym]
                for who in gone:
                    del self.subjects[who]
            else:
                self.subjects[one.subject_id] = one
            self.sent += 1
        if response.snapshot_complete:
            assert not self.complete
            self.complete = True
        assert bool(response.cursor) == self.complete
        assert response.through_position >= self.through or response.snapshot_start
        self.cursor, self.through = response.cursor, response.through_position

    async def equals_the_panel(self, wire: Wire, subjects: list[str], purposes: list[str]) -> bool:
        """Compares with what the panel shows of every subject, asked one by one."""
        for subject in subjects:
            shown = await acts.choices(wire, subject)
            theirs = {
                one.consent.purpose_id: one.consent
                for one in shown.consents
                if one.consent.position and one.consent.purpose_id in purposes
            }
            mine = self.subjects.get(subject, events.SubjectState(subject_id=subject))
            if {one.purpose_id: one for one in mine.consents} != theirs:
                return False
            standing = mine.standing if mine.HasField("standing") else shared.SubjectStanding()
            if standing != shown.standing:
                return False
        return True
