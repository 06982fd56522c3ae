"""How many cases the tests with made-up input try: 100, or ``FUZZ_EXAMPLES=5000 python -m pytest tests -k fuzz``."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get('FUZZ_EXAMPLES', '100'))
FUZZED = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
SEEDS = st.integers(0, 2**32)


def at_most(share: float) -> settings:
    """Settings of a slow test: a share of the cases, at least 20."""
    return settings(FUZZED, max_examples=max(20, int(share * EXAMPLES)))
