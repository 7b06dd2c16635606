# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``vigil_alerts``: routes, silences, maintenance windows and the like as data, read and refused with one sentence (docs/alerts.md)."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts import hours as week
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.match import KEYS, read_match
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.rules import (
    Escalation,
    Flapping,
    Inhibition,
    Policy,
    PolicyError,
    Rule,
    Run,
    Window,
)
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest, type_name
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import SEVERITIES
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.units import parse_duration
from ansible_collections.vigil.ops.plugins.module_utils._engine.state.times import parse_rfc3339

_TEMPLATES = ("title", "text")
_LANGUAGES = ("en", "zh")
_SHORTEST, _LONGEST = 1.0, 366 * 86400.0


def read_policy(given: t.Any) -> Policy:
    """``vigil_alerts`` as data.

    :raises PolicyError: one sentence that names the key and what would be right
    """
    policy = Policy()
    try:
        values = _mapping("vigil_alerts", given, tuple(_READERS))
        if "timezone" in values:
            policy.zone = week.zone_of("timezone", str(values["timezone"]))
        for key, value in values.items():
            _READERS[key](policy, key, value)
    except PolicyError:
        raise
    except ValueError as exc:
        raise PolicyError(str(exc)) from exc
    return policy


def _mapping(where: str, given: t.Any, known: t.Sequence[str], needed: t.Sequence[str] = ()) -> dict[str, t.Any]:
    """The mapping without what is null."""
    if not isinstance(given, t.Mapping):
        raise PolicyError(f"{where} must be a mapping with {', '.join(known)}, not {type_name(given)}.")
    for key in given:
        if key not in known:
            raise PolicyError(f'{where} has no key "{key}"{nearest(key, known)}.')
    values = {str(key): value for key, value in given.items() if value is not None}
    for key in needed:
        if key not in values:
            raise PolicyError(f"{where} needs {key}.")
    return values


def _every(where: str, given: t.Any) -> list[tuple[str, t.Any]]:
    if not isinstance(given, (list, tuple)):
        raise PolicyError(f"{where} must be a list, not {type_name(given)}.")
    return [(f"{where}[{number}]", one) for number, one in enumerate(given)]


def _seconds(where: str, given: t.Any, least: float = _SHORTEST) -> float:
    try:
        found = parse_duration(given)
    except ValueError as exc:
        raise PolicyError(f"{where}: {exc}.") from exc
    if not least <= found <= _LONGEST:
        raise PolicyError(f"{where} is {given}; it must be at least {least:g} s and at most a year.")
    return found


def read_time(where: str, given: t.Any, zone: week.Zone) -> float:
    """Seconds since the epoch of ``2026-11-21T20:00:00Z``, or of ``2026-11-21 20:00`` in the zone.

    :raises PolicyError: one sentence
    """
    if isinstance(given, datetime.date):  # YAML makes them by itself
        given = given.isoformat() if isinstance(given, datetime.datetime) else f"{given.isoformat()} 00:00"
    text = str(given).strip()
    try:
        if text[-1:] in "Zz" or text[19:20] in ("+", "-", "."):
            return parse_rfc3339(text)
        form = "%Y-%m-%d %H:%M:%S" if text.count(":") > 1 else "%Y-%m-%d %H:%M"
        naive = datetime.datetime.strptime(text.replace("T", " "), form)
    except ValueError:
        raise PolicyError(
            f'{where} is "{text}"; write a time such as 2026-11-21T20:00:00Z, or 2026-11-21 20:00 in the time zone.'
        ) from None
    return (naive.replace(tzinfo=zone) if zone is not None else naive).timestamp()


def _names(where: str, given: t.Any) -> tuple[str, ...]:
    every = [given] if isinstance(given, str) else given
    if not isinstance(every, (list, tuple)) or not all(isinstance(name, str) and name.strip() for name in every):
        raise PolicyError(f"{where} must be the name of a channel, or a list of names.")
    return tuple(name.strip() for name in every)


