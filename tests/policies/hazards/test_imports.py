"""What the policies bring along."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_policies_loads_neither_tenacity_nor_asyncio():
    code = (
        "import sys, tenuto.policies as p; p.Retry()(len)('x'); p.CircuitBreaker()(len)('x'); "
        "print([m for m in ('tenacity', 'asyncio', 'structlog', 'redis') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
