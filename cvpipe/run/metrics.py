"""Figures of runs for Prometheus: a text file for the node exporter's textfile collector, or a port to scrape."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, start_http_server
from prometheus_client.exposition import generate_latest

from cvpipe.folders import written_whole
from cvpipe.run.summary import RunSummary

#: The figures by name, without the prefix: what each means.
_FIGURES = {
    "last_run_timestamp_seconds": "when the last run ended, Unix time",
    "last_run_duration_seconds": "how long it took",
    "last_run_sites": "sites that it looked at",
    "last_run_assessed": "pairs of epochs that it assessed",
    "last_run_known": "pairs that were known already",
    "last_run_failed": "pairs that it could not assess",
    "last_run_changes": "changes that it recorded",
    "last_run_megapixels": "ground that it read, Mpx of each epoch",
}


@dataclass(frozen=True)
class RunMetrics:
    """The gauges of one workspace in a registry of their own, named `cvpipe_…`."""

    registry: CollectorRegistry
    gauges: dict[str, Gauge]
    unanswered: Gauge

    @classmethod
    def new(cls) -> RunMetrics:
        registry = CollectorRegistry()
        gauges = {name: Gauge(f"cvpipe_{name}", what, registry=registry) for name, what in _FIGURES.items()}
        what = "pairs of the last run that could not be assessed, by reason"
        reasons = Gauge("cvpipe_last_run_not_assessable", what, ["reason"], registry=registry)
        return cls(registry, gauges, reasons)

    def take(self, summary: RunSummary, ended_at: float) -> None:
        """Show the figures of a run that ended at a Unix time."""
        counts = summary.counts()
        values = {
            "last_run_timestamp_seconds": ended_at,
            "last_run_duration_seconds": summary.seconds,
            "last_run_megapixels": summary.megapixels,
            **{f"last_run_{name}": counts[name] for name in ("sites", "assessed", "known", "failed", "changes")},
        }
        for name, gauge in self.gauges.items():
            gauge.set(values[name])
        self.unanswered.clear()
        for reason, count in summary.not_assessable.items():
            self.unanswered.labels(reason=reason.value).set(count)

    def write(self, file: Path) -> None:
        """Write them as text, whole or not at all."""
        with written_whole(file) as part:
            part.write_bytes(generate_latest(self.registry))

    def serve(self, port: int, host: str) -> int:
        """Answer scrapes at http://HOST:PORT/metrics in a thread; returns the port (a free one for 0)."""
        server, _ = start_http_server(port, host, registry=self.registry)
        return int(server.server_port)
