"""What a journal counts, in the words of OpenTelemetry's protocol: cumulative sums.

The same counts as those for Prometheus, by OpenTelemetry's rules for names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)

from tenuto.journal import Journal

from .otel_records import attributes, nanoseconds, resource, scope

__all__ = ["metrics_request"]


def metrics_request(
    journal: Journal, about: Mapping[str, Any], now: float
) -> ExportMetricsServiceRequest:
    """The counts as they stand at ``now``, in seconds since 1970 UTC."""
    told = [
        _sum("tenuto.errors", "{error}", "Errors captured.", _errors(journal, now)),
        _sum("tenuto.policy.events", "{event}", "What policies did.", _policies(journal, now)),
        _sum(
            "tenuto.dropped", "{record}", "Records that could not be kept.", _dropped(journal, now)
        ),
    ]
    return ExportMetricsServiceRequest(
        resource_metrics=[
            ResourceMetrics(
                resource=resource(about),
                scope_metrics=[
                    ScopeMetrics(scope=scope(), metrics=[m for m in told if m.sum.data_points])
                ],
            )
        ]
    )


def _sum(name: str, unit: str, description: str, points: list[NumberDataPoint]) -> Metric:
    return Metric(
        name=name,
        unit=unit,
        description=description,
        sum=Sum(
            data_points=points,
            aggregation_temporality=AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE,
            is_monotonic=True,
        ),
    )


def _errors(journal: Journal, now: float) -> list[NumberDataPoint]:
    counts: dict[tuple[str, str], int] = {}
    since: dict[tuple[str, str], float] = {}
    for group in journal.groups():
        kind = group.type, group.fault_class.value
        counts[kind] = counts.get(kind, 0) + group.count
        since[kind] = min(since.get(kind, now), group.first)
    return [
        _point(
            {"error.type": kind[0], "tenuto.fault_class": kind[1]},
            count,
            now,
            # Groups that the journal lets go of take their counts along: a later start tells.
            since[kind],
        )
        for kind, count in sorted(counts.items())
    ]


def _policies(journal: Journal, now: float) -> list[NumberDataPoint]:
    return [
        _point(
            {
                "tenuto.policy.kind": tally.policy,
                "tenuto.policy.name": tally.name,
                "tenuto.policy.event": tally.what,
            },
            tally.count,
            now,
        )
        for tally in journal.tallies()
    ]


def _dropped(journal: Journal, now: float) -> list[NumberDataPoint]:
    return [
        _point({"tenuto.reason": reason}, count, now) for reason, count in journal.drops().items()
    ]


def _point(about: Mapping[str, Any], count: int, now: float, since: float = 0.0) -> NumberDataPoint:
    return NumberDataPoint(
        attributes=attributes(about),
        start_time_unix_nano=nanoseconds(since),
        time_unix_nano=nanoseconds(now),
        as_int=count,
    )
