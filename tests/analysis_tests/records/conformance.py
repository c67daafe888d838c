"""What every store of records promises: inherit, and override `store`."""

from dataclasses import replace
from pathlib import Path

import pytest

from analysis.records.record import JsonlStore
from tests.analysis_tests.examples import record
from topformer.errors import RecordError


class RecordStoreConformance:
    @pytest.fixture
    def store(self, tmp_path: Path) -> JsonlStore:
        """An empty store."""
        raise NotImplementedError

    def test_is_empty_at_first(self, store: JsonlStore) -> None:
        assert list(store) == []

    def test_gives_back_what_was_appended_in_order(self, store: JsonlStore) -> None:
        store.append(record(1))
        store.append_many([record(0), record(2)])
        store.append(record(3, miou=None, reason="too slow\nby far"))
        assert list(store) == [record(1), record(0), record(2), record(3, miou=None, reason="too slow\nby far")]

    def test_can_be_read_twice(self, store: JsonlStore) -> None:
        store.append(record())
        assert list(store) == list(store)

    def test_keeps_a_record_as_it_was(self, store: JsonlStore) -> None:
        details = {"iou": [1.0]}
        store.append(record(details=details))
        details["iou"].append(2.0)
        assert next(iter(store)).details == {"iou": [1.0]}

    def test_an_iteration_sees_the_records_of_its_start(self, store: JsonlStore) -> None:
        store.append(record(0))
        seen = iter(store)
        store.append(record(1))
        assert list(seen) == [record(0)]

    def test_appends_all_or_nothing(self, store: JsonlStore) -> None:
        bad = replace(record(1), details={"path": Path("a")})
        with pytest.raises(RecordError):
            store.append_many([record(0), bad])
        assert list(store) == []

    def test_appending_nothing_is_nothing(self, store: JsonlStore) -> None:
        store.append_many([])
        assert list(store) == []
