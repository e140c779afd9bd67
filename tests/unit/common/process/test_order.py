from __future__ import annotations

from services.common.process.order import drain_order


def test_callers_stop_before_those_they_call() -> None:
    peers = {"c": {"elsewhere"}, "a": {"b"}, "b": {"c"}, "d": {"c"}}
    assert drain_order(peers) == [["a", "d"], ["b"], ["c"]]


def test_a_circle_stops_together_and_what_it_calls_after_it() -> None:
    peers = {"a": {"b"}, "b": {"a", "c"}, "c": set[str](), "top": {"a"}}
    assert drain_order(peers) == [["top"], ["a", "b"], ["c"]]


def test_a_service_that_calls_itself_is_no_circle() -> None:
    assert drain_order({"a": {"a", "b"}, "b": set()}) == [["a"], ["b"]]


def test_nothing_is_in_no_order() -> None:
    assert drain_order({}) == []
