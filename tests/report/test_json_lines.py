from __future__ import annotations

import io
import math
import os
from dataclasses import fields
from typing import get_args

import orjson

from scraper.events import Event, HostParked, QueuesSampled, Warned
from scraper.report.json_lines import EVENT_NAMES, JsonLines
from tests.report.sample_crawl import EVIL, GOOD, T0, crawl, host, sampled, started


def test_every_event_is_one_object_with_its_name_and_fields() -> None:
    """Nothing of an event is left out, and the order is that of the crawl."""
    out = io.StringIO()
    machine = JsonLines(out)
    for event in crawl():
        machine(event)
    records = [orjson.loads(line) for line in out.getvalue().splitlines()]
    assert len(records) == len(crawl())
    for record, event in zip(records, crawl(), strict=True):
        assert list(record) == ["event", *(field.name for field in fields(event))]
        assert record["event"] == EVENT_NAMES[type(event)]
    assert {record["event"] for record in records} == set(EVENT_NAMES.values())


def test_names_are_snake_case() -> None:
    """Every kind of event has a name."""
    assert set(EVENT_NAMES) == set(get_args(Event))
    assert EVENT_NAMES[QueuesSampled] == "queues_sampled"
    assert EVENT_NAMES[Warned] == "warned"


def test_hosts_are_objects_in_their_sample() -> None:
    """Nested values keep their field names."""
    out = io.StringIO()
    JsonLines(out)(sampled(T0, host(T0, GOOD, "open", wait=5)))
    (state,) = orjson.loads(out.getvalue())["hosts"]
    assert (state["host"], state["breaker"], state["ready_at"]) == (GOOD, "open", T0 + 5)


def test_odd_values_are_valid_json() -> None:
    """Infinity is null; a lone surrogate is a question mark; a line break stays inside its string."""
    out = io.StringIO()
    machine = JsonLines(out)
    machine(HostParked(T0, "h\ud800", math.inf, EVIL))
    (line,) = out.getvalue().splitlines()
    record = orjson.loads(line)
    assert (record["host"], record["until"], record["why"]) == ("h?", None, EVIL)


def test_a_subset_can_be_chosen() -> None:
    """`only` names the events that are written."""
    out = io.StringIO()
    machine = JsonLines(out, only={"crawl_started", "crawl_ended"})
    for event in crawl():
        machine(event)
    assert [orjson.loads(line)["event"] for line in out.getvalue().splitlines()] == ["crawl_started", "crawl_ended"]


def test_a_broken_pipe_is_silence() -> None:
    """When the reader has gone the listener writes no more, and closing the stream afterwards raises nothing."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as out:
        machine = JsonLines(out)
        machine(started())
        assert machine._out.lost
        for event in crawl():
            machine(event)
