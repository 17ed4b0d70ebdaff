"""The heaps of hosts by when they may be requested."""

from __future__ import annotations

from scraper.frontier.host_schedule import MAX_STALE_ENTRIES, HostSchedule
from scraper.frontier.interface import NEVER
from scraper.testing.frontier_contract import make_request
from scraper.testing.memory_frontier import MemoryHostQueue


def enqueue_one(schedule: HostSchedule[MemoryHostQueue], host: str, priority: int = 0) -> MemoryHostQueue:
    queue = schedule.get_or_create(host)
    queue.rows.append((priority, len(queue.rows), make_request(f"https://{host}/")))
    schedule.on_enqueue(queue, priority)
    return queue


def test_heaps_do_not_grow_with_stale_entries() -> None:
    """Hosts parked over and over leave no more stale entries than the bound allows."""
    schedule = HostSchedule(MemoryHostQueue)
    for n in range(10):
        enqueue_one(schedule, f"h{n}.example", n - 5)
    assert schedule.first(0) is not None
    for n in range(5_000):
        schedule.park(f"h{n % 10}.example", float(n))
        schedule.park(f"idle{n % 5}.example", 1e9 + n)
        enqueue_one(schedule, "h0.example", -1)
        schedule.put_back(schedule.take_ready(3, 0))
    bound = 2 * len(schedule) + MAX_STALE_ENTRIES
    assert max(len(schedule._ready_heap), len(schedule._idle_heap), len(schedule._below_heap)) <= bound


def test_an_old_queue_does_not_take_a_new_one_with_it() -> None:
    """A host that was forgotten and came back has a new queue, which stays when the old one becomes idle."""
    schedule = HostSchedule(MemoryHostQueue)
    queue = enqueue_one(schedule, "a.example")
    schedule.advance(1.0)
    (taken,) = schedule.take_ready(1, None)
    queue.rows.clear()
    queue.leased = 1
    schedule.park("a.example", 5.0)
    schedule.now = 5.0
    queue.leased = 0
    schedule.forget_if_idle(taken)
    assert schedule.get("a.example") is None
    back = enqueue_one(schedule, "a.example")
    schedule.advance(6.0)
    assert schedule.get("a.example") is back


def test_an_idle_host_gains_no_head_start() -> None:
    """A host without requests is ready from when something waits again, not from when it could have been."""
    schedule = HostSchedule(MemoryHostQueue)
    schedule.park("a.example", NEVER)
    schedule.park("a.example", 1.0)
    schedule.now = 10.0
    enqueue_one(schedule, "b.example")
    enqueue_one(schedule, "a.example")
    assert [queue.name for queue in schedule.take_ready(2, None)] == ["b.example", "a.example"]


def test_a_bound_on_priority_leaves_other_hosts_alone() -> None:
    """With `below` only hosts whose best request is below it are taken; a better request makes a host qualify."""
    schedule = HostSchedule(MemoryHostQueue)
    enqueue_one(schedule, "a.example", 5)
    enqueue_one(schedule, "b.example", -1)
    assert [queue.name for queue in schedule.take_ready(2, 0)] == ["b.example"]
    assert schedule.first(0) is None
    assert schedule.next_ready_at(0) == NEVER
    enqueue_one(schedule, "a.example", -2)
    (queue,) = [queue for queue in schedule.queues() if queue.name == "a.example"]
    queue.rows.sort()
    assert [queue.name for queue in schedule.take_ready(2, 0)] == ["a.example"]


def test_another_request_of_a_host_waits_for_hosts_that_are_ready_longer() -> None:
    """`same_host` gives a host again only while no other host has become ready before it."""
    schedule = HostSchedule(MemoryHostQueue)
    schedule.advance(10.0)
    enqueue_one(schedule, "a.example")
    assert schedule.same_host("a.example", None) is schedule.get("a.example")
    schedule.park("b.example", 5.0)
    other = schedule.get_or_create("b.example")
    other.ready_at = 5.0
    enqueue_one(schedule, "b.example")
    schedule.park("a.example", 11.0)
    assert schedule.same_host("a.example", None) is None
    assert schedule.same_host("nobody.example", None) is None
