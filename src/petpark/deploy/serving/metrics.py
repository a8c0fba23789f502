"""What Prometheus may know of the service: a bounded number of series, whatever clients send."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from petpark.deploy.serving.processes import usage
from petpark.deploy.serving.wire import Answer

KIND: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192)
_SHARES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
Workers = Callable[[], Sequence[tuple[int, int, int]]]
_TEMPERATURES: Final = Path("/sys/class/thermal")


class Metrics:
    """Counts and measures.

    Args:
        labels: what photos can be.
        version: of the model.
        workers: tells number, process and photos of each inference worker.
    """

    def __init__(self, labels: Sequence[str], version: str, workers: Workers) -> None:
        self.registry = registry = CollectorRegistry()
        self._requests = Counter(
            "petpark_requests", "Requests by route and status.", ("route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "petpark_request_seconds",
            "From the head of a request to its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        stage = Histogram(
            "petpark_stage_seconds", "What one photo takes.", ("stage",), buckets=_SECONDS, registry=registry
        )
        self._decode, self._model, self._queue = (stage.labels(name) for name in ("decode", "model", "queue"))
        predictions = Counter("petpark_predictions", "Predictions by label.", ("label",), registry=registry)
        self._labels = [predictions.labels(label) for label in labels]
        self._unsure = Counter("petpark_unsure", "Predictions below the threshold.", registry=registry)
        self._confidence = Histogram(
            "petpark_confidence", "Probability of the predicted label.", buckets=_SHARES, registry=registry
        )
        self._brightness = Histogram("petpark_brightness", "Mean luma of a photo.", buckets=_SHARES, registry=registry)
        self._refused = Counter(
            "petpark_refused_photos", "Photos that could not be used.", ("reason",), registry=registry
        )
        self._feedback = Counter("petpark_feedback", "Labels that people gave.", ("label",), registry=registry)
        Gauge("petpark_model_info", "What is served.", ("version",), registry=registry).labels(version).set(1)
        ProcessCollector(registry=registry)
        registry.register(_Machine(workers))
        self._known: dict[tuple[str, int], Counter] = {}
        self._timers: dict[str, Histogram] = {}

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Have a figure read whenever someone asks."""
        Gauge(f"petpark_{name}", text, registry=self.registry).set_function(value)

    def request(self, route: str, status: HTTPStatus, seconds: float) -> None:
        """Count an answer."""
        known = self._known.get((route, status))
        if known is None:
            known = self._known[route, status] = self._requests.labels(route, str(int(status)))
            self._timers.setdefault(route, self._seconds.labels(route))
        known.inc()
        self._timers[route].observe(seconds)

    def prediction(self, answer: Answer, label: int, confidence: float, *, unsure: bool, queue_seconds: float) -> None:
        """Count a prediction."""
        self._labels[label].inc()
        self._confidence.observe(confidence)
        self._brightness.observe(answer.brightness)
        self._decode.observe(answer.decode_seconds)
        self._model.observe(answer.model_seconds)
        self._queue.observe(queue_seconds)
        if unsure:
            self._unsure.inc()

    def refused(self, reason: str) -> None:
        """Count a photo that could not be used; the reason is one of `images.REASONS`."""
        self._refused.labels(reason).inc()

    def feedback(self, label: str) -> None:
        """Count a label that a person gave; it is one of the model's."""
        self._feedback.labels(label).inc()

    def text(self) -> bytes:
        """All figures as Prometheus reads them."""
        return generate_latest(self.registry)


class _Machine:
    """Figures of the inference workers and of the device, read when someone asks."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        cpu = CounterMetricFamily("petpark_worker_cpu_seconds", "CPU time of an inference worker.", labels=["worker"])
        memory = GaugeMetricFamily("petpark_worker_resident_bytes", "Its resident memory.", labels=["worker"])
        photos = CounterMetricFamily("petpark_worker_photos", "Photos that it answered.", labels=["worker"])
        for number, pid, answered in self._workers():
            seconds, size = usage(pid)
            photos.add_metric([str(number)], answered)
            cpu.add_metric([str(number)], seconds)
            memory.add_metric([str(number)], size)
        yield from (cpu, memory, photos)
        yield GaugeMetricFamily("petpark_device_load", "Load average of one minute.", value=os.getloadavg()[0])
        yield GaugeMetricFamily("petpark_device_cores", "Cores that may be used.", value=len(os.sched_getaffinity(0)))
        yield GaugeMetricFamily("petpark_device_memory_available_bytes", "Memory left.", value=_memory_available())
        yield GaugeMetricFamily("petpark_device_disk_free_bytes", "Disk left.", value=shutil.disk_usage(".").free)
        heat = GaugeMetricFamily("petpark_device_temperature_celsius", "Of a thermal zone.", labels=["zone"])
        for zone in sorted(_TEMPERATURES.glob("thermal_zone*"))[:16]:
            try:
                heat.add_metric([zone.name], int((zone / "temp").read_text()) / 1000)
            except (OSError, ValueError):  # a sensor that sleeps
                continue
        yield heat


def _memory_available() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return 0
