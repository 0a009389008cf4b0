"""What a journal counts, as Prometheus metrics.

They are read from the journal when somebody scrapes, so that the counters of a process that died
are still there, and a storm of errors costs the pipeline nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tenuto.errors import ConfigurationError
from tenuto.journal import Journal

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import CounterMetricFamily

__all__ = ["JournalCollector", "exposition", "serve"]


class JournalCollector:
    """A collector for any ``prometheus_client`` registry: ``registry.register(collector)``.

    ``tenuto_errors_total`` by type and fault class, ``tenuto_policy_events_total`` by policy, name
    and event, ``tenuto_dropped_total`` by reason. Raises ConfigurationError without the extra.
    """

    def __init__(self, journal: Journal) -> None:
        _require()
        self._journal = journal

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The metrics as they stand."""
        from prometheus_client.core import CounterMetricFamily

        errors = CounterMetricFamily(
            "tenuto_errors", "Errors captured.", labels=("type", "fault_class")
        )
        by_kind: dict[tuple[str, str], int] = {}
        for group in self._journal.groups():
            kind = group.type, group.fault_class.value
            by_kind[kind] = by_kind.get(kind, 0) + group.count
        for kind, count in sorted(by_kind.items()):
            errors.add_metric(kind, count)
        yield errors

        events = CounterMetricFamily(
            "tenuto_policy_events", "What policies did.", labels=("policy", "name", "event")
        )
        for tally in self._journal.tallies():
            events.add_metric((tally.policy, tally.name, tally.what), tally.count)
        yield events

        dropped = CounterMetricFamily(
            "tenuto_dropped", "Records that could not be kept.", labels=("reason",)
        )
        for reason, count in self._journal.drops().items():
            dropped.add_metric((reason,), count)
        yield dropped


def exposition(journal: Journal) -> bytes:
    """The metrics in Prometheus's text format. Raises ConfigurationError without the extra."""
    collector = JournalCollector(journal)
    from prometheus_client import generate_latest

    return generate_latest(_registry(collector))


def serve(journal: Journal, port: int, address: str = "127.0.0.1") -> tuple[int, WSGIServer]:
    """Answer scrapes at ``http://address:port/metrics`` from a thread.

    Port 0 is any free one. Returns the port, and the server, whose ``shutdown()`` ends it.
    Raises ConfigurationError without the extra, OSError where the port is taken.
    """
    collector = JournalCollector(journal)
    from prometheus_client import start_http_server

    server, _thread = start_http_server(port, address, _registry(collector))
    return server.server_port, server


def _registry(collector: JournalCollector) -> CollectorRegistry:
    from prometheus_client import CollectorRegistry

    registry = CollectorRegistry()
    registry.register(collector)
    return registry


def _require() -> None:
    try:
        import prometheus_client  # noqa: F401
    except ImportError as missing:
        raise ConfigurationError(
            "metrics", "install prometheus-client: pip install 'tenuto[metrics]'"
        ) from missing
