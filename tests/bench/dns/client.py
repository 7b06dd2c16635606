# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One side of a comparison, as a process of its own: asks for the names of a file and prints what it took, as JSON.

client.py sweep|pool|pycares|dig 127.0.0.1:5300[,127.0.0.1:5301] NAMES
"""

from __future__ import annotations

import collections
import concurrent.futures
import functools
import json
import os
import resource
import sys
import time
import typing as t

ENGINE = "ansible_collections.vigil.ops.plugins.module_utils._engine"
THREADS = 50
IN_FLIGHT = 1000
CARES_IN_FLIGHT = 500
A = 1


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def timed(work: t.Callable[[], t.Dict[str, t.Any]], count: int) -> None:
    """Do it and print; what it returns is printed along."""
    used, begin = cpu(), time.perf_counter()
    more = work()
    seconds, used = time.perf_counter() - begin, cpu() - used
    print(json.dumps({"names": count, "seconds": round(seconds, 4), "cpu": round(used, 4), **more}))


def sweep(places: t.Sequence[str], names: t.Sequence[str]) -> None:
    """The engine's sweep over names whose answers it knows from a sweep before, which is not counted."""
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import servers, wire
    from ansible_collections.vigil.ops.plugins.module_utils._engine.dns import sweep as engine

    questions = [wire.question(name, A) for name in names]
    asked = [servers.parse(place) for place in places]
    run = functools.partial(engine.sweep, questions, asked, engine.Limits(concurrency=IN_FLIGHT))
    known: t.List[t.Optional[bytes]] = [None] * len(questions)
    for odd in run(known=None).odd:
        if odd.packet is not None and not odd.status:
            known[odd.index] = wire.fingerprint(odd.packet, 12 + len(questions[odd.index].tail))
    unknown = known.count(None)

    def work() -> t.Dict[str, t.Any]:
        done = run(known=known)
        statuses = collections.Counter(odd.status or "answer" for odd in done.odd)
        if done.same + len(done.odd) != len(names) or len({odd.index for odd in done.odd}) != len(done.odd):
            raise SystemExit(f"{len(names)} names, but {done.same} same and {len(done.odd)} odd")
        said = done.stats if isinstance(done.stats, dict) else vars(done.stats)
        return {"same": done.same, "odd": dict(statuses), "not_learned": unknown, "stats": said}

    timed(work, len(names))


def flow(places: t.Sequence[str], file: str) -> None:
    """dns_diff as its module runs it: everything from the options to the closed store counts, imports too. State is at VIGIL_STATE_URL."""
    batch_file = f"{file}.batch"  # what a caller of the module hands back: changes that it got are not told again

    def work() -> t.Dict[str, t.Any]:
        from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import dns_diff as engine
        from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store

        batch = ""
        if os.path.exists(batch_file):
            with open(batch_file, encoding="ascii") as stream:
                batch = stream.read()
        request = engine.read({"names_file": file, "nameservers": list(places), "batch": batch})
        with open_store(os.environ["VIGIL_STATE_URL"]) as store:
            result = engine.dns_diff(request, store)
        if result["batch"]:
            with open(batch_file, "w", encoding="ascii") as stream:
                stream.write(result["batch"])
        return {
            "names": result["stats"]["names"],
            "changes": len(result["changes"]),
            "failed": len(result["failures"]),
            "stats": result["stats"],
        }

    timed(work, 0)


def pool(places: t.Sequence[str], names: t.Sequence[str]) -> None:
    """dnspython in 50 threads; a name that is not answered within 2 seconds fails the run."""
    import dns.message
    import dns.query

    host, port = places[0].split(":")

    def one(name: str) -> bool:
        return bool(dns.query.udp(dns.message.make_query(name, "A"), host, port=int(port), timeout=2).answer)

    with concurrent.futures.ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(one, names[:THREADS]))
        timed(lambda: {"answered": sum(threads.map(one, names))}, len(names))


def pycares(places: t.Sequence[str], names: t.Sequence[str]) -> None:
    """c-ares through pycares with its event thread, 500 in flight: with more its receive buffer overflows."""
    import threading

    import pycares as library

    host, port = places[0].split(":")
    channel = library.Channel(servers=[host], udp_port=int(port), tcp_port=int(port), timeout=2.0, tries=3, rotate=False)
    slots, answered = threading.Semaphore(CARES_IN_FLIGHT), [0]

    def heard(_result: t.Any, error: t.Any) -> None:
        answered[0] += error is None
        slots.release()

    def work() -> t.Dict[str, t.Any]:
        for name in names:
            slots.acquire()
            channel.query(name, library.QUERY_TYPE_A, callback=heard)
        for _slot in range(CARES_IN_FLIGHT):
            slots.acquire()
        if answered[0] < 0.99 * len(names):
            raise SystemExit(f"pycares answered {answered[0]} of {len(names)}")
        return {"answered": answered[0], "version": library.__version__}

    timed(work, len(names))


def dig(places: t.Sequence[str], names: t.Sequence[str]) -> None:
    """The lookup community.general.dig, all names as its terms; start of Ansible not counted."""
    from ansible.plugins.loader import init_plugin_loader, lookup_loader

    init_plugin_loader()
    host, port = places[0].split(":")
    lookup = lookup_loader.get("community.general.dig")

    def work() -> t.Dict[str, t.Any]:
        found = lookup.run([*(f"{name}." for name in names), f"@{host}"], {}, port=int(port), fail_on_error=True)
        return {"answered": len(found)}

    timed(work, len(names))


def main() -> None:
    what, places, file = sys.argv[1:4]
    if what == "flow":
        return flow(places.split(","), file)
    with open(file, encoding="ascii") as stream:
        names = stream.read().split()
    {"sweep": sweep, "pool": pool, "pycares": pycares, "dig": dig}[what](places.split(","), names)


if __name__ == "__main__":
    main()
