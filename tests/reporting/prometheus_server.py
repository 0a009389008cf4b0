"""A real Prometheus on a free port of loopback, which scrapes one address."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import pytest

_PATIENCE = 60.0  # seconds, for a slow machine


def prometheus_or_skip():
    """The paths of ``prometheus`` and ``promtool``."""
    found = shutil.which("prometheus"), shutil.which("promtool")
    if None in found:
        pytest.skip("install Prometheus: apt-get install prometheus, or from prometheus.io")
    return found


class PrometheusServer:
    """Scrapes ``target``, ``host:port``, ten times a second until it is stopped."""

    def __init__(self, folder, target):
        program, _ = prometheus_or_skip()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        self._url = f"http://{address}"
        job = {"job_name": "tenuto", "static_configs": [{"targets": [target]}]}
        settings = {"global": {"scrape_interval": "100ms"}, "scrape_configs": [job]}
        configuration = folder / "prometheus.yml"
        configuration.write_text(json.dumps(settings))  # YAML is a superset of JSON
        self._process = subprocess.Popen(
            [
                program,
                f"--config.file={configuration}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address={address}",
                "--log.level=error",
            ],
            stderr=subprocess.DEVNULL,
        )

    def stop(self):
        self._process.kill()
        self._process.wait()

    def query(self, expression, ready):
        """The series of ``expression``, by their labels, as soon as they are ``ready``."""
        url = f"{self._url}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
        found = None
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            assert self._process.poll() is None, "Prometheus has ended"
            try:
                with urllib.request.urlopen(url, timeout=10) as answer:
                    result = json.load(answer)["data"]["result"]
            except OSError:  # it is starting
                result = []
            found = [(each["metric"], float(each["value"][1])) for each in result]
            if ready(found):
                return found
            time.sleep(0.05)
        raise AssertionError(f"Prometheus has only {found} for {expression}")
