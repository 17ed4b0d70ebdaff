"""The conformance suite for every frontier."""

from __future__ import annotations

from pathlib import Path

from scraper.frontier.interface import NEVER, Drained, Wait
from scraper.model import Done, Drop, Hop, Release, Request, RequestKind, Retry, Url, Verdict
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

POST_URL = "https://a.example/api"


class FrontierContract(FrontierSuite):
    """The rules for every frontier."""

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
            (lease,) = await take_leases(frontier)
            assert lease.request == first

    async def test_a_request_comes_back_whole(self, tmp_path: Path) -> None:
        """Every field of a request survives the queue."""
        kinds: list[RequestKind] = ["page", "file", "sitemap", "robots"]
        requests = [full_request(f"{kind}.example", kind) for kind in kinds]
        odd = Request(Url("https://user.example/", "another key", "user.example", "http://odd.example:1"))
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([*requests, odd])
            found = await take_leases(frontier)
            assert {lease.request.url: lease.request for lease in found} == {r.url: r for r in [*requests, odd]}

    async def test_two_contents_posted_to_one_url_are_two_requests(self, tmp_path: Path) -> None:
        """And neither is the GET of that URL; each content is posted once."""
        async with self.open_frontier(tmp_path) as frontier:
            get, one, two = make_request(POST_URL), make_post(POST_URL, b"1"), make_post(POST_URL, b"2")
            assert await frontier.add([one, two, get, one]) == 3
            assert await frontier.add([two]) == 0
            found = []
            while some := await take_leases(frontier):
                found += some
                frontier.park("a.example", NOW)
            assert [lease.request for lease in found] == [one, two, get]
            await frontier.settle(
                [
                    make_settlement(found[0], Retry(NOW + 1, one), ""),
                    make_settlement(found[1]),
                    make_settlement(found[2]),
                ]
            )
            (again,) = await take_leases(frontier, now=NOW + 1)
            assert again.request == one

    async def test_one_lease_a_host_until_it_is_parked(self, tmp_path: Path) -> None:
        """A lease closes its host, `park` opens it from the instant given and not before."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request(f"https://a.example/{n}") for n in range(3)])
            assert await take_hrefs(frontier) == ["https://a.example/0"]
            assert isinstance(await frontier.lease(10, NOW), Wait)
            frontier.park("a.example", NOW + 5)
            assert await frontier.lease(10, NOW + 4) == Wait(NOW + 5)
            assert await take_hrefs(frontier, now=NOW + 5) == ["https://a.example/1"]

    async def test_a_lease_that_takes_no_waiting(self, tmp_path: Path) -> None:
        """`try_lease` gives what `lease` would, or nothing; what it gave is leased and its host closed."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request(f"https://a.example/{n}") for n in range(3)])
            assert frontier.try_lease(NOW, 0) is None
            found = []
            for instant in (NOW, NOW + 1, NOW + 2):
                lease = frontier.try_lease(instant)
                if lease is None:
                    (lease,) = await take_leases(frontier, now=instant)
                assert frontier.try_lease(instant) is None
                found.append(lease)
                frontier.park("a.example", instant + 1)
            assert [lease.request.url.href[-1] for lease in found] == ["0", "1", "2"]
            await frontier.settle([make_settlement(lease) for lease in found])
            assert frontier.try_lease(NOW + 9) is None
            assert await frontier.lease(1, NOW + 9) == Drained()

    async def test_another_lease_of_a_host_leaves_its_instant_alone(self, tmp_path: Path) -> None:
        """`try_lease_same_host` gives the next request of a host, parked or not, and passes no other host by."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request(f"https://a.example/{n}") for n in range(4)])
            (first,) = await take_leases(frontier)
            assert frontier.try_lease_same_host("a.example", NOW) is None, "it is closed"
            assert frontier.try_lease_same_host("b.example", NOW) is None, "nobody knows it"
            frontier.park("a.example", NOW + 5)
            assert frontier.try_lease_same_host("a.example", NOW, 0) is None, "nothing below"
            second = frontier.try_lease_same_host("a.example", NOW)
            assert await frontier.lease(1, NOW + 4) == Wait(NOW + 5)
            await frontier.add([make_request("https://b.example/")])
            assert frontier.try_lease_same_host("a.example", NOW + 4) is None, "another host's turn has come"
            found = [lease for lease in (first, second) if lease is not None]
            await frontier.settle([make_settlement(lease) for lease in found])
            assert await take_hrefs(frontier, now=NOW + 4) == ["https://b.example/"]
            rest = await take_hrefs(frontier, now=NOW + 5)
            frontier.park("a.example", NOW + 5)
            rest += await take_hrefs(frontier, now=NOW + 5)
            order = [lease.request.url.href[-1] for lease in found] + [href[-1] for href in rest]
            assert order == ["0", "1", "2", "3"][: len(order)]

    async def test_only_closed_hosts_is_an_endless_wait(self, tmp_path: Path) -> None:
        """While every waiting host is closed or parked for good there is no instant to wait for."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/1"), make_request("https://a.example/2")])
            (lease,) = await take_leases(frontier)
            closed = await frontier.lease(1, NOW)
            frontier.park("a.example", NEVER)
            parked = await frontier.lease(1, NOW)
            await frontier.settle([make_settlement(lease)])
            for result in (closed, parked, await frontier.lease(1, NOW + 1e9)):
                assert isinstance(result, Wait)
                assert (result.until == NEVER) is not self.shared
            frontier.park("a.example", NOW + 1)
            assert await take_hrefs(frontier, now=NOW + 1e9) == ["https://a.example/2"]

    async def test_a_leased_entry_keeps_the_frontier_from_being_drained(self, tmp_path: Path) -> None:
        """What is leased may yet bring links: `Drained` comes after the last settlement."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/1")])
            (lease,) = await take_leases(frontier)
            frontier.park("a.example", NOW)
            assert isinstance(await frontier.lease(1, NOW), Wait)
            await frontier.settle([make_settlement(lease)])
            assert await frontier.lease(1, NOW) == Drained()

    async def test_count_bounds_a_grant(self, tmp_path: Path) -> None:
        """At most `count` leases, and the rest stays."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request(f"https://h{n}.example/") for n in range(5)])
            assert len(await take_leases(frontier, 2)) == 2
            assert len(await take_leases(frontier, 10)) == 3

    async def test_the_host_that_was_ready_first_goes_first(self, tmp_path: Path) -> None:
        """Among ready hosts the order is that of their instants, not of their names or priorities."""
        async with self.open_frontier(tmp_path) as frontier:
            hosts = ["a.example", "b.example", "c.example"]
            await frontier.add([make_request(f"https://{host}/{n}") for host in hosts for n in range(2)])
            found = await take_leases(frontier)
            assert len(found) == 3
            for host, instant in zip(hosts, (NOW + 3, NOW + 1, NOW + 2), strict=True):
                frontier.park(host, instant)
            first, *others = [lease.request.url.host for lease in await take_leases(frontier, 1, NOW + 10)]
            rest = [lease.request.url.host for lease in await take_leases(frontier, 5, NOW + 10)]
            assert [first, *others, *rest] == ["b.example", "c.example", "a.example"]

    async def test_no_host_starves(self, tmp_path: Path) -> None:
        """A host that came back later than new ones appeared is served before those that appear after it."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://old.example/1"), make_request("https://old.example/2")])
            assert await take_hrefs(frontier, 1, NOW) == ["https://old.example/1"]
            frontier.park("old.example", NOW + 1)
            served: list[str] = []
            for n in range(1, 6):
                await frontier.add(
                    [make_request(f"https://new{n}a.example/"), make_request(f"https://new{n}b.example/")]
                )
                served += await take_hrefs(frontier, 1, NOW + n)
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
            (lease,) = await take_leases(frontier)
            frontier.park("a.example", NOW)
            better = tuple(make_request(f"https://a.example/better{n}") for n in range(300))
            assert await frontier.settle([make_settlement(lease, discovered=better)]) == 300
            order = [href.rpartition("/")[2] for href in await drain_host(frontier, "a.example")]
            assert order == [f"better{n}" for n in range(300)] + [str(n) for n in range(1, 700)]

    async def test_below_hands_out_better_priorities_alone(self, tmp_path: Path) -> None:
        """With `below`, entries at or above it stay, and when there are no others the wait is endless."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/page"), make_request("https://b.example/page", 2)])
            assert isinstance(await frontier.lease(5, NOW, -1), Wait)
            await frontier.add([make_request("https://b.example/file", -1), make_request("https://c.example/file", -2)])
            assert sorted(await take_hrefs(frontier, below=0)) == ["https://b.example/file", "https://c.example/file"]
            frontier.park("b.example", NOW + 1)
            result = await frontier.lease(5, NOW + 1, 0)
            assert isinstance(result, Wait)
            assert (result.until == NEVER) is not self.shared
            assert sorted(await take_hrefs(frontier, now=NOW + 1)) == [
                "https://a.example/page",
                "https://b.example/page",
            ]

    async def test_below_waits_for_its_own_dates_alone(self, tmp_path: Path) -> None:
        """Hosts and delayed entries that `below` leaves out give no instant to wait for."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/file", -1), make_request("https://b.example/page")])
            one, two = await take_leases(frontier)
            for lease in (one, two):
                frontier.park(lease.request.url.host, NOW)
                again = Retry(NOW + 50 if lease.request.priority < 0 else NOW + 20, lease.request)
                await frontier.settle([make_settlement(lease, again, "")])
            assert await frontier.lease(1, NOW) == Wait(NOW + 20)
            assert await frontier.lease(1, NOW, 0) == Wait(NOW + 50)
            assert await take_hrefs(frontier, now=NOW + 50, below=0) == ["https://a.example/file"]

    async def test_a_retry_comes_back_at_its_date(self, tmp_path: Path) -> None:
        """`Retry` delays the entry until its instant, as the request given, and it is not settled."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/1")])
            (lease,) = await take_leases(frontier)
            frontier.park("a.example", NOW)
            again = make_request("https://a.example/1", attempt=1)
            await frontier.settle([make_settlement(lease, Retry(NOW + 9, again), "")])
            counts = await frontier.counts()
            assert (counts.waiting, counts.delayed, counts.leased, counts.settled) == (0, 1, 0, 0)
            assert await frontier.lease(1, NOW + 8) == Wait(NOW + 9)
            (lease,) = await take_leases(frontier, now=NOW + 9)
            assert lease.request == again
            await frontier.settle([make_settlement(lease)])
            assert await frontier.lease(1, NOW + 9) == Drained()

    async def test_a_retry_that_is_due_can_be_leased_at_once(self, tmp_path: Path) -> None:
        """A date that has passed delays nothing."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/1"), make_request("https://a.example/2")])
            (lease,) = await take_leases(frontier)
            frontier.park("a.example", NOW)
            await frontier.settle(
                [make_settlement(lease, Retry(NOW - 5, make_request("https://a.example/1", attempt=1)), "")]
            )
            assert await drain_host(frontier, "a.example") == ["https://a.example/1", "https://a.example/2"]

    async def test_a_retry_may_move_to_another_host(self, tmp_path: Path) -> None:
        """A retried request waits on its own host, and its URL is known from then on."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/1")])
            (lease,) = await take_leases(frontier)
            target = make_request("https://b.example/2", redirects=(Hop("https://a.example/1", 301),))
            await frontier.settle([make_settlement(lease, Retry(NOW, target), "")])
            assert await frontier.add([make_request("https://b.example/2"), make_request("https://a.example/1")]) == 0
            assert (await frontier.counts()).known == 2
            (lease,) = await take_leases(frontier)
            assert lease.request == target
            await frontier.settle([make_settlement(lease)])
            frontier.park("a.example", NOW)
            assert await frontier.lease(1, NOW) == Drained()

    async def test_a_release_puts_the_entry_back_where_it_was(self, tmp_path: Path) -> None:
        """`Release` leaves no trace: same place, not counted, and the host stays closed until parked."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request(f"https://a.example/{n}") for n in range(3)])
            (lease,) = await take_leases(frontier)
            await frontier.settle([make_settlement(lease, Release(), "")])
            assert isinstance(await frontier.lease(1, NOW), Wait)
            counts = await frontier.counts()
            assert (counts.waiting, counts.leased, counts.settled) == (3, 0, 0)
            frontier.park("a.example", NOW)
            assert await drain_host(frontier, "a.example") == [f"https://a.example/{n}" for n in range(3)]

    async def test_settle_adds_what_was_discovered(self, tmp_path: Path) -> None:
        """Discovered requests are added as by `add`: known ones and repeats are not new."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/"), make_request("https://b.example/")])
            one, two = await take_leases(frontier)
            links = tuple(make_request(f"https://a.example/{n}") for n in (1, 2, 1))
            more = tuple(make_request(f"https://a.example/{n}") for n in (2, 3, ""))
            assert (
                await frontier.settle([make_settlement(one, discovered=links), make_settlement(two, discovered=more)])
                == 3
            )
            assert (await frontier.counts()).known == 5
            frontier.park("a.example", NOW)
            assert await drain_host(frontier, "a.example") == [f"https://a.example/{n}" for n in (1, 2, 3)]

    async def test_counts_add_up(self, tmp_path: Path) -> None:
        """Outcomes are counted by word and by host of the lease, sums over settlements; no word, no count."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request(f"https://{host}.example/{n}") for host in "ab" for n in range(3)])
            verdicts: list[tuple[Verdict, str]] = [(Done(), "ok"), (Done(), "http_404"), (Drop("robots", "/x"), "")]
            for verdict, word in verdicts:
                found = await take_leases(frontier)
                done = [make_settlement(lease, verdict, word, wire_size=10, items=2) for lease in found]
                await frontier.settle(done, {"pages.jsonl": word})
                for lease in found:
                    frontier.park(lease.request.url.host, NOW)
            counts = await frontier.counts()
            assert counts.outcomes == {"ok": 2, "http_404": 2}
            assert counts.hosts == {f"{host}.example": {"ok": 1, "http_404": 1} for host in "ab"}
            assert (counts.settled, counts.wire_size, counts.items, counts.known) == (4, 60, 12, 6)
            assert (counts.waiting, counts.delayed, counts.leased) == (0, 0, 0)
            assert counts.checkpoints == {"pages.jsonl": ""}

    async def test_every_known_url_is_accounted_for(self, tmp_path: Path) -> None:
        """Known URLs are settled, dropped, redirected or queued, if the frontier counts these."""
        async with self.open_frontier(tmp_path) as frontier:
            urls = [f"https://h{n}.example/" for n in range(7)]
            await frontier.add([make_request(url) for url in urls])
            leases = await take_leases(frontier, 6)
            target = make_request("https://h0.example/target")
            same, other = leases[3].request, make_request("https://h4.example/cookie")
            await frontier.settle(
                [
                    make_settlement(leases[0], outcome="", discovered=(target, leases[1].request)),
                    make_settlement(leases[1]),
                    make_settlement(leases[2], Drop("robots", "line 1"), ""),
                    make_settlement(leases[3], Retry(NOW + 60, same), ""),
                    make_settlement(leases[4], Retry(NOW, other), ""),
                ]
            )
            counts = await frontier.counts()
            assert (counts.known, counts.settled) == (9, 1)
            if counts.dropped is not None and counts.redirected is not None:
                assert (counts.dropped, counts.redirected) == (1, 2)
                queued = counts.waiting + counts.delayed + counts.leased
                assert counts.known == counts.settled + counts.dropped + counts.redirected + queued

    async def test_the_first_verdict_on_a_lease_stands(self, tmp_path: Path) -> None:
        """A lease that is settled again is neither counted nor queued again."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/1")])
            (lease,) = await take_leases(frontier)
            frontier.park("a.example", NOW)
            await frontier.settle([make_settlement(lease, items=1), make_settlement(lease, Release(), "", items=1)])
            await frontier.settle([make_settlement(lease, Retry(NOW, lease.request), items=1)])
            counts = await frontier.counts()
            assert (counts.outcomes, counts.items, counts.waiting) == ({"ok": 1}, 1, 0)
            assert await frontier.lease(1, NOW) == Drained()

    async def test_an_empty_settlement_is_nothing(self, tmp_path: Path) -> None:
        """Settling nothing changes nothing; marks alone may be stored."""
        async with self.open_frontier(tmp_path) as frontier:
            assert await frontier.settle([]) == 0
            assert await frontier.settle([], {"config": "v1", "pages": "1"}) == 0
            assert await frontier.settle([], {"pages": "2"}) == 0
            assert (await frontier.counts()).checkpoints == {"config": "v1", "pages": "2"}

    async def test_notes_come_with_the_first_lease_alone(self, tmp_path: Path) -> None:
        """The first lease of a host in a process brings notes, if only empty ones; the next ones do not."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request(f"https://a.example/{n}") for n in range(3)])
            await frontier.settle(
                [], host_state={"a.example": {"gate": "1", "robots": "x"}, "b.example": {"gate": "b"}}
            )
            await frontier.settle([], host_state={"a.example": {"gate": "2"}})
            (first,) = await take_leases(frontier)
            assert first.host_state == {"gate": "2", "robots": "x"}
            frontier.park("a.example", NOW)
            (second,) = await take_leases(frontier)
            assert second.host_state is None
            await frontier.add([make_request("https://c.example/"), make_request("https://b.example/")])
            notes = {lease.request.url.host: lease.host_state for lease in await take_leases(frontier)}
            assert notes == {"b.example": {"gate": "b"}, "c.example": {}}

    async def test_a_host_may_be_parked_before_it_has_anything(self, tmp_path: Path) -> None:
        """An instant given to an unknown host holds when requests of it arrive."""
        async with self.open_frontier(tmp_path) as frontier:
            frontier.park("a.example", NOW + 7)
            await frontier.add([make_request("https://a.example/1")])
            assert await frontier.lease(1, NOW) == Wait(NOW + 7)
            assert await take_hrefs(frontier, now=NOW + 7) == ["https://a.example/1"]

    async def test_renew_accepts_leases_at_work(self, tmp_path: Path) -> None:
        """A renewed lease can still be settled."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/1")])
            (lease,) = await take_leases(frontier)
            assert lease.expires > NOW
            await frontier.renew([lease], NOW + 600)
            await frontier.settle([make_settlement(lease)])
            assert (await frontier.counts()).settled == 1

    async def test_closing_twice_is_closing_once(self, tmp_path: Path) -> None:
        """`aclose` may be called again."""
        async with self.open_frontier(tmp_path) as frontier:
            await frontier.add([make_request("https://a.example/1")])
            await frontier.aclose()
            await frontier.aclose()
