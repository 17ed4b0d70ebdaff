"""The frontier's conformance suite: a store is finished when it passes. Runs under pytest with `asyncio_mode = "auto"`.

Subclass what applies, name the class `Test...`, and say how to open your store:

    class TestMyFrontier(DurableFrontierContract, LedgerContract):
        @asynccontextmanager
        async def open_frontier(self, folder):
            frontier = await MyFrontier.open(folder / "state")
            try:
                yield frontier
            finally:
                await frontier.aclose()

`FrontierContract` is for every frontier, `DurableFrontierContract` adds what one that survives its process must do,
`LedgerContract` the port `Ledger`. Nothing here sleeps: instants are arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from scraper.frontier.interface import NEVER, Drained, Frontier, Granted, Ledger, Wait
from scraper.model import (
    Done,
    Drop,
    Hop,
    Kind,
    Lease,
    Release,
    Request,
    Retry,
    Settlement,
    Skip,
    Url,
    Verdict,
)

NOW = 1_000_000.0
"""The instant at which the suite begins (epoch seconds)."""


class LedgerFrontier(Frontier, Ledger, Protocol):
    """A frontier that answers the ledger's questions too."""


def make_url(href: str, key: str | None = None) -> Url:
    """A `Url` of an href that is canonical already; `key` where it differs."""
    parts = urlsplit(href)
    return Url(href, href if key is None else key, parts.netloc, f"{parts.scheme}://{parts.netloc}")


def make_request(href: str, priority: int = 0, **fields: Any) -> Request:
    """A request for an href that is canonical already."""
    return Request(make_url(href), priority=priority, **fields)


def settled(lease: Lease, verdict: Verdict | None = None, outcome: str = "ok", **fields: Any) -> Settlement:
    """What became of `lease`: done and counted as `ok` unless told otherwise."""
    return Settlement(lease, Done() if verdict is None else verdict, outcome, **fields)


async def leases(frontier: Frontier, count: int = 10, now: float = NOW, below: int | None = None) -> list[Lease]:
    """The leases that are granted, none when the answer is another."""
    answer = await frontier.lease(count, now, below)
    return list(answer.leases) if isinstance(answer, Granted) else []


async def hrefs(frontier: Frontier, count: int = 10, now: float = NOW, below: int | None = None) -> list[str]:
    """The URLs of the leases that are granted."""
    return [lease.request.url.href for lease in await leases(frontier, count, now, below)]


async def drain_host(frontier: Frontier, host: str, now: float = NOW) -> list[str]:
    """The URLs of one host in the order of asking; each is settled before the next is leased."""
    order = []
    while found := await leases(frontier, 1, now):
        order.append(found[0].request.url.href)
        frontier.park(host, now)
        await frontier.settle([settled(found[0])])
    return order


class OpensFrontier:
    """What every suite needs to know."""

    shared = False
    """Whether several processes may be at work on one store: such a store never answers an endless Wait."""

    def open_frontier(self, folder: Path) -> AbstractAsyncContextManager[Any]:
        """Open the store kept in `folder`, making it when it is not there; close it on exit."""
        raise NotImplementedError


