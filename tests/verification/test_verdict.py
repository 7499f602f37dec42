"""Test what a verdict says in words and in JSON."""

from __future__ import annotations

from onnxtile.verification.verdict import STATUSES, RegionVerdict, Verdict


def region(method: str, equivalent: bool = True) -> RegionVerdict:
    return RegionVerdict("n", "MatMul", "", method, "none", 1, 0.0, 0.0, equivalent, None if equivalent else "why")


def verdict(*regions: RegionVerdict) -> Verdict:
    equivalent = all(each.equivalent for each in regions)
    return Verdict(equivalent, "exact", "none", 1, 7, (), None, regions, kept=2)


def test_a_region_is_proven_tested_unknown_or_different() -> None:
    regions = [region("exact"), region("bound"), region("unknown", False), region("exact", False)]
    assert [each.status for each in regions] == list(STATUSES)
    assert verdict(regions[2]).summary.startswith("not shown to be equivalent")


def test_the_last_line_counts_the_three_apart() -> None:
    line = verdict(region("exact"), region("exact"), region("whole")).summary
    assert line == "equivalent: 2 nodes kept, 3 regions: 2 proven, 1 tested"
    assert verdict(region("structure", False)).summary.startswith("NOT equivalent")


def test_proven_is_all_or_nothing() -> None:
    assert verdict(region("exact")).proven and verdict().proven
    assert not verdict(region("exact"), region("bound")).proven


def test_json_has_the_status_of_each_region() -> None:
    found = verdict(region("exact"), region("bound")).to_json()
    assert [each["status"] for each in found["regions"]] == ["proven", "tested"]
    assert found["schema"] == "onnxtile.verify/2" and found["proven"] is False
