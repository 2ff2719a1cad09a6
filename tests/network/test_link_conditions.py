"""The spelling of conditions: what is said is what holds, and what is wrong is named."""

from __future__ import annotations

import re
from typing import Any

import pytest

from asyncipc.network.links import presets
from asyncipc.network.links.conditions import PERFECT, SPELLINGS, Conditions, Spelling, conditions
from asyncipc.network.links.damage import Corruption, PowerLaw
from asyncipc.network.links.latency import (
    Bimodal,
    Constant,
    Empirical,
    Exponential,
    Latency,
    Normal,
    Pareto,
    Quantiles,
    Spread,
    Uniform,
)
from asyncipc.network.links.loss import Bernoulli, Exactly, FourState, GilbertElliott
from asyncipc.network.links.queueing import CoDel, RandomEarly, TailDrop
from asyncipc.network.links.reordering import Reordering


def test_nothing_said_is_the_default() -> None:
    assert conditions() == PERFECT == Conditions(latency_ns=1_000_000, mtu=1500)


def test_every_keyword_has_its_place() -> None:
    assert conditions(
        latency=0.05, jitter=0.01, correlation=0.25, keep_order=False, extra=0.5,
        bandwidth=10e6, queue=20, mtu=9000, loss=0.01, duplicate=0.02, reorder=0.03,
        corrupt=0.04, truncate=0.05, piece_max=100,
    ) == Conditions(
        latency_ns=50_000_000, jitter=Spread(0.01), correlation=0.25, keep_order=False,
        extra=Constant(0.5), bandwidth=10_000_000, queue=TailDrop(packets=20), mtu=9000,
        loss=Bernoulli(0.01), duplicate=0.02, reorder=Reordering(0.03), corrupt=Corruption(0.04),
        truncate=0.05, piece_max=100,
    )  # fmt: skip


def test_the_spelling_and_its_types_name_the_same_keywords() -> None:
    assert sorted(SPELLINGS) == sorted(Spelling.__annotations__)


def test_what_is_not_said_stays_as_it_was() -> None:
    before = conditions(latency=0.05, loss=0.1)
    assert conditions(before, duplicate=0.2) == conditions(latency=0.05, loss=0.1, duplicate=0.2)


def test_zero_and_none_switch_off() -> None:
    busy = conditions(loss=0.1, reorder=0.1, corrupt=0.1, jitter=0.001, bandwidth=1e6, queue=1)
    off = conditions(busy, loss=0, reorder=0, corrupt=0, jitter=0, bandwidth=None, queue=None)
    assert off == PERFECT


def test_a_new_latency_takes_the_place_of_the_old_jitter() -> None:
    assert conditions(conditions(latency=Exponential(0.1)), latency=0.05).jitter is None
    assert conditions(conditions(latency=0.05, jitter=0.01), latency=0.001).jitter is None


