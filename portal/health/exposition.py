"""Metrics in Prometheus' text format: request times of all server processes, and figures of the database.

The only module that imports prometheus_client. Server processes that share a folder, which is in
PROMETHEUS_MULTIPROC_DIR when the library is imported, add up.
"""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from portal.config import environment
from portal.health.figures import Figures

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Any other method counts as `other`: whoever makes one up makes no new series."""
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Exposition:
    """The metrics of one portal."""

    def __init__(self) -> None:
        self._own = CollectorRegistry()
        self._times = Histogram(
            "portal_request_seconds",
            "Time until the answer to a request begins",
            ("method", "route", "status"),
            buckets=BUCKETS,
            registry=self._own,
        )

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; `route` is the template of its address."""
        method = method if method in METHODS else "other"
        self._times.labels(method, route, f"{status // 100}xx").observe(seconds)

    def render(self, figures: Figures | None) -> bytes:
        """All metrics; without figures, that the database cannot be read."""
        registry = CollectorRegistry()
        registry.register(_Families(figures))
        folder = environment().get(SHARED_FOLDER)
        if folder:
            MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
            return generate_latest(registry)
        return generate_latest(registry) + generate_latest(self._own)


class _Families(Collector):
    def __init__(self, figures: Figures | None) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        yield _gauge("portal_database_up", "Whether the database can be read", self._figures is not None)
        if self._figures is not None:
            yield from _families(self._figures)


def _families(figures: Figures) -> Iterator[Metric]:
    queue, workers = figures.queue, figures.workers
    yield _by("portal_runs", "Runs by status", "status", figures.runs.items())
    yield _gauge("portal_engine_enabled", "Whether the engine is on", figures.enabled)
    yield _by(
        "portal_engine_runs",
        "Active runs that the engine drives",
        "status",
        [("pending", queue.pending_runs), ("running", queue.running_runs)],
    )
    yield _gauge("portal_engine_runs_waiting", "Active runs that wait for a worker", queue.waiting_runs)
    yield _gauge("portal_engine_runs_stuck", "Those that have waited for ten minutes", queue.stuck_runs)
    yield _gauge(
        "portal_engine_oldest_waiting_seconds", "How long the first has waited", queue.oldest_waiting_seconds
    )
    yield _gauge("portal_engine_steps_running", "Steps that workers work on", queue.running_steps)
    yield _gauge("portal_engine_steps_retrying", "Steps that wait for an attempt", queue.retrying_steps)
    draining = sum(worker.draining for worker in workers)
    yield _by(
        "portal_engine_workers",
        "Workers that are alive",
        "state",
        [("ready", len(workers) - draining), ("draining", draining)],
    )
    threads = sum(worker.threads for worker in workers if not worker.draining)
    yield _gauge("portal_engine_worker_threads", "Steps that the ready workers can do at once", threads)
    steps = CounterMetricFamily(
        "portal_engine_steps", "Steps that have ended", labels=("node_type", "outcome")
    )
    seconds = CounterMetricFamily(
        "portal_engine_step_seconds", "How long those took together", labels=("node_type", "outcome")
    )
    for total in figures.steps:
        steps.add_metric((total.node_type, total.outcome), total.steps)
        seconds.add_metric((total.node_type, total.outcome), total.seconds)
    yield from (steps, seconds)


def _gauge(name: str, description: str, value: float) -> Metric:
    return GaugeMetricFamily(name, description, value)


def _by(name: str, description: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    family = GaugeMetricFamily(name, description, labels=(label,))
    for of, value in values:
        family.add_metric((of,), value)
    return family
