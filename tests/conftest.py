"""A real pmond for each test that asks for one, and how properties choose their examples."""

from __future__ import annotations

import contextlib
import importlib
import os
import pkgutil
import signal
from collections.abc import Iterator

import hypothesis
import pytest
from tests.support.pmond import Pmond, temporary_pmond

# A gate must say the same of the same commit; whoever works on the code gets new examples at each run.
# No example has a time limit: machines differ, and are busy.
hypothesis.settings.register_profile("gate", derandomize=True, deadline=None)
hypothesis.settings.register_profile("work", deadline=None)
hypothesis.settings.load_profile("gate" if os.environ.get("CI") else "work")


def _import_all() -> None:
    """Import every module of the project.

    Hypothesis draws the constants of the modules that are imported, too: which ones are must not depend on
    which tests this worker has run before.
    """
    for package in map(importlib.import_module, ("pmon3_schema", "pmond", "pmon3", "pmon3_ui", "pmon3_web")):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                with contextlib.suppress(ImportError):  # of an extra that is not installed
                    importlib.import_module(module.name)


if os.environ.get("CI"):
    _import_all()


# Whoever starts tests in the background of a shell has these ignored, and every program below inherits that.
for _number in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture
def stopped_pmond() -> Iterator[Pmond]:
    """A pmond that is configured and not yet started."""
    with temporary_pmond() as pmond:
        yield pmond


@pytest.fixture
def pmond(stopped_pmond: Pmond) -> Pmond:
    """A pmond that answers."""
    return stopped_pmond.start()
