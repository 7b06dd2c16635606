# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command ``vigil``."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.state.errors import StateError
from vigil_watch.config import ConfigError, load
from vigil_watch.log import LEVELS
from vigil_watch.manual import completion, manual
from vigil_watch.model import DEFAULT, Config
from vigil_watch.reading import Refusal
from vigil_watch.signing import sign_command
from vigil_watch.silence import silence_command
from vigil_watch.table import age, seconds_since, table


def main(argv: t.Optional[t.Sequence[str]] = None) -> int:
    """The exit code: 0 all well, 1 something is wrong with what was asked for, 2 it was asked wrongly."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.work(arguments))
    except (ConfigError, StateError, Refusal) as exc:
        print(f"vigil: {exc}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vigil", description="Watches this node, and tells what it watches.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(name: str, text: str, work: t.Callable[[argparse.Namespace], int], as_json: bool = True) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--config", default=DEFAULT, metavar="FILE", help=f"the main configuration file ({DEFAULT})")
        if as_json:
            command.add_argument("--json", action="store_true", help="JSON instead of a table")
        command.set_defaults(work=work)
        return command

    run = add("run", "be the resident process (systemd starts it)", _run, False)
    run.add_argument("--log-level", choices=LEVELS, default="info", help="how much is logged (info)")
    check = add("check", "look at every check once, or only read the configuration", _check)
    check.add_argument("names", nargs="*", metavar="NAME", help="only these checks")
    check.add_argument("--only-config", action="store_true", help="read the configuration and say whether it can be used")
    check.add_argument("--candidate", metavar="FILE", help="a new file for the directory of watches, which is not there yet")
    check.add_argument("--as", dest="name", metavar="NAME", help="under which name it would be there")
    add("status", "what is watched, the last results, what waits to be told, and what runs next", _status)
    events = add("events", "what happened", _events)
    events.add_argument("--since", default="1d", metavar="TIME", help="so long ago, such as 12h (1d)")
    events.add_argument("--name", metavar="PATTERN", help="only checks with such a name")
    events.add_argument("--limit", type=int, default=50, metavar="N", help="so many at most (50)")
    outbox = add("outbox", "what waits to be told, or was refused", _outbox)
    outbox.add_argument("--dead", action="store_true", help="what was refused for good")
    outbox.add_argument("--replay", action="store_true", help="send again what was refused")
    outbox.add_argument("--purge", action="store_true", help="throw away what was refused")
    outbox.add_argument("--channel", metavar="NAME", help="with --replay and --purge: of this channel alone")
    outbox.add_argument("--limit", type=int, default=50, metavar="N", help="so many at most (50)")
    silence = add("silence", "mute alerts for a time, acknowledge one, or list what is muted", silence_command)
    silence.add_argument(
        "matchers", nargs="*", metavar="KEY=VALUE", help="what is muted, such as check='root disk'; nothing lists the silences"
    )
    silence.add_argument("--for", dest="duration", default="1h", metavar="TIME", help="for so long (1h)")
    silence.add_argument("--alert", metavar="ID", help="acknowledge this alert (vigil events --json names it)")
    silence.add_argument("--end", metavar="ID", help="end this silence now")
    silence.add_argument("--comment", default="", metavar="TEXT", help="why, for those who see it")
    backups = add("backups", "the snapshots of the file watches", _backups)
    backups.add_argument("name", nargs="?", metavar="NAME", help="only of this watch")
    backups.add_argument("--verify", action="store_true", help="read everything back and name what is damaged")
    restore = add("restore", "put back what a file watch has kept", _restore)
    restore.add_argument("name", metavar="NAME", help="the watch")
    restore.add_argument("paths", nargs="*", metavar="PATH", help="only these paths")
    when = restore.add_mutually_exclusive_group()
    when.add_argument("--at", metavar="TIME", help='as it was then, such as "2026-11-20 12:00"')
    when.add_argument("--snapshot", metavar="ID", help="this one (vigil backups names them)")
    restore.add_argument("--dest", metavar="DIRECTORY", help="below this directory instead of in place")
    restore.add_argument("--dry-run", action="store_true", help="say what would be put back")
    sign = add("sign", "put a signature under watches that lie at a URL or in Consul", sign_command, False)
    sign.add_argument("file", metavar="FILE", help="the watches")
    sign.add_argument("--key-file", metavar="FILE", required=True, help="a file with the key that is source.key on the nodes")
    sign.add_argument("--name", default="", metavar="KEY", help="for Consul: the key below the prefix")
    add("completion", "a script for bash: vigil completion > /etc/bash_completion.d/vigil", _completion, False)
    add("manual", "the manual page: vigil manual > /usr/local/share/man/man1/vigil.1", _manual, False)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    # the same process, without what this command has loaded, and not where anybody may have put a module
    config = os.path.abspath(arguments.config)
    os.chdir("/")
    os.execv(sys.executable, [sys.executable, "-m", "vigil_watch.resident", config, arguments.log_level])


def _check(arguments: argparse.Namespace) -> int:
    config = load(arguments.config, {arguments.name: arguments.candidate} if arguments.candidate else None)
    if arguments.only_config:
        from vigil_watch.rooms import summary

        print(f"{arguments.config} can be used: {summary(config)}")
        return 0
    from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.inspect import inspect
    from ansible_collections.vigil.ops.plugins.module_utils._engine.probes._looks import start_guard
    from ansible_collections.vigil.ops.plugins.module_utils._runner import run

    unknown = [name for name in arguments.names if name not in {one.name for one in config.checks}]
    if unknown:
        raise Refusal(f'there is no check "{unknown[0]}"; see vigil status')
    start_guard()
    checks = [one for one in config.checks if not arguments.names or one.name in arguments.names]
    for one in checks:
        one.depends_on = [name for name in one.depends_on if name in {other.name for other in checks}]
    outcome = inspect(checks, run)
    if arguments.json:
        print(json.dumps(outcome, default=str))
    else:
        print(table(("CHECK", "STATUS", "SUMMARY"), [(one["name"], one["status"], one["summary"]) for one in outcome["results"]], 1))
        print(f"score {outcome['score']}")
    return 1 if outcome["status"] == "critical" else 0


def _present(arguments: argparse.Namespace) -> Config:
    """The configuration, or what is known of the one that runs where the files cannot be used."""
    try:
        return load(arguments.config)
    except ConfigError as exc:
        from vigil_watch.status import read_status

        status = read_status() or {}
        if not status.get("state_url"):
            raise
        print(f"vigil: the configuration on the disk is not in use: {exc}", file=sys.stderr)
        return Config(arguments.config, str(status["name"]), state_url=str(status["state_url"]))


def _history(config: Config, kind: str, name: t.Optional[str], since: t.Optional[str], limit: int) -> t.List[t.Dict[str, t.Any]]:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.history import history

    try:
        entries, notices = history(config.state_url, kind, name, since, limit)
    except ValueError as exc:
        raise Refusal(str(exc)) from exc
    for notice in notices:
        print(f"vigil: {notice}", file=sys.stderr)
    return entries


def _status(arguments: argparse.Namespace) -> int:
    from vigil_watch.status import healthy, read_status

    config = _present(arguments)
    status = read_status() or {}
    results, queued, fault = _seen(config)
    why = "; ".join(one for one in (healthy(status), status.get("refused", ""), fault) if one)
    if arguments.json:
        said = {"healthy": why == "", "why": why, "process": status or None, "results": results, "queued": None if fault else queued}
        print(json.dumps(said, default=str))
        return 0 if not why else 1
    print(f"{config.name}: {why or 'at work since ' + age(time.time() - status['since'])}; watching {status.get('watches') or 'nothing'}")
    if results:
        rows = [(one["check"], one["status"], age(seconds_since(one["since"])), one["summary"]) for one in results]
        print("\n" + table(("CHECK", "STATUS", "SINCE", "SUMMARY"), rows, 1))
    for gate in {str(room["gate"]) for room in status.get("rooms", {}).values() if room.get("gate")}:
        print(f"\nP2 waits and P1 is done less often: {gate}")
    nexts = sorted((seconds, name) for room in status.get("rooms", {}).values() for name, seconds in (room.get("next") or {}).items())
    if nexts:
        print("\n" + table(("NEXT", "IN"), [(name, f"{seconds:g}s") for seconds, name in nexts[:10]], None))
    faults = [(name, str(one["restarts"]), one["fault"]) for name, one in status.get("rooms", {}).items() if one.get("fault")]
    if faults:
        print("\n" + table(("PART", "RESTARTS", "LAST FAULT"), faults, None))
    if not fault:
        print(f"\n{queued} message{'' if queued == 1 else 's'} to be told" + ("; see vigil outbox" if queued else ""))
    return 0 if not why else 1


def _seen(config: Config) -> t.Tuple[t.List[t.Dict[str, t.Any]], int, str]:
    """(the last results, how much waits to be told, why the store cannot say that)."""
    try:
        return _latest(config), len(_history(config, "outbox", None, None, 1000)), ""
    except StateError as exc:
        return [], 0, str(exc)


def _latest(config: Config) -> t.List[t.Dict[str, t.Any]]:
    """The last result of each check, the worst first."""
    found: t.Dict[str, t.Dict[str, t.Any]] = {}
    for one in _history(config, "results", None, None, 1000):
        found.setdefault(str(one["check"]), one)
    order = ("critical", "unknown", "warning", "skipped", "ok")
    names = {one.key for one in config.checks} | {one.name for one in config.checks}
    return sorted(
        (one for one in found.values() if one["check"] in names or not names), key=lambda one: (order.index(one["status"]), one["check"])
    )


def _events(arguments: argparse.Namespace) -> int:
    entries = _history(_present(arguments), "events", arguments.name, arguments.since, arguments.limit)
    if arguments.json:
        print(json.dumps(entries, default=str))
        return 0
    entries.sort(key=lambda one: str(one["timestamp"]), reverse=True)  # those that were found together lie there as they came
    rows = [(one["timestamp"], one["status"], one["severity"], one["check"], one["message"]) for one in entries]
    print(table(("TIME", "STATUS", "SEVERITY", "CHECK", "MESSAGE"), rows, 1) if rows else "nothing happened")
    return 0


def _letters(arguments: argparse.Namespace) -> int:
    """Do something about what was refused."""
    from ansible_collections.vigil.ops.plugins.module_utils._engine.flows import dead
    from ansible_collections.vigil.ops.plugins.module_utils._engine.state.store import open_store

    wanted = dead.Wanted("replay" if arguments.replay else "purge", arguments.channel)
    with open_store(_present(arguments).state_url) as store:
        outcome = store.run(lambda unit: dead.act(unit, wanted))
    if arguments.json:
        print(json.dumps(outcome, default=str))
        return 0
    number = f"{outcome['number']} message{'' if outcome['number'] == 1 else 's'}"
    print(f"{number} {'to be sent again' if arguments.replay else 'thrown away'}")
    if outcome["over"]:
        print(f"{outcome['over']} of alerts that are over; they stay until they are thrown away")
    return 0


def _outbox(arguments: argparse.Namespace) -> int:
    if arguments.replay or arguments.purge:
        return _letters(arguments)
    entries = _history(_present(arguments), "dead" if arguments.dead else "outbox", None, None, arguments.limit)
    if arguments.json:
        print(json.dumps(entries, default=str))
        return 0
    rows = [(one["time"], one["channel"], str(one["attempts"]), one["check"], one["message"]) for one in entries]
    print(
        table(("TIME", "CHANNEL", "ATTEMPTS", "CHECK", "WHY"), rows, None)
        if rows
        else "nothing waits"
        if not arguments.dead
        else "nothing was refused"
    )
    return 0


def _watch_of(config: Config, name: str) -> t.Any:
    for watch in config.files:
        if watch.name == name:
            return watch
    names = ", ".join(watch.name for watch in config.files) or "none"
    raise Refusal(f'there is no file watch "{name}"; there are: {names}')


def _backups(arguments: argparse.Namespace) -> int:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError
    from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.restore import info, read_source
    from ansible_collections.vigil.ops.plugins.module_utils._runner import run

    config = load(arguments.config)
    watches = [_watch_of(config, arguments.name)] if arguments.name else config.files
    found: t.List[t.Dict[str, t.Any]] = []
    problems: t.List[t.Dict[str, t.Any]] = []
    for watch in watches:
        try:
            source = read_source({"repository": watch.options["repository"]})
            one = info(source, watch.options["name"], "full" if arguments.verify else "none", run)
        except BackupError as exc:
            problems.append({"message": f"{watch.name}: {exc}", "snapshots": [], "paths": []})
            continue
        found += [dict(snapshot, watch=watch.name) for snapshot in one["snapshots"]]
        problems += one["problems"]
    if arguments.json:
        print(json.dumps({"snapshots": found, "problems": problems}, default=str))
    else:
        rows = [(one["watch"], one["id"], *(str(one[key]) for key in ("added", "modified", "removed"))) for one in found]
        print(table(("WATCH", "SNAPSHOT", "ADDED", "MODIFIED", "REMOVED"), rows, None) if rows else "there is no snapshot yet")
        for problem in problems:
            print(f"{problem['message']}" + (f": {', '.join(problem['paths'][:5])}" if problem["paths"] else ""))
    return 1 if problems and arguments.verify else 0


def _restore(arguments: argparse.Namespace) -> int:
    from ansible_collections.vigil.ops.plugins.module_utils._engine.backup.errors import BackupError
    from ansible_collections.vigil.ops.plugins.module_utils._engine.flows.restore import read_request, restore
    from ansible_collections.vigil.ops.plugins.module_utils._runner import run

    watch = _watch_of(load(arguments.config), arguments.name)
    params = {"repository": watch.options["repository"], "name": watch.options["name"], "snapshot": arguments.snapshot, "at": arguments.at}
    params.update(paths=arguments.paths, dest=arguments.dest, backup=True)
    try:
        outcome = restore(read_request(params), run, arguments.dry_run)
    except (BackupError, ValueError) as exc:
        raise Refusal(str(exc)) from exc
    if arguments.json:
        print(json.dumps(outcome, default=str))
        return 0
    for path in outcome["restored"]:
        print(path)
    word = "would be put back" if arguments.dry_run else "put back"
    print(f"{outcome['stats']['restored']} {word} from {outcome['snapshot']}; what was replaced is kept beside it")
    return 0


def _completion(arguments: argparse.Namespace) -> int:
    print(completion(_parser()), end="")
    return 0


def _manual(arguments: argparse.Namespace) -> int:
    print(manual(_parser()), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
