"""The package as a whole: complete, and light until it is used."""

import subprocess
import sys

import pytest

import tenuto.testing

_WHAT_IT_LOADS = """
import sys
import pytest
before = set(sys.modules)
import tenuto.testing.plugin
heavy = {"asyncio", "sqlite3", "structlog", "tenacity", "tenuto.clock", "tenuto.journal",
         "tenuto.policies", "tenuto.reporting"}
print(heavy & (set(sys.modules) - before) or "nothing")
"""


@pytest.mark.parametrize("name", tenuto.testing.__all__)
def test_every_name_promised_is_there(name):
    assert getattr(tenuto.testing, name) is not None


def test_a_name_nobody_promised_is_not():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = tenuto.testing.nonsense


def test_the_plugin_loads_nothing_heavy():
    loaded = subprocess.run(
        [sys.executable, "-c", _WHAT_IT_LOADS],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert loaded.strip() == "nothing"
