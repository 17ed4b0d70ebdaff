"""What one transaction is to write, as it is collected from settlements."""

from __future__ import annotations

from scraper.frontier.sqlite.messages import Requeue, SkipUpdate, WriteBatch
from scraper.frontier.sqlite.write_batch import WriteBatchBuilder
from scraper.model import Done, Drop, Retry, Skip
from scraper.structures.recent_set import RecentSet
from scraper.testing.frontier_contract import make_request
from scraper.urls.fingerprint import fingerprint

ONE, TWO = make_request("https://a.example/1"), make_request("https://a.example/2", 3)
KEY_ONE, KEY_TWO = fingerprint(ONE.url), fingerprint(TWO.url)
NOW = 100.0


def new_builder() -> WriteBatchBuilder:
    return WriteBatchBuilder(RecentSet(10), RecentSet(10))


def test_a_request_is_discovered_once() -> None:
    """What the cache knows costs no row; a batch without anything is false."""
    builder = new_builder()
    assert not builder.build({}, {})
    builder.add_discovered([ONE, ONE])
    builder.add_discovered([ONE])
    batch = builder.build({}, {})
    assert list(batch.discovered) == [(KEY_ONE, ONE)]
    assert batch


def test_a_known_url_is_not_skipped_and_a_skip_is_stored_once() -> None:
    """The first reason counts."""
    builder = new_builder()
    builder.add_discovered([ONE])
    skips = [Skip(request.url, None, reason, "rule") for request in (ONE, TWO) for reason in ("scope", "depth")]
    builder.add_skipped(skips)
    assert builder.build({}, {}).skips == [SkipUpdate(KEY_TWO, skips[2], False)]


def test_each_verdict_ends_a_lease_in_its_way() -> None:
    """Done counts, Drop stores a skip, Retry requeues: at once when it is due, else delayed."""
    builder = new_builder()
    builder.end_lease(1, ONE, Done(), "ok", NOW)
    builder.end_lease(2, ONE, Drop("robots", "rule"), "", NOW)
    builder.end_lease(3, TWO, Retry(NOW, TWO), "", NOW)
    builder.end_lease(4, TWO, Retry(NOW + 1, TWO), "", NOW, written=False)
    batch = builder.build({}, {})
    assert batch.finished == [("a.example", 0, 1), ("a.example", 0, 2), ("a.example", 3, 3)]
    assert batch.finished_unwritten == [("a.example", 3, 4)]
    assert batch.requeued == [Requeue(None, 3, TWO), Requeue(NOW + 1, 4, TWO)]
    assert batch.outcome_counts == {("a.example", "ok"): 1}
    dropped = SkipUpdate(KEY_ONE, Skip(ONE.url, None, "robots", "rule"), True)
    assert batch.skips == [dropped, SkipUpdate(KEY_TWO, None, False), SkipUpdate(KEY_TWO, None, False)]


def test_stripped_requests_leave_their_fingerprints() -> None:
    """Fingerprints that were not saved before come first, with those the batch is complete."""
    builder = new_builder()
    builder.add_discovered([ONE])
    assert builder.strip_requests([KEY_TWO]) == {KEY_ONE: ONE}
    assert list(builder.build({}, {}).discovered) == [(KEY_TWO, None), (KEY_ONE, None)]


def test_an_eviction_from_the_cache_is_noticed() -> None:
    """Then what is in `fresh` must be merged before it is looked up."""
    known = RecentSet(1)
    builder = WriteBatchBuilder(known, RecentSet(1))
    builder.add_discovered([ONE])
    assert not builder.cache_evicted
    builder.add_discovered([TWO])
    assert builder.cache_evicted
    assert builder.build({}, {}).cache_evicted


def test_the_repr_of_a_batch_shows_what_is_in_it() -> None:
    """Sizes of what is not empty: a batch may hold thousands of rows."""
    assert repr(WriteBatch()) == "<WriteBatch empty>"
    batch = WriteBatch(discovered=[(KEY_ONE, ONE), (KEY_TWO, TWO)], all_new=True, checkpoints={"pages": "7"}, items=4)
    assert repr(batch) == "<WriteBatch discovered=2 all_new=True checkpoints=1 items=4>"
