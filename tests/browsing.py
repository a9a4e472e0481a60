"""Waiting for a page in a browser."""

import time
from typing import Any


def until(page: Any, expression: str, seconds: float = 30.0) -> None:
    """Wait until a JavaScript expression is true in the page.

    The question is asked anew each time. Playwright's wait_for_function asks once and then leaves a
    function in the page that evaluates text, which the reports' Content Security Policy forbids: such a
    wait passes only where the first answer is yes.
    """
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        if time.monotonic() > end:
            raise AssertionError(f"not true in the page after {seconds:g} s: {expression}")
        page.wait_for_timeout(20)
