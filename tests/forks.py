"""Work in a forked child."""

from __future__ import annotations

import os
import traceback
import warnings


def in_child(work):
    """Run ``work`` in a forked child; whether it went well."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork where there are threads
        child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0