def test_a_list_of_numbers_is_a_loss_of_just_these() -> None:
    assert conditions(loss=[7, 3, 7]).loss == Exactly(3, 7)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"latency": -1}, "latency (seconds) must be a number of at least 0, not -1"),
        ({"latency": float("nan")}, "latency (seconds) must be a number of at least 0, not nan"),
        ({"latency": float("inf")}, "latency (seconds) must be a number of at least 0, not inf"),
        (
            {"latency": "50ms"},
            "latency must be a number or a model, such as 'Model(0.1)', not '50ms'",
        ),
        ({"latency": [1]}, "latency must be seconds or a latency model, not [1]"),
        ({"latency": "Bernoulli(0.1)"}, "latency must be seconds or a latency model, not Bern"),
        ({"latency": "Exponentially(1)"}, "latency: 'Exponentially(1)' is none of the models: Con"),
        ({"latency": "Exponential(1"}, "latency: 'Exponential(1' is none of the models"),
        ({"latency": "Exponential(maen=1)"}, "latency: Exponential(maen=1): "),
        ({"latency": "Exponential(-1)"}, "Exponential.mean (seconds) must be a number of at least"),
        ({"loss": "0.1 + Bernoulli(0.1)"}, "loss: only latencies add up, not '0.1 + Bernoulli"),
        ({"latency": True}, "latency must be seconds or a latency model, not True"),
        ({"latency": Spread(0.1)}, "latency must not be a Spread"),
        ({"jitter": 0.002}, "jitter must be at most the latency (0.001 s), not 0.002"),
        ({"latency": Exponential(1), "jitter": 0.1}, "jitter is for a latency in seconds"),
        ({"correlation": 0.5}, "correlation needs a jitter"),
        ({"correlation": 2}, "correlation must be a number from 0 to 1, not 2"),
        ({"keep_order": 1}, "keep_order must be True or False, not 1"),
        ({"extra": "far"}, "extra must be a number or a model, such as 'Model(0.1)', not 'far'"),
        ({"bandwidth": 0}, "bandwidth (bits per second) must be a number of at least 1, not 0"),
        ({"bandwidth": "10M"}, "bandwidth must be a number or a model"),
        ({"queue": 5}, "queue needs a bandwidth"),
        ({"queue": 0}, "queue (packets) must be a whole number of at least 1, not 0"),
        ({"queue": 1.5}, "queue (packets) must be a whole number, not 1.5"),
        ({"mtu": 67}, "mtu (bytes) must be a whole number from 68 to 65535, not 67"),
        ({"mtu": 65536}, "mtu (bytes) must be a whole number from 68 to 65535, not 65536"),
        ({"loss": 1.5}, "loss must be a number from 0 to 1, not 1.5"),
        ({"loss": "1%"}, "loss must be a number or a model, such as 'Model(0.1)', not '1%'"),
        ({"loss": [0]}, "Exactly: a packet's number must be a whole number of at least 1, not 0"),
        ({"duplicate": -0.1}, "duplicate must be a number from 0 to 1, not -0.1"),
        ({"reorder": 2}, "reorder must be a number from 0 to 1, not 2"),
        ({"reorder": 0.1, "latency": 0}, "reorder needs a latency"),
        ({"corrupt": None, "truncate": None}, "truncate must be a number, not None"),
        ({"piece_max": 0}, "piece_max (bytes) must be a whole number of at least 1, not 0"),
        ({"lateny": 1}, "a link has no 'lateny'; what it has: latency, jitter"),
    ],
    ids=str,
)
def test_a_wrong_value_is_named_with_what_is_allowed(said: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        conditions(**said)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(-1), "Constant.seconds"),
        (lambda: Uniform(0.2, 0.1), "Uniform.high (seconds) must be a number of at least 0.2"),
        (lambda: Normal(-1, 1), "Normal.mean"),
        (lambda: Exponential(-1), "Exponential.mean"),
        (lambda: Pareto(1, 1), "Pareto.shape must be more than 1"),
        (lambda: Bimodal(1, 2, 3), "Bimodal.share must be a number from 0 to 1, not 3"),
        (lambda: Bimodal(1, -2, 0.5), "Bimodal.slow (seconds)"),
        (lambda: Empirical([]), "Empirical.samples must have at least one"),
        (lambda: Empirical([1, -1]), "Empirical: a sample"),
        (lambda: Quantiles([(0, 1)]), "shares must rise from 0 to 1, not [0]"),
        (lambda: Quantiles([(0, 1), (0.5, 2)]), "shares must rise from 0 to 1"),
        (lambda: Quantiles([(0, 2), (1, 1)]), "values must not fall, not [2, 1]"),
        (lambda: Bernoulli(2), "Bernoulli.share"),
        (lambda: GilbertElliott(0.1, 2), "GilbertElliott.r must be a number from 0 to 1, not 2"),
        (lambda: GilbertElliott.of(1, 2), "rate must be below 1"),
        (lambda: GilbertElliott.of(0.5, 0.5), "burst must be a number of at least 1, not 0.5"),
        (lambda: GilbertElliott.of(0.9, 2), "bursts of 2 lose at most 0.666667"),
        (lambda: FourState(0.6, p14=0.5), "p13 + p14 must be at most 1"),
        (lambda: TailDrop(), "TailDrop must have a limit"),
        (lambda: TailDrop(size=0), "TailDrop.size"),
        (lambda: RandomEarly(least=5, most=5), "RandomEarly.most must be more than least"),
        (lambda: CoDel(target=-1), "CoDel.target"),
        (lambda: Reordering(0.5, gap=0), "Reordering.gap"),
        (lambda: Reordering(0.5, earlier=1, later=1), "either earlier or later, not both"),
        (lambda: Corruption(0.5, bits=0), "Corruption.bits"),
        (lambda: PowerLaw(exponent=0), "PowerLaw.exponent must be a number of at least 0.1"),
    ],
)
def test_a_model_names_its_wrong_parameter(make: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        make()


@pytest.mark.parametrize(
    "model",
    [
        Constant(0.1),
        Empirical([1, 2]),
        Quantiles([(0, 1), (1, 2)]),
        Bimodal(0.1, Normal(1, 1), 0.1),
    ],
)
def test_models_are_values(model: Latency) -> None:
    assert conditions(latency=model) == conditions(latency=model)
    assert len({conditions(latency=model), conditions(latency=model)}) == 1


@pytest.mark.parametrize(
    ("keyword", "text", "model"),
    [
        ("latency", "0.05", 0.05),
        ("latency", "0.05 + Exponential(0.01)", 0.05 + Exponential(0.01)),
        ("latency", "Bimodal(0.01, 0.1, share=0.2)", Bimodal(0.01, 0.1, 0.2)),
        ("jitter", "Normal(0.01, 0.002)", Normal(0.01, 0.002)),
        ("loss", "GilbertElliott(0.01, r=0.25)", GilbertElliott(0.01, 0.25)),
        ("loss", "Exactly(3, 7)", Exactly(3, 7)),
        ("reorder", "Reordering(0.25, gap=5)", Reordering(0.25, gap=5)),
        ("corrupt", "Corruption(0.1, bits=3)", Corruption(0.1, 3)),
    ],
)
def test_a_model_may_be_said_in_a_text(keyword: str, text: str, model: Any) -> None:
    said: dict[str, Any] = {keyword: text}
    assert conditions(**said) == conditions(**{keyword: model})


@pytest.mark.parametrize(
    "queue", [TailDrop(packets=5), TailDrop(size=9000), RandomEarly(), CoDel(interval=0.2)]
)
def test_what_python_prints_of_a_model_is_its_text(queue: TailDrop | RandomEarly | CoDel) -> None:
    assert conditions(bandwidth=1e6, queue=repr(queue)).queue == queue


@pytest.mark.parametrize("name", ["LAN", "WIFI", "MOBILE", "SATELLITE", "TRANSATLANTIC"])
def test_a_preset_can_be_varied(name: str) -> None:
    preset = getattr(presets, name)
    assert isinstance(preset, Conditions)
    assert conditions(preset, mtu=1400).latency_ns == preset.latency_ns