class FrontierContract(OpensFrontier):
    """What every frontier does."""

    async def test_an_empty_frontier_is_drained(self, tmp_path: Path) -> None:
        """Nothing waiting and nothing leased: `Drained`."""
        async with self.open_frontier(tmp_path) as frontier:
            assert await frontier.lease(1, NOW) == Drained()
            counts = await frontier.counts()
            assert (counts.waiting, counts.delayed, counts.leased, counts.known, counts.settled) == (0, 0, 0, 0, 0)

    async def test_add_counts_keys_that_are_new(self, tmp_path: Path) -> None:
        """A key is queued once, however often it is added and in whatever call; `add` returns how many were new."""
        async with self.open_frontier(tmp_path) as frontier:
            one, two = make_request("https://a.example/1"), make_request("https://a.example/2")
            assert await frontier.add([one, two, one]) == 2
            assert await frontier.add([two, one]) == 0
            assert await frontier.add([]) == 0
            assert (await frontier.counts()).known == 2
            assert await drain_host(frontier, "a.example") == [one.url.href, two.url.href]
            assert await frontier.add([one]) == 0
            assert await frontier.lease(1, NOW) == Drained()

    async def test_the_key_decides_and_the_href_is_asked_for(self, tmp_path: Path) -> None:
        """Two hrefs of one key are one URL; the first one's href is what is leased."""
        async with self.open_frontier(tmp_path) as frontier:
            first = Request(make_url("https://a.example/?x=1&utm=2", key="https://a.example/?x=1"))
            second = Request(make_url("https://a.example/?x=1"))
            assert await frontier.add([first, second]) == 1
            (lease,) = await leases(frontier)
            assert lease.request == first

    async def test_a_request_comes_back_whole(self, tmp_path: Path) -> None:
        """Every field of a request survives the queue."""
        kinds: list[Kind] = ["page", "file", "sitemap", "robots"]
        requests = [
            Request(
                make_url(f"https://{kind}.example:8443/ä?q=%20", key=f"https://{kind}.example:8443/key"),
                depth=3,
                parent="https://parent.example/",
                kind=kind,
                priority=-7,
                attempt=2,
                slowdowns=1,
                hops=(Hop("https://x.example/", 301), Hop("http://y.example/", 302)),
                label="a 'label'",
            )
            for kind in kinds
        ]
        odd = Request(Url("https://user.example/", "another key", "user.example", "http://odd.example:1"))
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([*requests, odd])
            found = await leases(frontier)
            assert {lease.request.url: lease.request for lease in found} == {r.url: r for r in [*requests, odd]}

    async def test_one_lease_a_host_until_it_is_parked(self, tmp_path: Path) -> None:
        """A lease closes its host, `park` opens it from the instant given and not before."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request(f"https://a.example/{n}") for n in range(3)])
            assert await hrefs(frontier) == ["https://a.example/0"]
            assert isinstance(await frontier.lease(10, NOW), Wait)
            frontier.park("a.example", NOW + 5)
            assert await frontier.lease(10, NOW + 4) == Wait(NOW + 5)
            assert await hrefs(frontier, now=NOW + 5) == ["https://a.example/1"]

    async def test_only_closed_hosts_is_an_endless_wait(self, tmp_path: Path) -> None:
        """While every waiting host is closed or parked for good there is no instant to wait for."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/1"), make_request("https://a.example/2")])
            (lease,) = await leases(frontier)
            closed = await frontier.lease(1, NOW)
            frontier.park("a.example", NEVER)
            parked = await frontier.lease(1, NOW)
            await frontier.settle([settled(lease)])
            for answer in (closed, parked, await frontier.lease(1, NOW + 1e9)):
                assert isinstance(answer, Wait)
                assert (answer.until == NEVER) is not self.shared
            frontier.park("a.example", NOW + 1)
            assert await hrefs(frontier, now=NOW + 1e9) == ["https://a.example/2"]

    async def test_a_leased_entry_keeps_the_frontier_from_being_drained(self, tmp_path: Path) -> None:
        """What is leased may yet bring links: `Drained` comes after the last settlement."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/1")])
            (lease,) = await leases(frontier)
            frontier.park("a.example", NOW)
            assert isinstance(await frontier.lease(1, NOW), Wait)
            await frontier.settle([settled(lease)])
            assert await frontier.lease(1, NOW) == Drained()

    async def test_count_bounds_a_grant(self, tmp_path: Path) -> None:
        """At most `count` leases, and the rest stays."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request(f"https://h{n}.example/") for n in range(5)])
            assert len(await leases(frontier, 2)) == 2
            assert len(await leases(frontier, 10)) == 3

    async def test_the_host_that_was_ready_first_goes_first(self, tmp_path: Path) -> None:
        """Among ready hosts the order is that of their instants, not of their names or priorities."""
        async with self.open_frontier(tmp_path) as frontier:
            hosts = ["a.example", "b.example", "c.example"]
            await frontier.add([make_request(f"https://{host}/{n}") for host in hosts for n in range(2)])
            found = await leases(frontier)
            assert len(found) == 3
            for host, instant in zip(hosts, (NOW + 3, NOW + 1, NOW + 2), strict=True):
                frontier.park(host, instant)
            first, *others = [lease.request.url.host for lease in await leases(frontier, 1, NOW + 10)]
            rest = [lease.request.url.host for lease in await leases(frontier, 5, NOW + 10)]
            assert [first, *others, *rest] == ["b.example", "c.example", "a.example"]

    async def test_no_host_starves(self, tmp_path: Path) -> None:
        """A host that came back later than new ones appeared is served before those that appear after it."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://old.example/1"), make_request("https://old.example/2")])
            assert await hrefs(frontier, 1, NOW) == ["https://old.example/1"]
            frontier.park("old.example", NOW + 1)
            served: list[str] = []
            for n in range(1, 6):
                await frontier.add(
                    [make_request(f"https://new{n}a.example/"), make_request(f"https://new{n}b.example/")]
                )
                served += await hrefs(frontier, 1, NOW + n)
            assert "https://old.example/2" in served

    async def test_lower_priority_goes_first_then_the_oldest(self, tmp_path: Path) -> None:
        """Within a host: priority, then the order of adding, over calls too."""
        async with self.open_frontier(tmp_path) as frontier:
            first = [("p5", 5), ("p1a", 1), ("p1b", 1), ("p-3", -3)]
            second = [("p1c", 1), ("p0", 0), ("p5b", 5)]
            for batch in (first, second):
                await frontier.add([make_request(f"https://a.example/{name}", priority) for name, priority in batch])
            order = await drain_host(frontier, "a.example")
            assert [href.rpartition("/")[2] for href in order] == ["p-3", "p0", "p1a", "p1b", "p1c", "p5", "p5b"]

    async def test_a_long_queue_keeps_its_order(self, tmp_path: Path) -> None:
        """Order holds beyond what a store may keep in RAM, and what comes late but better overtakes."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request(f"https://a.example/{n}", 1) for n in range(700)])
            (lease,) = await leases(frontier)
            frontier.park("a.example", NOW)
            better = tuple(make_request(f"https://a.example/better{n}") for n in range(300))
            assert await frontier.settle([settled(lease, discovered=better)]) == 300
            order = [href.rpartition("/")[2] for href in await drain_host(frontier, "a.example")]
            assert order == [f"better{n}" for n in range(300)] + [str(n) for n in range(1, 700)]

    async def test_below_hands_out_better_priorities_alone(self, tmp_path: Path) -> None:
        """With `below`, entries at or above it stay, and when there are no others the wait is endless."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/page"), make_request("https://b.example/page", 2)])
            assert isinstance(await frontier.lease(5, NOW, -1), Wait)
            await frontier.add([make_request("https://b.example/file", -1), make_request("https://c.example/file", -2)])
            assert sorted(await hrefs(frontier, below=0)) == ["https://b.example/file", "https://c.example/file"]
            frontier.park("b.example", NOW + 1)
            answer = await frontier.lease(5, NOW + 1, 0)
            assert isinstance(answer, Wait)
            assert (answer.until == NEVER) is not self.shared
            assert sorted(await hrefs(frontier, now=NOW + 1)) == ["https://a.example/page", "https://b.example/page"]

    async def test_below_waits_for_its_own_dates_alone(self, tmp_path: Path) -> None:
        """Hosts and delayed entries that `below` leaves out give no instant to wait for."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/file", -1), make_request("https://b.example/page")])
            one, two = await leases(frontier)
            for lease in (one, two):
                frontier.park(lease.request.url.host, NOW)
                again = Retry(NOW + 50 if lease.request.priority < 0 else NOW + 20, lease.request)
                await frontier.settle([settled(lease, again, "")])
            assert await frontier.lease(1, NOW) == Wait(NOW + 20)
            assert await frontier.lease(1, NOW, 0) == Wait(NOW + 50)
            assert await hrefs(frontier, now=NOW + 50, below=0) == ["https://a.example/file"]

    async def test_a_retry_comes_back_at_its_date(self, tmp_path: Path) -> None:
        """`Retry` delays the entry until its instant, as the request given, and it is not settled."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/1")])
            (lease,) = await leases(frontier)
            frontier.park("a.example", NOW)
            again = make_request("https://a.example/1", attempt=1)
            await frontier.settle([settled(lease, Retry(NOW + 9, again), "")])
            counts = await frontier.counts()
            assert (counts.waiting, counts.delayed, counts.leased, counts.settled) == (0, 1, 0, 0)
            assert await frontier.lease(1, NOW + 8) == Wait(NOW + 9)
            (lease,) = await leases(frontier, now=NOW + 9)
            assert lease.request == again
            await frontier.settle([settled(lease)])
            assert await frontier.lease(1, NOW + 9) == Drained()

    async def test_a_retry_that_is_due_can_be_leased_at_once(self, tmp_path: Path) -> None:
        """A date that has passed delays nothing."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/1"), make_request("https://a.example/2")])
            (lease,) = await leases(frontier)
            frontier.park("a.example", NOW)
            await frontier.settle([settled(lease, Retry(NOW - 5, make_request("https://a.example/1", attempt=1)), "")])
            assert await drain_host(frontier, "a.example") == ["https://a.example/1", "https://a.example/2"]

    async def test_a_retry_may_move_to_another_host(self, tmp_path: Path) -> None:
        """A retried request waits on its own host, and its URL is known from then on."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/1")])
            (lease,) = await leases(frontier)
            target = make_request("https://b.example/2", hops=(Hop("https://a.example/1", 301),))
            await frontier.settle([settled(lease, Retry(NOW, target), "")])
            assert await frontier.add([make_request("https://b.example/2"), make_request("https://a.example/1")]) == 0
            assert (await frontier.counts()).known == 2
            (lease,) = await leases(frontier)
            assert lease.request == target
            await frontier.settle([settled(lease)])
            frontier.park("a.example", NOW)
            assert await frontier.lease(1, NOW) == Drained()

    async def test_a_release_puts_the_entry_back_where_it_was(self, tmp_path: Path) -> None:
        """`Release` leaves no trace: same place, not counted, and the host stays closed until parked."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request(f"https://a.example/{n}") for n in range(3)])
            (lease,) = await leases(frontier)
            await frontier.settle([settled(lease, Release(), "")])
            assert isinstance(await frontier.lease(1, NOW), Wait)
            counts = await frontier.counts()
            assert (counts.waiting, counts.leased, counts.settled) == (3, 0, 0)
            frontier.park("a.example", NOW)
            assert await drain_host(frontier, "a.example") == [f"https://a.example/{n}" for n in range(3)]

    async def test_settle_adds_what_was_discovered(self, tmp_path: Path) -> None:
        """Discovered requests are added as by `add`: known ones and repeats are not new."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/"), make_request("https://b.example/")])
            one, two = await leases(frontier)
            links = tuple(make_request(f"https://a.example/{n}") for n in (1, 2, 1))
            more = tuple(make_request(f"https://a.example/{n}") for n in (2, 3, ""))
            assert await frontier.settle([settled(one, discovered=links), settled(two, discovered=more)]) == 3
            assert (await frontier.counts()).known == 5
            frontier.park("a.example", NOW)
            assert await drain_host(frontier, "a.example") == [f"https://a.example/{n}" for n in (1, 2, 3)]

    async def test_counts_add_up(self, tmp_path: Path) -> None:
        """Outcomes are counted by word and by host of the lease, sums over settlements; no word, no count."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request(f"https://{host}.example/{n}") for host in "ab" for n in range(3)])
            verdicts: list[tuple[Verdict, str]] = [(Done(), "ok"), (Done(), "http_404"), (Drop("robots", "/x"), "")]
            for verdict, word in verdicts:
                found = await leases(frontier)
                done = [settled(lease, verdict, word, wire_size=10, items=2) for lease in found]
                await frontier.settle(done, {"pages.jsonl": word})
                for lease in found:
                    frontier.park(lease.request.url.host, NOW)
            counts = await frontier.counts()
            assert counts.outcomes == {"ok": 2, "http_404": 2}
            assert counts.hosts == {f"{host}.example": {"ok": 1, "http_404": 1} for host in "ab"}
            assert (counts.settled, counts.wire_size, counts.items, counts.known) == (4, 60, 12, 6)
            assert (counts.waiting, counts.delayed, counts.leased) == (0, 0, 0)
            assert counts.marks == {"pages.jsonl": ""}

    async def test_the_first_verdict_on_a_lease_stands(self, tmp_path: Path) -> None:
        """A lease that is settled again is neither counted nor queued again."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/1")])
            (lease,) = await leases(frontier)
            frontier.park("a.example", NOW)
            await frontier.settle([settled(lease, items=1), settled(lease, Release(), "", items=1)])
            await frontier.settle([settled(lease, Retry(NOW, lease.request), items=1)])
            counts = await frontier.counts()
            assert (counts.outcomes, counts.items, counts.waiting) == ({"ok": 1}, 1, 0)
            assert await frontier.lease(1, NOW) == Drained()

    async def test_an_empty_settlement_is_nothing(self, tmp_path: Path) -> None:
        """Settling nothing changes nothing; marks alone may be stored."""
        async with self.open_frontier(tmp_path) as frontier:
            assert await frontier.settle([]) == 0
            assert await frontier.settle([], {"config": "v1", "pages": "1"}) == 0
            assert await frontier.settle([], {"pages": "2"}) == 0
            assert (await frontier.counts()).marks == {"config": "v1", "pages": "2"}

    async def test_notes_come_with_the_first_lease_alone(self, tmp_path: Path) -> None:
        """The first lease of a host in a process brings notes, if only empty ones; the next ones do not."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request(f"https://a.example/{n}") for n in range(3)])
            await frontier.settle([], notes={"a.example": {"gate": "1", "robots": "x"}, "b.example": {"gate": "b"}})
            await frontier.settle([], notes={"a.example": {"gate": "2"}})
            (first,) = await leases(frontier)
            assert first.notes == {"gate": "2", "robots": "x"}
            frontier.park("a.example", NOW)
            (second,) = await leases(frontier)
            assert second.notes is None
            await frontier.add([make_request("https://c.example/"), make_request("https://b.example/")])
            notes = {lease.request.url.host: lease.notes for lease in await leases(frontier)}
            assert notes == {"b.example": {"gate": "b"}, "c.example": {}}

    async def test_a_host_may_be_parked_before_it_has_anything(self, tmp_path: Path) -> None:
        """An instant given to an unknown host holds when requests of it arrive."""
        async with self.open_frontier(tmp_path) as frontier:
            frontier.park("a.example", NOW + 7)
            await frontier.add([make_request("https://a.example/1")])
            assert await frontier.lease(1, NOW) == Wait(NOW + 7)
            assert await hrefs(frontier, now=NOW + 7) == ["https://a.example/1"]

    async def test_renew_accepts_leases_at_work(self, tmp_path: Path) -> None:
        """A renewed lease can still be settled."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/1")])
            (lease,) = await leases(frontier)
            assert lease.expires > NOW
            await frontier.renew([lease], NOW + 600)
            await frontier.settle([settled(lease)])
            assert (await frontier.counts()).settled == 1

    async def test_closing_twice_is_closing_once(self, tmp_path: Path) -> None:
        """`aclose` may be called again."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/1")])
            await frontier.aclose()
            await frontier.aclose()


