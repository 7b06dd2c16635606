# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What fails on one host because of another, and how likely each suspect is."""

from __future__ import annotations

import random

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import count, new_result
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.fleet import hosts_elsewhere, split, trace
from ansible_collections.vigil.ops.plugins.module_utils._engine.inspection.root_cause import rank


def outcome(*results):
    return {"results": list(results), "summary": count(results), "score": 1.0, "status": "critical", "root_causes": []}


def bad(name, *parents, **values):
    return new_result(name, **{"status": "critical", "summary": "it is down", "reason": "refused", "depends_on": list(parents), **values})


def good(name, *parents):
    return new_result(name, status="ok", depends_on=list(parents))


def verdicts(fleet):
    return {
        (host, result["name"]): (result["status"], result["caused_by"])
        for host, found in fleet.outcomes.items()
        for result in (found or {}).get("results", ())
    }


def test_children_on_other_hosts_are_skipped_and_the_parent_is_not():
    hosts = {f"web{number}": outcome(bad("page", "db1:postgres"), good("cpu")) for number in range(5)}
    found = trace(dict(hosts, db1=outcome(bad("postgres"))))
    seen = verdicts(found)
    assert {seen[host, "page"] for host in hosts} == {("skipped", "db1:postgres")}
    assert seen["db1", "postgres"] == ("critical", None)
    assert found.changed == set(hosts) and found.lost == []
    web = found.outcomes["web0"]
    assert (web["status"], web["score"], web["summary"]["skipped"]) == ("ok", 100.0, 1)
    assert web["results"][0]["summary"] == 'fails while "db1:postgres" fails: it is down'
    (cause,) = found.outcomes["db1"]["root_causes"]
    assert cause["affects"] == [f"web{number}:page" for number in range(5)] and cause["probability"] > 0.95
    assert cause["why"] == '"postgres" fails (refused), and so do 5 of the 5 checks that depend on it'


def test_what_was_given_is_not_changed():
    given = {"web1": outcome(bad("page", "db1:postgres")), "db1": outcome(bad("postgres"))}
    trace(given)
    assert given["web1"]["results"][0]["status"] == "critical" and given["db1"]["root_causes"] == []


def test_a_parent_that_is_well_or_was_not_looked_at_explains_nothing():
    child = outcome(bad("page", "db1:postgres"))
    assert verdicts(trace({"web1": child, "db1": outcome(good("postgres"))}))["web1", "page"] == ("critical", None)
    assert verdicts(trace({"web1": child}))["web1", "page"] == ("critical", None)
    found = trace({"web1": child, "db1": outcome(bad("mysql"))})
    assert verdicts(found)["web1", "page"] == ("critical", None)
    assert found.lost == [("web1", "page", "db1:postgres")]


@pytest.mark.parametrize(
    ("parent", "own"), [({"unreachable": True, "msg": "no"}, "db1:reachable"), ({"failed": True, "msg": "boom"}, "db1:inspection")]
)
def test_a_parent_on_a_host_that_could_not_be_looked_at(parent, own):
    found = trace({"web1": outcome(bad("page", "db1:postgres"), good("cpu", own)), "db1": parent})
    assert verdicts(found)["web1", "page"] == ("skipped", own)
    (cause,) = found.outcomes["db1"]["root_causes"]
    assert (cause["name"], cause["affects"]) == (own[4:], ["web1:page"])
    assert 0.5 < cause["probability"] < 0.99 and cause["why"].endswith("and so do 1 of the 2 checks that depend on it")
    assert found.outcomes["db1"]["msg"]


def test_the_way_up_goes_over_hosts():
    found = trace(
        {
            "web1": outcome(
                bad("page", "app"), bad("app", "db1:postgres", status="skipped", caused_by="cache"), bad("cache", "db1:postgres")
            ),
            "db1": outcome(bad("postgres", "nas:export"), bad("disk")),
            "nas": outcome(bad("export")),
        }
    )
    seen = verdicts(found)
    assert {seen[one][1] for one in seen if one[0] == "web1"} == {"nas:export"} == {seen["db1", "postgres"][1]}
    assert seen["db1", "disk"] == ("critical", None) and seen["nas", "export"] == ("critical", None)
    assert [cause["affects"] for cause in found.outcomes["nas"]["root_causes"]] == [["web1:page", "web1:app", "web1:cache", "db1:postgres"]]
    assert "fails while" in found.outcomes["web1"]["results"][1]["summary"]
    again = trace(found.outcomes)
    assert verdicts(again) == seen and again.changed == set()


