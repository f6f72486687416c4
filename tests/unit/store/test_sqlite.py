"""What the SQLite store keeps, and what it refuses."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from qsched.errors import AlreadyExists, NotFound, StoreError
from qsched.store.protocol import HistoryEvent, Store
from qsched.store.sqlite import SqliteStore
from tests.unit.store.builders import PLACEMENT, RESULT, complete, job, new_job, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened: Store = SqliteStore(tmp_path / "deep" / "qsched.db")
    yield opened
    opened.close()


def names(summaries) -> list[str]:
    return [summary.name for summary in summaries]


def test_a_job_is_read_as_it_was_added(store: Store) -> None:
    store.add([new_job("a", priority=5)])
    record = store.get("a")
    assert record == store.get("uid-a")
    assert (record.uid, record.namespace, record.name, record.phase) == ("uid-a", "default", "a", "Pending")
    assert (record.job, record.state) == (job("a", priority=5), b"pending")
    assert (record.placement, record.result, record.finished_at) == (None, None, None)
    assert store.history("uid-a") == [HistoryEvent(100.0, "Accepted", "the job is valid")]


def test_adding_a_job_twice_adds_it_once(store: Store) -> None:
    store.add([new_job("a")])
    store.add([new_job("a"), new_job("b")])
    assert names(store.list()) == ["b", "a"]
    assert len(store.history("uid-a")) == 1


def test_a_taken_name_is_refused_and_nothing_of_the_batch_is_stored(store: Store) -> None:
    store.add([new_job("a"), new_job("b")])
    batch = [new_job("c"), new_job("a", uid="other"), new_job("b", uid="another"), new_job("d")]
    with pytest.raises(AlreadyExists, match="default/a, default/b: a job of this name exists"):
        store.add(batch)
    with pytest.raises(AlreadyExists, match="default/e"):
        store.add([new_job("e"), new_job("e", uid="other")])
    assert names(store.list()) == ["b", "a"]
    store.add([new_job("a", namespace="team", uid="other")])
    assert store.get("a", "team").uid == "other"


def test_an_unknown_job_is_said_to_be_unknown(store: Store) -> None:
    store.add([new_job("a", namespace="team")])
    with pytest.raises(NotFound, match="no job 'a' in namespace 'default'"):
        store.get("a")
    with pytest.raises(NotFound, match="nobody"):
        store.send("nobody", "Cancel", 1.0)
    assert store.history("nobody") == []


def test_state_placement_result_and_history_are_stored_together(store: Store) -> None:
    store.add([new_job("a"), new_job("b")])
    store.apply([running("a"), complete("b")])
    store.apply([complete("a")])
    record = store.get("a")
    assert (record.phase, record.state, record.placement, record.result) == (
        "Complete", b"complete", PLACEMENT, RESULT,
    )  # fmt: skip
    assert record.finished_at == 200.0
    assert [line.type for line in store.history("uid-a")] == ["Accepted", "Running", "Completed"]
    summary = store.list(phases=["Complete"])[0]
    assert (summary.name, summary.reason, summary.message, summary.backend) == (
        "b", "Completed", "the result is stored", "kyoto",
    )  # fmt: skip


def test_an_update_without_placement_or_result_leaves_them(store: Store) -> None:
    store.add([new_job("a")])
    store.apply([complete("a")])
    store.apply([running("a")])
    assert (store.get("a").placement, store.get("a").result) == (PLACEMENT, RESULT)


def test_an_update_of_a_removed_job_is_passed_over(store: Store) -> None:
    store.add([new_job("a"), new_job("b")])
    store.apply([], forget=["uid-a"])
    store.apply([running("a"), running("b")])
    assert names(store.list()) == ["b"]


def test_lists_are_filtered_newest_first_and_limited(store: Store) -> None:
    store.add([new_job("a"), new_job("b", namespace="team"), new_job("c"), new_job("d")])
    store.apply([running("a"), complete("c")])
    assert names(store.list()) == ["d", "c", "b", "a"]
    assert names(store.list(limit=2)) == ["d", "c"]
    assert names(store.list(namespace="team")) == ["b"]
    assert names(store.list(phases=["Running", "Complete"])) == ["c", "a"]
    assert names(store.list(phases=["Pending"], namespace="default")) == ["d"]


def test_an_engine_loads_what_is_not_settled_and_then_what_is_new(store: Store) -> None:
    store.add([new_job("a"), new_job("b"), new_job("c")])
    store.apply([complete("b")])
    loaded = store.unsettled()
    assert names(loaded) == ["a", "c"]
    assert names(store.unsettled(limit=1)) == ["a"]
    last = loaded[-1].number
    assert store.unsettled(after=last) == []
    store.add([new_job("d")])
    assert names(store.unsettled(after=last)) == ["d"]


def test_numbers_are_not_reused_after_a_removal(store: Store) -> None:
    store.add([new_job("a")])
    first = store.get("a").number
    store.apply([], forget=["uid-a"])
    store.add([new_job("a")])
    assert store.get("a").number > first


def test_readers_see_what_changed_since_they_looked(store: Store) -> None:
    store.add([new_job("a"), new_job("b"), new_job("c")])
    seen = store.changes_since(0)
    assert names(seen) == ["a", "b", "c"]
    assert store.changes_since(seen[-1].seq) == []
    store.apply([running("b")])
    store.apply([running("a")])
    assert names(store.changes_since(seen[-1].seq)) == ["b", "a"]


def test_a_page_of_changes_ends_on_a_whole_change(store: Store) -> None:
    store.add([new_job("a"), new_job("b"), new_job("c")])
    store.add([new_job("d")])
    page = store.changes_since(0, limit=2)
    assert names(page) == ["a", "b", "c"]
    assert names(store.changes_since(page[-1].seq, limit=2)) == ["d"]


def test_commands_wait_in_the_inbox_until_their_answer_is_stored(store: Store) -> None:
    store.add([new_job("a"), new_job("b")])
    store.send("uid-a", "Cancel", 1.0)
    store.send("uid-b", "Priority", 2.0, value=7)
    first, second = store.commands()
    assert (first.uid, first.kind, first.at) == ("uid-a", "Cancel", 1.0)
    assert (second.uid, second.kind, second.value) == ("uid-b", "Priority", 7)
    assert store.commands() == [first, second]
    store.apply([running("a")], done=[first.id])
    assert store.commands() == [second]
    store.apply([], forget=["uid-b"])
    assert store.commands() == []


def test_changed_declarations_are_read_back(store: Store) -> None:
    store.add([new_job("a")])
    changed = job("a", priority=9, ttl_seconds_after_finished=0)
    update = running("a")
    update = type(update)(uid="uid-a", phase="Running", state=b"x", settled=False, job=changed)
    store.apply([update])
    assert store.get("a").job == changed
    assert store.list()[0].priority == 9


def test_settled_jobs_are_purged_when_their_time_is_over(store: Store) -> None:
    store.add(
        [
            new_job("keep"),
            new_job("a", ttl_seconds_after_finished=60),
            new_job("b", ttl_seconds_after_finished=60),
        ]
    )
    store.apply([complete("keep"), complete("a", at=200.0)])
    assert store.purge(259.9) == 0
    assert store.purge(260.0) == 1
    assert store.purge(1e9) == 0
    assert names(store.list()) == ["b", "keep"]
    assert store.history("uid-a") == []


def test_small_values_are_kept_by_kind(store: Store) -> None:
    store.put("waits", {"kyoto": b"1", "lagos": b"2"})
    store.put("waits", {"kyoto": b"3"})
    store.put("backends", {"kyoto": b"x"})
    assert store.values("waits") == {"kyoto": b"3", "lagos": b"2"}
    assert store.values("nothing") == {}


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    first = SqliteStore(tmp_path / "q.db")
    first.add([new_job("a")])
    first.apply([complete("a")])
    before = first.get("a")
    first.close()
    second = SqliteStore(tmp_path / "q.db")
    assert second.get("a") == before
    second.close()


def test_a_failure_in_the_middle_of_a_change_leaves_nothing_of_it(store: Store) -> None:
    store.add([new_job("a"), new_job("b")])
    broken = running("b", line=None)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="NOT NULL"):
        store.apply([running("a"), broken])
    assert {summary.phase for summary in store.list()} == {"Pending"}
    assert len(store.history("uid-a")) == 1
    store.apply([running("a")])
    assert store.get("a").phase == "Running"


def test_threads_may_share_a_store(store: Store) -> None:
    def work(thread: int) -> None:
        for number in range(20):
            name = f"t{thread}-{number}"
            store.add([new_job(name)])
            store.apply([complete(name)])
            store.list(limit=5)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.list(phases=["Complete"])) == 80


def test_a_job_that_cannot_be_decoded_is_named(store: Store) -> None:
    store.add([new_job("a")])
    store._db.execute("UPDATE declarations SET body = x'c0'")
    with pytest.raises(StoreError, match=r"job default/a in .*qsched\.db cannot be read"):
        store.get("a")
    assert names(store.list()) == ["a"], "lists decode nothing"
