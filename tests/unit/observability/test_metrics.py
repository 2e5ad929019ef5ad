from __future__ import annotations

import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rocamadre.core.errors import Unknown
from rocamadre.observability.metrics import METRICS, SERIES_LIMIT, Metrics


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_counts_by_label_whatever_their_order():
    metrics = Metrics()
    metrics.count("requests", service="bedrock", operation="GetFoundationModel", status="200")
    metrics.count("requests", 2, status="200", operation="GetFoundationModel", service="bedrock")
    labels = (("operation", "GetFoundationModel"), ("service", "bedrock"), ("status", "200"))
    assert samples(metrics)["rocamadre_requests_total", labels] == 3


def test_histogram_holds_count_sum_and_buckets():
    metrics = Metrics()
    for seconds in (0.002, 0.2, 400):
        metrics.observe("first_token_seconds", seconds, model="m")
    found = samples(metrics)
    assert found["rocamadre_first_token_seconds_count", (("model", "m"),)] == 3
    assert found["rocamadre_first_token_seconds_sum", (("model", "m"),)] == pytest.approx(400.202)
    assert found["rocamadre_first_token_seconds_bucket", (("le", "0.0025"), ("model", "m"))] == 1
    assert found["rocamadre_first_token_seconds_bucket", (("le", "300.0"), ("model", "m"))] == 2


def test_gauge_is_set_and_shifted():
    metrics = Metrics()
    metrics.gauge("active_streams", 5)
    metrics.shift("active_streams", -2)
    metrics.gauge("queued_requests", 1, model="m")
    metrics.shift("queued_requests", 1, model="m")
    found = samples(metrics)
    assert found["rocamadre_active_streams", ()] == 3
    assert found["rocamadre_queued_requests", (("model", "m"),)] == 2


def test_clear_forgets_series_and_counting_begins_anew():
    metrics = Metrics()
    metrics.gauge("engine_memory_bytes", 10, model="gone")
    metrics.shift("engine_memory_bytes", 1, model="gone")
    metrics.clear("engine_memory_bytes")
    assert not [key for key in samples(metrics) if key[0] == "rocamadre_engine_memory_bytes"]
    metrics.shift("engine_memory_bytes", 7, model="gone")
    assert samples(metrics)["rocamadre_engine_memory_bytes", (("model", "gone"),)] == 7
    with pytest.raises(Unknown):
        metrics.clear("nothing")


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda m: m.count("nothing"), "no counter is called 'nothing'; there are: engine_restarts"),
        (lambda m: m.count("active_streams"), "no counter is called 'active_streams'"),
        (lambda m: m.observe("requests", 1, service="a", operation="b", status="c"), "no histogram"),
        (lambda m: m.count("input_tokens"), "has the labels ('model',), not ()"),
        (lambda m: m.count("input_tokens", 1, model="m", user="u"), "not ('model', 'user')"),
    ],
)
def test_refuses_what_is_not_declared(call, part):
    with pytest.raises(Unknown) as error:
        call(Metrics())
    assert part in error.value.message


def test_invented_labels_do_not_grow_memory():
    metrics = Metrics()
    for number in range(SERIES_LIMIT + 50):
        metrics.count("input_tokens", model=f"m{number}")
    found = {key: value for key, value in samples(metrics).items() if key[0] == "rocamadre_input_tokens_total"}
    assert len(found) == SERIES_LIMIT + 1
    assert found["rocamadre_input_tokens_total", (("model", "other"),)] == 50


def test_threads_lose_nothing():
    metrics = Metrics()

    def work() -> None:
        for _ in range(2000):
            metrics.count("output_tokens", model="m")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert samples(metrics)["rocamadre_output_tokens_total", (("model", "m"),)] == 8000


def test_every_metric_has_help_that_is_a_sentence():
    for name, metric in METRICS.items():
        assert metric.help.endswith("."), name
        assert metric.kind == "histogram" or not name.endswith("_seconds"), name
