"""Long work from the page."""

from __future__ import annotations

import pytest

from opened_page import press

pytestmark = pytest.mark.slow


def test_a_job_that_cannot_start_says_why(person):
    page = person()
    press(page, "p")
    page.get_by_role("alert").get_by_text("bundle").wait_for()
