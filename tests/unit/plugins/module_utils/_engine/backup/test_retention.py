# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which snapshots stay, whatever clocks and zones say, and that nothing goes that one of them needs."""

from __future__ import annotations

import calendar
import datetime
import os
import random
import shutil
import tempfile
import time
from pathlib import Path

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup import retention
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.codec import codec
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.hygiene import slim
from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.verify import verify

from .conftest import Shop, facts

HOUR, DAY = 3600, 86400


def ids_at(moments):
    """Ids as a repository makes them: they only ever go up."""
    found, last = [], 0.0
    for number, moment in enumerate(moments):
        last = max(moment, last + 1)
        found.append(f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(last))}-{number:08x}")
    return found


def plainly(moments, policy, now):
    """What stays, said once more in other words: numbers of the snapshots."""
    if not policy:
        return set(range(len(moments)))
    stay = {len(moments) - 1} if moments else set()
    for rule, value in policy.items():
        if rule == "last":
            stay |= set(range(len(moments))[-int(value) :]) if value else set()
        elif rule == "within":
            stay |= {number for number, moment in enumerate(moments) if value and moment >= now - value}
        else:
            periods = []
            for number in reversed(range(len(moments))):
                at = datetime.datetime.fromtimestamp(int(moments[number]), datetime.timezone.utc)
                period = {
                    "hourly": (at.date(), at.hour), "daily": at.date(), "weekly": at.isocalendar()[:2], "monthly": (at.year, at.month), "yearly": at.year,
                }[rule]  # fmt: skip
                if period not in periods and len(periods) < value:
                    periods.append(period)
                    stay.add(number)
    return stay


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe"])
def test_zones_and_their_changes_of_clocks_alter_nothing(zone, monkeypatch):
    """Hour by hour over both changes of summer time, and over the day that Samoa left out."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for begin in ("20260328", "20261024", "20111229"):
            first = calendar.timegm(time.strptime(begin, "%Y%m%d"))
            moments = [first + HOUR * number for number in range(72)]
            ids = ids_at(moments)
            stay = retention.kept(ids, {"hourly": 30, "daily": 3}, moments[-1])
            assert [each for each in ids if each in stay] == [ids[23], *ids[-30:]]
            assert len(retention.kept(ids, {"daily": 9}, moments[-1])) == 3
    finally:
        monkeypatch.undo()
        time.tzset()


def test_periods_of_a_year():
    """Four snapshots a day for two years."""
    first = calendar.timegm((2025, 1, 1, 0, 0, 0))
    moments = [first + 6 * HOUR * number for number in range(4 * 730)]
    ids = ids_at(moments)
    policy = {"last": 3, "hourly": 5, "daily": 7, "weekly": 4, "monthly": 6, "yearly": 2, "within": 2.0 * DAY}
    stay = retention.kept(ids, policy, moments[-1])
    assert {number for number, each in enumerate(ids) if each in stay} == plainly(moments, policy, moments[-1])
    assert "newest" in stay[ids[-1]] and "yearly" in stay[ids[-1]] and stay[ids[4 * 365 - 1]] == ["yearly"]


def test_a_clock_that_was_wrong_for_a_day_costs_nothing():
    """One snapshot of the year 2099, then daily ones again: ids go on from 2099 second by second, but days are those of the records."""
    first = calendar.timegm((2026, 11, 1, 12, 0, 0))
    moments = [first + DAY * number for number in range(20)]
    moments[10] = calendar.timegm((2099, 1, 1, 0, 0, 0))
    ids = ids_at(moments)
    times = dict(zip(ids, map(float, moments)))
    assert ids[11].startswith("20990101T000001Z")
    stay = retention.kept(ids, {"daily": 7}, moments[-1], times)
    assert [each for each in ids if each in stay] == ids[-7:]
    assert set(retention.kept(ids, {"within": 3.0 * DAY}, moments[-1], times)) == {ids[10], *ids[-4:]}
    record = {"id": ids[11], "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moments[11]))}
    assert retention.moment_of(record) == moments[11]
    assert retention.moment_of({"id": ids[11], "time": "soon"}) == retention.moment_of({"id": ids[11]}) == retention.moment(ids[11])


def test_whatever_is_taken_and_forgotten_kept_snapshots_have_all_they_need():
    lives(8)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_many_lives_of_a_repository():
    lives(300)


def lives(count):
    """Random files, clocks, policies, compressions and removals, against the plain rules and the trees of that time."""
    hypothesis = pytest.importorskip("hypothesis", reason="draws trees and policies with hypothesis")
    from hypothesis import strategies as st

    names = st.sampled_from(["a", "b", "c/d", "c/e", "f/g/h"])
    change = st.lists(st.tuples(names, st.one_of(st.none(), st.integers(0, 6))), max_size=4)
    step = st.tuples(change, st.integers(-5 * DAY, 40 * DAY), st.sampled_from(["gzip", "zstd", "none"]))
    numbers = st.integers(0, 3)
    policy = st.fixed_dictionaries(
        {}, optional={**dict.fromkeys(retention.RULES[:-1], numbers), "within": st.integers(0, 90 * DAY).map(float)}
    ).filter(lambda each: any(each.values()))

    @hypothesis.settings(max_examples=count, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(st.lists(step, min_size=2, max_size=8), policy, st.randoms(use_true_random=False))
    def check(steps, policy, chance):
        scratch = Path(tempfile.mkdtemp())
        try:
            _life(scratch, steps, policy, chance)
        finally:
            shutil.rmtree(scratch)

    check()


def _life(scratch, steps, policy, chance):
    root, shop = scratch / "tree", Shop(scratch / "repository")
    root.mkdir()
    seen, clock = {}, 1.7e9
    for number, (changes, pause, compression) in enumerate(steps):
        clock += pause
        for name, content in changes:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(random.Random(content).getrandbits(8 * 3000).to_bytes(3000, "big") * (content + 1))
        (root / "always").write_text(str(number))
        taken = shop.take(root, now=clock, compression=compression).snapshot
        seen[taken] = (facts(root), clock)
        ids = shop.ids()
        times = {each: retention.moment_of(shop.repository.record("job", each)) for each in ids}
        assert times == {each: float(int(seen[each][1])) for each in ids}
        stay = retention.kept(ids, policy, clock, times)
        assert {ids.index(each) for each in stay} == plainly([seen[each][1] // 1 for each in ids], policy, clock)
        shop.repository.lock()
        try:
            for each in ids:
                if each not in stay:
                    shop.repository.forget("job", each)
            shop.repository.sweep()
            if chance.random() < 0.7:
                assert slim(shop.repository, codec(compression), 2, 0) == []
        finally:
            shop.repository.unlock()
        assert shop.ids() == [each for each in ids if each in stay] and taken in shop.ids()
        assert verify(shop.repository, ["job"]) == []
    for place, each in enumerate(shop.ids()):
        shop.back(scratch / f"back{place}", snapshot=place)
        assert facts(f"{scratch}/back{place}{root}") == seen[each][0]
    used = {archive for each in shop.ids() for archive in shop.repository.record("job", each)["archives"]}
    assert {name.split(".")[0] for name in os.listdir(shop.place / "archives")} == used
