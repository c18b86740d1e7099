"""Somebody changes people in Microsoft's own admin centre; the comparison shows it, and a person chooses."""

from collections.abc import Callable

import pytest

from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.journey
Visit = Callable[..., Visitor]
