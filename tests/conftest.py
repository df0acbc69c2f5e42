"""What holds for every test."""

import os

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In CI, whose machine is not ours alone, what fails is run once more; the summary names it all the same."""
    if os.environ.get("CI"):
        for item in items:
            item.add_marker(pytest.mark.flaky(reruns=1))