def _routes(policy: Policy, where: str, given: t.Any) -> None:
    policy.routes = tuple(_route(place, one) for place, one in _every(where, given))


def _route(where: str, given: t.Any) -> Rule:
    values = _mapping(where, given, ("match", "hours", "to", "mention", "repeat_interval", "digest", "escalate", "continue"))
    if "to" not in values and not {"mention", "repeat_interval", "digest", "escalate"} & set(values):
        raise PolicyError(f"{where} needs to, the names of the channels that are told; an empty list tells nobody.")
    goes_on = values.get("continue", False)
    if not isinstance(goes_on, bool):
        raise PolicyError(f"{where}.continue must be true or false, not {type_name(goes_on)}.")
    told = _names(f"{where}.to", values["to"]) if "to" in values else None
    escalations = _escalations(f"{where}.escalate", values["escalate"]) if "escalate" in values else ()
    for name in (name for one in escalations for name in one.to if name in (told or ())):
        raise PolicyError(f'{where}.escalate names the channel "{name}", which the route tells anyway; name one that it does not tell.')
    return Rule(
        read_match(f"{where}.match", values.get("match")),
        told,
        tuple(week.read_hours(f"{where}.hours", values["hours"])) if "hours" in values else (),
        _seconds(f"{where}.repeat_interval", values["repeat_interval"]) if "repeat_interval" in values else None,
        _digest(f"{where}.digest", values["digest"]) if "digest" in values else None,
        escalations,
        goes_on,
        _mention(f"{where}.mention", values["mention"]) if "mention" in values else None,
    )


def _mention(where: str, given: t.Any) -> dict[str, tuple[str, ...]]:
    """A list of names for all channels of the route, or a mapping of channels and names."""
    every = given if isinstance(given, t.Mapping) else {"": given}
    found = {}
    for channel, names in every.items():
        names = [names] if isinstance(names, (str, int)) and not isinstance(names, bool) else names
        if not isinstance(names, (list, tuple)) or not all(isinstance(name, (str, int)) and str(name).strip() for name in names):
            raise PolicyError(f"{where} must be a list of those who are called, or a mapping of channels and such lists.")
        found[str(channel).strip()] = tuple(str(name).strip() for name in names)
    return found


def _digest(where: str, given: t.Any) -> float | tuple[int, ...]:
    if not isinstance(given, str):  # YAML reads 17:30 without quotes as a number
        raise PolicyError(
            f'{where} is {type_name(given)}; write it in quotes, a length such as "15m" or times of the day such as "08:00,17:30".'
        )
    if ":" in given:
        return tuple(week.read_clock(where, given))
    return _seconds(where, given)


def _escalations(where: str, given: t.Any) -> tuple[Escalation, ...]:
    every = [(where, given)] if isinstance(given, t.Mapping) else _every(where, given)
    found = []
    for place, one in every:
        values = _mapping(place, one, ("after", "to", "mention"), ("after", "to"))
        called = _mention(f"{place}.mention", values["mention"]) if "mention" in values else None
        found.append(Escalation(_seconds(f"{place}.after", values["after"]), _names(f"{place}.to", values["to"]), called))
    return tuple(found)


def _windows(policy: Policy, where: str, given: t.Any) -> None:
    policy.windows += tuple(_window(place, one, policy.zone) for place, one in _every(where, given))


def _window(where: str, given: t.Any, zone: week.Zone) -> Window:
    values = _mapping(where, given, ("match", "from", "until", "hours", "comment"))
    if not {"until", "hours"} & set(values):
        raise PolicyError(f"{where} needs until (a time) or hours (of the week), or it would never end.")
    begin = read_time(f"{where}.from", values["from"], zone) if "from" in values else 0.0
    end = read_time(f"{where}.until", values["until"], zone) if "until" in values else float("inf")
    if end <= begin:
        raise PolicyError(f"{where} ends before it begins.")
    hours = tuple(week.read_hours(f"{where}.hours", values["hours"])) if "hours" in values else ()
    needed = where.startswith("silences")
    return Window(read_match(f"{where}.match", values.get("match"), needed), begin, end, hours, str(values.get("comment", "")))


