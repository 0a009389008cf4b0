"""The package as a whole: light to import, complete, and usable without any extra."""

import subprocess
import sys
from importlib.metadata import version

import pytest

import tenuto

HEAVY = ("asyncio", "structlog", "tenacity", "redis", "numpy", "sqlite3", "click", "rich")
EXTRAS = (
    "av",
    "click",
    "numpy",
    "onnxruntime",
    "prometheus_client",
    "redis",
    "rich",
    "scipy",
    "sentry_sdk",
    "soundfile",
    "soxr",
)


def _python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_importing_tenuto_loads_nothing_heavy():
    loaded = _python(
        f"import sys, tenuto; print([name for name in {HEAVY} if name in sys.modules])"
    )
    assert loaded.strip() == "[]"


def test_the_error_handler_loads_no_logging_and_no_event_loop_before_an_error():
    loaded = _python(
        "import sys, tenuto; handler = tenuto.ErrorHandler('x')\n"
        "assert handler.with_retry(len)('abc') == 3\n"
        "print([name for name in ('asyncio', 'structlog', 'tenacity') if name in sys.modules])"
    )
    assert loaded.strip() == "[]"


def test_the_core_works_without_any_extra():
    told = _python(
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({EXTRAS}))\n"
        "import tenuto\n"
        "handler = tenuto.ErrorHandler('x')\n"
        "event = handler.handle_error(ValueError('odd'))\n"
        "print(event.type, handler.recover(ValueError()).reason)"
    )
    assert told.strip() == "ValueError no strategy"


@pytest.mark.parametrize("name", tenuto.__all__)
def test_every_name_promised_is_there(name):
    assert getattr(tenuto, name) is not None


def test_a_name_nobody_promised_is_not():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = tenuto.nonsense


def test_the_version_is_the_packages():
    assert version("tenuto").count(".") == 2
