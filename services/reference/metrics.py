"""Prometheus metrics: rate, errors and duration of requests, retries and pool use of the database."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for every counter, which nothing here reads


class Metrics:
    """All metrics of one application, in a registry of their own: two applications in one test must not clash."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self.requests = Counter(
            "http_requests_total", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.errors = Counter(
            "http_request_errors_total", "Requests answered with 5xx.", ["method", "route"], registry=self.registry
        )
        self.duration = Histogram(
            "http_request_duration_seconds", "Time to the complete answer.", ["method", "route"],
            buckets=_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self.in_progress = Gauge("http_requests_in_progress", "Requests being worked on.", registry=self.registry)
        self.retries = Counter(
            "database_retries_total", "Attempts that failed and were tried again.", ["endpoint"], registry=self.registry
        )
        self.pool_connections = Gauge(
            "database_pool_connections", "Connections of the pool by state.", ["endpoint", "state"],
            registry=self.registry,
        )  # fmt: skip
        self.pool_limit = Gauge(
            "database_pool_limit", "Most connections that the pool may open.", ["endpoint"], registry=self.registry
        )
        self.database_connected = Gauge(
            "database_connected", "1 while the database answers, as readiness last saw it.", ["endpoint"],
            registry=self.registry,
        )  # fmt: skip
        self.bus_connected = Gauge("messages_connected", "1 while the bus answers.", registry=self.registry)
        self.events_waiting = Gauge(
            "events_waiting", "Events in the outbox, not yet published.", registry=self.registry
        )
        self.events_published = Counter(
            "events_published_total", "Attempts to publish an event.", ["result"], registry=self.registry
        )
        self.events_consumed = Counter(
            "events_consumed_total", "Events that were handed to this process.", ["result"], registry=self.registry
        )

    def text(self) -> bytes:
        """Everything in the text format."""
        return generate_latest(self.registry)