def _inhibit(policy: Policy, where: str, given: t.Any) -> None:
    rules = []
    for place, one in _every(where, given):
        values = _mapping(place, one, ("when", "mute", "same"), ("when", "mute"))
        same = values.get("same", ["instance"])
        same = [same] if isinstance(same, str) else same
        if not isinstance(same, (list, tuple)):
            raise PolicyError(f"{place}.same must be a list of keys, such as [instance].")
        for key in same:
            if key not in KEYS[:4] and not str(key).startswith("labels."):
                raise PolicyError(f'{place}.same names "{key}"{nearest(key, (*KEYS[:4], "labels.NAME"))}.')
        when = read_match(f"{place}.when", values["when"], True)
        rules.append(Inhibition(when, read_match(f"{place}.mute", values["mute"]), tuple(str(key) for key in same)))
    policy.inhibit = tuple(rules)


def _flapping(policy: Policy, where: str, given: t.Any) -> None:
    if given is False:
        policy.flapping = None
        return
    values = _mapping(where, given, ("times", "within"))
    times = values.get("times", Flapping().times)
    if not isinstance(times, int) or isinstance(times, bool) or times < 2:
        raise PolicyError(f"{where}.times is {times}; it must be a whole number from 2 on.")
    policy.flapping = Flapping(times, _seconds(f"{where}.within", values["within"]) if "within" in values else Flapping().within)


def _expected(policy: Policy, where: str, given: t.Any) -> None:
    policy.expected = tuple(read_run(place, one) for place, one in _every(where, given))


def read_run(where: str, given: t.Any) -> Run:
    """A run that is expected: ``{name: nightly backup, every: 1d, grace: 2h}``.

    :raises PolicyError: one sentence
    """
    values = _mapping(where, given, ("name", "every", "grace", "severity", "service"), ("name", "every"))
    name = str(values["name"]).strip()
    if not name:
        raise PolicyError(f"{where}.name is empty.")
    every = _seconds(f"{where}.every", values["every"])
    grace = _seconds(f"{where}.grace", values["grace"], 0.0) if "grace" in values else min(every / 4, 3600.0)
    severity = str(values.get("severity", "error"))
    if severity not in SEVERITIES:
        raise PolicyError(f'{where}.severity is "{severity}"{nearest(severity, SEVERITIES)}.')
    return Run(name, every, grace, severity, str(values.get("service", "vigil")))


def _templates(policy: Policy, where: str, given: t.Any) -> None:
    for key, value in _mapping(where, given, _TEMPLATES).items():
        one = dict.fromkeys(_LANGUAGES, value) if isinstance(value, str) else _mapping(f"{where}.{key}", value, _LANGUAGES)
        if not all(isinstance(text, str) and text.strip() for text in one.values()):
            raise PolicyError(f"{where}.{key} must be the text of a Jinja2 template, or one for each of {', '.join(_LANGUAGES)}.")
        policy.templates[key] = one


def _repeat(policy: Policy, where: str, given: t.Any) -> None:
    policy.repeat = _seconds(where, given)


def _read_more(policy: Policy, where: str, given: t.Any) -> None:
    if not isinstance(given, str):
        raise PolicyError(f"{where} must be a URL or a sentence, not {type_name(given)}.")
    policy.read_more = " ".join(given.split())


_READERS: dict[str, t.Callable[[Policy, str, t.Any], None]] = {
    "timezone": lambda _policy, _where, _given: None,
    "repeat_interval": _repeat,
    "routes": _routes,
    "silences": _windows,
    "maintenance": _windows,
    "inhibit": _inhibit,
    "flapping": _flapping,
    "expected": _expected,
    "templates": _templates,
    "read_more": _read_more,
}
