"""The mark of tests that need InstantID trained in the small world."""

import pytest

from tools.small_world import trained

needs_trained_world = pytest.mark.skipif(
    bool(trained.missing()),
    reason="InstantID is not trained in the small world yet: training/README.md",
)