def test_a_circle_over_hosts_is_told_once_and_explains_what_is_below():
    children = {f"c{number}": outcome(bad("z", "a:x" if number % 2 else "b:y")) for number in range(4)}
    found = trace({"a": outcome(bad("x", "b:y")), "b": outcome(bad("y", "a:x")), **children})
    seen = verdicts(found)
    assert seen.pop(("a", "x")) == ("critical", None)
    assert set(seen.values()) == {("skipped", "a:x")}
    (cause,) = found.outcomes["a"]["root_causes"]
    assert (cause["name"], len(cause["affects"]), cause["probability"]) == ("x", 5, 0.99)


def test_what_is_above_a_circle_explains_all_of_it():
    found = trace({"a": outcome(bad("x", "b:y")), "b": outcome(bad("y", "a:x", "d:disk")), "d": outcome(bad("disk"))})
    assert verdicts(found) == {("a", "x"): ("skipped", "d:disk"), ("b", "y"): ("skipped", "d:disk"), ("d", "disk"): ("critical", None)}


def test_a_long_way_up_and_a_wide_one_down():
    hosts = {f"h{number}": outcome(bad("x", *([f"h{number - 1}:x"] if number else []))) for number in range(3000)}
    found = trace(hosts)
    assert {seen for node, seen in verdicts(found).items() if node[0] != "h0"} == {("skipped", "h0:x")}


def test_hosts_without_such_dependencies_are_left_alone():
    given = {"a": outcome(bad("x")), "b": None, "c": {"unreachable": True}, "d": {"results": "odd"}, "e": {"results": [{"name": "thin"}]}}
    assert trace(given).outcomes == given


def test_names_with_colons():
    assert split("db1:tcp:5432", {"db1"}) == ("db1", "tcp:5432")
    assert split("2001:db8::1:postgres", {"2001:db8::1"}) == ("2001:db8::1", "postgres")
    assert split("db1:", {"db1"}) is None and split(":x", {""}) is None and split("db1", {"db1"}) is None
    # a check of one's own whose name looks like it stays one's own
    found = trace(
        {"web1": outcome(bad("page", "db1:5432"), good("db1:5432"), bad("other", "db1:x")), "db1": outcome(bad("5432"), bad("x"))}
    )
    assert verdicts(found)["web1", "page"] == ("critical", None)


def test_of_two_suspects_the_one_whose_children_are_well_is_less_likely():
    parents = {"a": ["db", "cache"], "b": ["db", "cache"], "c": ["cache"], "d": ["cache"], "e": ["cache"]}
    statuses = {"db": "critical", "cache": "critical", "a": "critical", "b": "critical", "c": "ok", "d": "ok", "e": "warning"}
    db, cache = rank(parents, statuses)
    assert (db.node, cache.node) == ("db", "cache")
    assert db.probability > cache.probability > 0
    assert (db.rivals, cache.rivals) == (["cache"], ["db"])
    (unseen, _cache) = sorted(rank(parents, dict(statuses, cache="unknown")), key=lambda one: one.probability)
    assert unseen.node == "cache" and unseen.probability < cache.probability