class DurableFrontierContract(FrontierContract):
    """What a frontier does that survives its process: opened again in the same folder it goes on."""

    async def test_what_was_added_waits_after_a_reopen(self, tmp_path: Path) -> None:
        """Requests keep their order and their fields, keys stay known."""
        requests = [make_request(f"https://a.example/{n}", -n % 3, depth=n) for n in range(9)]
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add(requests)
        async with self.open_frontier(tmp_path) as frontier:
            assert await frontier.add(requests) == 0
            expected = [request.url.href for request in sorted(requests, key=lambda request: request.priority)]
            assert await drain_host(frontier, "a.example") == expected

    async def test_leases_that_were_not_settled_wait_again(self, tmp_path: Path) -> None:
        """A lease is given back by the next open, at its place; what was settled stays settled."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request(f"https://a.example/{n}") for n in range(3)])
            (first,) = await leases(frontier)
            frontier.park("a.example", NOW)
            await leases(frontier)
            await frontier.settle([settled(first)])
        async with self.open_frontier(tmp_path) as frontier:
            assert (await frontier.counts()).waiting == 2
            assert await drain_host(frontier, "a.example") == ["https://a.example/1", "https://a.example/2"]

    async def test_delayed_entries_keep_their_date(self, tmp_path: Path) -> None:
        """A retry comes back at its instant after a reopen too, as the request it was retried as."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/1")])
            (lease,) = await leases(frontier)
            again = make_request("https://b.example/x", attempt=2, slowdowns=1)
            await frontier.settle([settled(lease, Retry(NOW + 30, again), "")])
        async with self.open_frontier(tmp_path) as frontier:
            assert (await frontier.counts()).delayed == 1
            assert await frontier.lease(1, NOW) == Wait(NOW + 30)
            (lease,) = await leases(frontier, now=NOW + 30)
            assert lease.request == again
            assert await frontier.add([again]) == 0

    async def test_counts_marks_and_notes_go_on(self, tmp_path: Path) -> None:
        """Counts are over all sessions, marks and notes are as last written, notes come with the first lease."""
        for session in (1, 2, 3):
            async with self.open_frontier(tmp_path) as frontier:
                await frontier.add([make_request(f"https://a.example/{n}") for n in range(4)])
                (lease,) = await leases(frontier)
                expected: Mapping[str, str] = {} if session == 1 else {"gate": str(session - 1), "first": "1"}
                assert lease.notes == expected
                notes = {"gate": str(session)} | ({"first": "1"} if session == 1 else {})
                done = settled(lease, wire_size=5, items=1)
                await frontier.settle([done], {"pages": str(session)}, {"a.example": notes})
                counts = await frontier.counts()
                assert (counts.outcomes, counts.hosts) == ({"ok": session}, {"a.example": {"ok": session}})
                assert (counts.wire_size, counts.items, counts.known) == (5 * session, session, 4)
                assert counts.marks == {"pages": str(session)}

    async def test_below_holds_after_a_reopen(self, tmp_path: Path) -> None:
        """Priorities are known without having been leased in this process."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/page"), make_request("https://b.example/page")])
            await frontier.add([make_request("https://b.example/file", -1)])
        async with self.open_frontier(tmp_path) as frontier:
            assert await hrefs(frontier, below=0) == ["https://b.example/file"]
            answer = await frontier.lease(1, NOW, 0)
            assert isinstance(answer, Wait)
            assert (answer.until == NEVER) is not self.shared


class LedgerContract(OpensFrontier):
    """What a frontier does that answers questions about the run."""

    async def test_skips_are_kept_once_in_order(self, tmp_path: Path) -> None:
        """Each URL that was skipped or dropped appears once, in the order found."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/1", parent="https://p.example/")])
            (lease,) = await leases(frontier)
            skip, other = (Skip(make_url(f"https://x.example/{n}"), "https://a.example/1", "scope", "r") for n in "ab")
            await frontier.settle([settled(lease, Drop("robots", "Disallow: /"), "", skipped=(skip, other, skip))])
            await frontier.settle([settled(lease, skipped=(other._replace(reason="later"),))])
            dropped = Skip(make_url("https://a.example/1"), "https://p.example/", "robots", "Disallow: /")
            assert [skip async for skip in frontier.skips()] == [dropped, skip, other]

    async def test_a_skip_is_forgotten_when_its_url_is_queued(self, tmp_path: Path) -> None:
        """What is asked for after all is no skip, and what is queued already does not become one."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/")])
            (lease,) = await leases(frontier)
            skips = tuple(
                Skip(make_url(f"https://a.example/{name}"), None, "depth", "5") for name in ("x", "", "y", "z")
            )
            await frontier.settle([settled(lease, skipped=skips)])
            assert await frontier.add([make_request("https://a.example/x")]) == 1
            frontier.park("a.example", NOW)
            (lease,) = await leases(frontier)
            await frontier.settle([settled(lease, Retry(NOW + 1, make_request("https://a.example/z")), "")])
            assert [skip.url.href async for skip in frontier.skips()] == ["https://a.example/y"]

    async def test_waiting_names_every_request_host_by_host(self, tmp_path: Path) -> None:
        """Queued and delayed requests, one host after the other; leased ones are not among them."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request(f"https://{host}.example/{n}") for n in range(4) for host in "abc"])
            found = await leases(frontier)
            assert len(found) == 3
            await frontier.settle([settled(found[0], Retry(NOW + 9, found[0].request), "")])
            await frontier.settle([settled(found[1], Release(), "")])
            listed = [request.url.href async for request in frontier.waiting()]
            leased = found[2].request.url.href
            everything = {f"https://{host}.example/{n}" for n in range(4) for host in "abc"}
            assert sorted(listed) == sorted(everything - {leased})
            hosts = [href.split("/")[2] for href in listed]
            assert sum(before != after for before, after in pairwise(hosts)) == 2

    async def test_waiting_at_counts_the_queue_of_a_host(self, tmp_path: Path) -> None:
        """Leased and delayed requests are not queued; an unknown host has none."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request(f"https://a.example/{n}") for n in range(400)])
            assert frontier.waiting_at("a.example") == 400
            (lease,) = await leases(frontier)
            assert frontier.waiting_at("a.example") == 399
            await frontier.settle([settled(lease, Retry(NOW + 1, lease.request), "")])
            assert frontier.waiting_at("a.example") == 399
            frontier.park("a.example", NOW)
            await leases(frontier, now=NOW + 1)
            assert frontier.waiting_at("a.example") == 399
            assert frontier.waiting_at("b.example") == 0

    async def test_depths_are_those_of_counts(self, tmp_path: Path) -> None:
        """`depths` says what `counts` says about queued and delayed requests, through lease, retry and settle."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request(f"https://{host}.example/{n}") for n in range(5) for host in "ab"])
            first, second = await leases(frontier)
            assert frontier.depths() == (8, 0)
            await frontier.settle([settled(first, Retry(NOW + 9, first.request), "")])
            assert frontier.depths() == (8, 1)
            await frontier.settle([settled(second)])
            counts = await frontier.counts()
            assert frontier.depths() == (counts.waiting, counts.delayed) == (8, 1)

    async def test_notes_tell_what_is_remembered(self, tmp_path: Path) -> None:
        """`notes` gives all of a host's notes, empty ones for a host without."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.settle([], notes={"a.example": {"gate": "1"}})
            await frontier.settle([], notes={"a.example": {"robots": "2"}})
            assert await frontier.notes("a.example") == {"gate": "1", "robots": "2"}
            assert await frontier.notes("b.example") == {}
