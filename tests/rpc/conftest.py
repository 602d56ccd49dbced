"""Chance, told by its seed."""

import random

import pytest


@pytest.fixture
def pick() -> random.Random:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - to run a failure again
    return random.Random(seed)
