"""The conformance suites for frontiers that survive a restart, and for those that implement `FrontierView`."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from scraper.frontier.interface import NEVER, Wait
from scraper.model import Drop, Release, Retry, Skip
from scraper.testing.frontier_suite_basic import FrontierContract
from scraper.testing.frontier_suite_steps import (
    NOW,
    FrontierSuite,
    drain_host,
    full_request,
    make_post,
    make_request,
    make_settlement,
    make_url,
    take_hrefs,
    take_leases,
)


class DurableFrontierContract(FrontierContract):
    """The rules for a frontier on disk: reopened in the same folder, it continues where it was."""

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
            (first,) = await take_leases(frontier)
            frontier.park("a.example", NOW)
            await take_leases(frontier)
            await frontier.settle([make_settlement(first)])
        async with self.open_frontier(tmp_path) as frontier:
            assert (await frontier.counts()).waiting == 2
            assert await drain_host(frontier, "a.example") == ["https://a.example/1", "https://a.example/2"]

    async def test_what_is_dated_never_waits_again_after_a_reopen(self, tmp_path: Path) -> None:
        """A retry at `NEVER` is put aside for this session, and nobody waits for it; the next session asks for it."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/1")])
            (lease,) = await take_leases(frontier)
            await frontier.settle([make_settlement(lease, Retry(NEVER, lease.request), "")])
            frontier.park("a.example", NOW)
            assert await frontier.lease(1, NOW + 1e9) == Wait(NEVER)
        async with self.open_frontier(tmp_path) as frontier:
            assert await drain_host(frontier, "a.example") == ["https://a.example/1"]

    async def test_delayed_entries_keep_their_date(self, tmp_path: Path) -> None:
        """A retry comes back at its instant after a reopen too, as the request it was retried as."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/1")])
            (lease,) = await take_leases(frontier)
            again = make_request("https://b.example/x", attempt=2, slowdowns=1)
            await frontier.settle([make_settlement(lease, Retry(NOW + 30, again), "")])
        async with self.open_frontier(tmp_path) as frontier:
            assert (await frontier.counts()).delayed == 1
            assert await frontier.lease(1, NOW) == Wait(NOW + 30)
            (lease,) = await take_leases(frontier, now=NOW + 30)
            assert lease.request == again
            assert await frontier.add([again]) == 0

    async def test_everything_about_a_request_survives(self, tmp_path: Path) -> None:
        """Queued or delayed: contents, what was tried, where it came from."""
        queued, delayed = full_request("a.example"), full_request("b.example")
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([queued, make_request("https://c.example/")])
            by_host = {lease.request.url.host: lease for lease in await take_leases(frontier)}
            await frontier.settle([make_settlement(by_host["c.example"], Retry(NOW + 30, delayed), "")])
        async with self.open_frontier(tmp_path) as frontier:
            found = [lease.request for lease in await take_leases(frontier, now=NOW + 30)]
            assert sorted(found, key=lambda request: request.url) == [queued, delayed]

    async def test_contents_that_were_posted_stay_known(self, tmp_path: Path) -> None:
        """One content is posted once in a run, over all its sessions; another one is new."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_post("https://a.example/", b"1")])
        async with self.open_frontier(tmp_path) as frontier:
            assert (
                await frontier.add([make_post("https://a.example/", b"1"), make_post("https://a.example/", b"2")]) == 1
            )

    async def test_counts_marks_and_notes_go_on(self, tmp_path: Path) -> None:
        """Counts are over all sessions, marks and notes are as last written, notes come with the first lease."""
        for session in (1, 2, 3):
            async with self.open_frontier(tmp_path) as frontier:
                await frontier.add([make_request(f"https://a.example/{n}") for n in range(4)])
                (lease,) = await take_leases(frontier)
                expected: Mapping[str, str] = {} if session == 1 else {"gate": str(session - 1), "first": "1"}
                assert lease.host_state == expected
                notes = {"gate": str(session)} | ({"first": "1"} if session == 1 else {})
                done = make_settlement(lease, wire_size=5, items=1)
                await frontier.settle([done], {"pages": str(session)}, {"a.example": notes})
                counts = await frontier.counts()
                assert (counts.outcomes, counts.hosts) == ({"ok": session}, {"a.example": {"ok": session}})
                assert (counts.wire_size, counts.items, counts.known) == (5 * session, session, 4)
                assert counts.checkpoints == {"pages": str(session)}

    async def test_below_holds_after_a_reopen(self, tmp_path: Path) -> None:
        """Priorities are known without having been leased in this process."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/page"), make_request("https://b.example/page")])
            await frontier.add([make_request("https://b.example/file", -1)])
        async with self.open_frontier(tmp_path) as frontier:
            assert await take_hrefs(frontier, below=0) == ["https://b.example/file"]
            result = await frontier.lease(1, NOW, 0)
            assert isinstance(result, Wait)
            assert (result.until == NEVER) is not self.shared


class FrontierViewContract(FrontierSuite):
    """The rules of `FrontierView`: read-only queries about the run."""

    async def test_skips_are_kept_once_in_order(self, tmp_path: Path) -> None:
        """Each URL that was skipped or dropped appears once, in the order found."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/1", parent="https://p.example/")])
            (lease,) = await take_leases(frontier)
            skip, other = (Skip(make_url(f"https://x.example/{n}"), "https://a.example/1", "scope", "r") for n in "ab")
            await frontier.settle(
                [make_settlement(lease, Drop("robots", "Disallow: /"), "", skipped=(skip, other, skip))]
            )
            await frontier.settle([make_settlement(lease, skipped=(other._replace(reason="later"),))])
            dropped = Skip(make_url("https://a.example/1"), "https://p.example/", "robots", "Disallow: /")
            assert [skip async for skip in frontier.skips()] == [dropped, skip, other]

    async def test_a_skip_is_forgotten_when_its_url_is_queued(self, tmp_path: Path) -> None:
        """A URL that gets queued later is no longer a skip, and a queued URL does not become one."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/")])
            (lease,) = await take_leases(frontier)
            skips = tuple(
                Skip(make_url(f"https://a.example/{name}"), None, "depth", "5") for name in ("x", "", "y", "z")
            )
            await frontier.settle([make_settlement(lease, skipped=skips)])
            assert await frontier.add([make_request("https://a.example/x")]) == 1
            frontier.park("a.example", NOW)
            (lease,) = await take_leases(frontier)
            await frontier.settle([make_settlement(lease, Retry(NOW + 1, make_request("https://a.example/z")), "")])
            assert [skip.url.href async for skip in frontier.skips()] == ["https://a.example/y"]

    async def test_whether_a_host_has_requests_of_another_origin(self, tmp_path: Path) -> None:
        """http beside https, also far behind in the queue."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request(f"https://a.example/{n}") for n in range(700)])
            await frontier.add([make_request("http://b.example/")])
            assert not await frontier.has_other_origin("a.example", "https://a.example")
            assert not await frontier.has_other_origin("c.example", "https://c.example")
            await frontier.add([make_request("http://a.example/")])
            assert await frontier.has_other_origin("a.example", "https://a.example")

    async def test_waiting_names_every_request_host_by_host(self, tmp_path: Path) -> None:
        """Queued and delayed requests, one host after the other; leased ones are not among them."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request(f"https://{host}.example/{n}") for n in range(4) for host in "abc"])
            found = await take_leases(frontier)
            assert len(found) == 3
            await frontier.settle([make_settlement(found[0], Retry(NOW + 9, found[0].request), "")])
            await frontier.settle([make_settlement(found[1], Release(), "")])
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
            assert frontier.count_queued("a.example") == 400
            (lease,) = await take_leases(frontier)
            assert frontier.count_queued("a.example") == 399
            await frontier.settle([make_settlement(lease, Retry(NOW + 1, lease.request), "")])
            assert frontier.count_queued("a.example") == 399
            frontier.park("a.example", NOW)
            await take_leases(frontier, now=NOW + 1)
            assert frontier.count_queued("a.example") == 399
            assert frontier.count_queued("b.example") == 0

    async def test_depths_are_those_of_counts(self, tmp_path: Path) -> None:
        """`depths` says what `counts` says about queued and delayed requests, through lease, retry and settle."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request(f"https://{host}.example/{n}") for n in range(5) for host in "ab"])
            first, second = await take_leases(frontier)
            assert frontier.depths() == (8, 0)
            await frontier.settle([make_settlement(first, Retry(NOW + 9, first.request), "")])
            assert frontier.depths() == (8, 1)
            await frontier.settle([make_settlement(second)])
            counts = await frontier.counts()
            assert frontier.depths() == (counts.waiting, counts.delayed) == (8, 1)

    async def test_notes_tell_what_is_remembered(self, tmp_path: Path) -> None:
        """`notes` gives all of a host's notes, empty ones for a host without."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.settle([], host_state={"a.example": {"gate": "1"}})
            await frontier.settle([], host_state={"a.example": {"robots": "2"}})
            assert await frontier.host_state("a.example") == {"gate": "1", "robots": "2"}
            assert await frontier.host_state("b.example") == {}
