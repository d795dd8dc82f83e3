"""Reading what `exposition` tells, as Prometheus would."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from ace.utils import metrics


def told(**options: float) -> dict[str, float]:
    """Every sample there is now, by its name and labels as they are written: `ace_bullets{stage="prod"}`."""
    return samples(metrics.exposition(**options).decode())


def samples(text: str) -> dict[str, float]:
    found = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {sample.name + labels(sample.labels): sample.value for sample in found}


def labels(given: dict[str, str]) -> str:
    inside = ",".join(f'{name}="{value}"' for name, value in sorted(given.items()))
    return f"{{{inside}}}" if inside else ""
