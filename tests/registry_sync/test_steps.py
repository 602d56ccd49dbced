"""What a step may do to what is seen."""

import pytest

from consentclient import DiscloseList, PostalType
from registry_sync._applied import Applied
from registry_sync._steps import _turns

INT, BOTH = frozenset({PostalType.INT}), frozenset(PostalType)


@pytest.mark.parametrize("flag", [True, False])
def test_a_longer_list_of_forms(flag: bool) -> None:
    """A list with one more postal form shows it, or hides it."""
    before, listed = (DiscloseList(flag, frozenset({"name"}), types) for types in (INT, BOTH))

    assert _turns(listed, Applied(before)) == (not flag, flag)