@pytest.mark.parametrize("seed", range(60))
def test_properties_of_any_fleet(seed):
    """What is told is never lost: every failing check is told or has a told one above it; nothing that is well is touched."""
    chance = random.Random(seed)
    hosts = [f"h{number}" for number in range(chance.randrange(2, 6))]
    names = [(host, f"c{number}") for host in hosts for number in range(4)]
    given = {host: [] for host in hosts}
    for place, (host, name) in enumerate(names):
        above = chance.sample(names[:place], min(place, chance.randrange(3)))
        parents = [other if at == host else f"{at}:{other}" for at, other in above]
        status = chance.choice(("ok", "critical", "critical", "unknown", "warning"))
        given[host].append(new_result(name, status=status, depends_on=parents, summary="s"))
    found = trace({host: outcome(*results) for host, results in given.items()})
    after = {(host, result["name"]): result for host in hosts for result in found.outcomes[host]["results"]}
    before = {(host, result["name"]): result for host in hosts for result in given[host]}
    for node, result in after.items():
        if result["status"] != "skipped":
            assert result["status"] == before[node]["status"]
            continue
        assert before[node]["status"] in ("critical", "unknown")
        top = (node[0], result["caused_by"]) if ":" not in result["caused_by"] else split(result["caused_by"], hosts)
        assert after[top]["status"] in ("critical", "unknown") and after[top]["caused_by"] is None
    for host in hosts:
        for cause in found.outcomes[host]["root_causes"]:
            assert 0 < cause["probability"] <= 0.99 and cause["affects"]
            assert after[host, cause["name"]]["status"] in ("critical", "unknown")


@pytest.mark.parametrize("seed", range(200))
def test_nothing_gets_lost_in_graphs_with_circles_and_blind_spots(seed):
    """Whatever depends on whatever: each failure is told, or a told one that may be behind it stands above it."""
    chance = random.Random(seed)
    nodes = [(f"h{number}", "c") for number in range(chance.randrange(2, 12))]
    above = {node: chance.sample(nodes, chance.randrange(min(3, len(nodes)))) for node in nodes}
    given = {}
    for node in nodes:
        status, reason = chance.choice(
            [
                ("ok", None),
                ("critical", "refused"),
                ("critical", "timeout"),
                ("unknown", "timeout"),
                ("unknown", "permission"),
                ("unknown", "learning"),
            ]
        )
        parents = [f"{host}:{name}" for host, name in above[node] if (host, name) != node]
        given[node[0]] = outcome(new_result("c", status=status, reason=reason, depends_on=parents, summary="s"))
    found = trace(given)
    after = {host: found.outcomes[host]["results"][0] for host, _name in nodes}
    reach = {}
    for node in nodes:
        seen, todo = set(), [node]
        while todo:
            for parent in above[todo.pop()]:
                if parent != node and parent not in seen and given[parent[0]]["results"][0]["status"] != "ok":
                    seen.add(parent)
                    todo.append(parent)
        reach[node[0]] = {f"{host}:{name}" for host, name in seen}
    for host, result in after.items():
        before = given[host]["results"][0]
        if result["status"] != "skipped":
            assert result["status"] == before["status"]
            continue
        assert before["status"] in ("critical", "unknown") and before["reason"] != "learning"
        assert result["caused_by"] in reach[host]
        top = after[result["caused_by"].partition(":")[0]]
        assert top["status"] in ("critical", "unknown") and top["reason"] != "learning"
        assert top["reason"] != "permission" or before["status"] == "unknown"
    for host, name in nodes:
        for cause in found.outcomes[host].get("root_causes", []):
            assert after[host]["status"] != "skipped" and 0 < cause["probability"] <= 0.99 and cause["severity"] in ("warning", "error")


def test_what_is_known_to_fail_on_hosts_that_were_not_looked_at():
    child = outcome(bad("page", "db1:postgres"), bad("cache", "db2:redis"), good("cpu", "db3:x"))
    assert hosts_elsewhere({"web1": child}) == {"db1", "db2", "db3"}
    found = trace({"web1": child}, {("db1", "postgres"), ("db2", "reachable")})
    seen = verdicts(found)
    assert seen["web1", "page"] == ("skipped", "db1:postgres") and seen["web1", "cache"] == ("skipped", "db2:reachable")
    assert set(found.outcomes) == {"web1"}
    # what was looked at counts more than what is known
    well = {"web1": child, "db1": outcome(good("postgres")), "db2": outcome(good("redis"))}
    assert verdicts(trace(well, {("db1", "postgres"), ("db2", "reachable")}))["web1", "page"] == ("critical", None)
    assert hosts_elsewhere(well) == {"db3"}
