# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection: it may change at any time and is not meant for others.

"""Words of the user in chats: the templates of ``vigil_alerts``, in plain Jinja2 without access to anything but the event."""

from __future__ import annotations

import typing as t

import jinja2
import jinja2.meta
import jinja2.sandbox
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.event import EVENT_KEYS, Event
from ansible_collections.vigil.ops.plugins.module_utils._engine.alerts.rules import Policy, PolicyError
from ansible_collections.vigil.ops.plugins.module_utils._engine.channels import texts
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.options import nearest

KNOWN = (*EVENT_KEYS, "event", "language", "state", "lasted", "facts")
_LONGEST = 20_000


class Words:
    """Made once, on the thread that reads the options; renders in those that send.

    :raises PolicyError: a template that cannot be used; one sentence
    """

    def __init__(self, policy: Policy) -> None:
        self._more = policy.read_more
        environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
            undefined=jinja2.ChainableUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._made = {
            (key, language): _compiled(environment, f"templates.{key}" + (f".{language}" if len(set(given.values())) > 1 else ""), text)
            for key, given in policy.templates.items()
            for language, text in given.items()
        }

    def __call__(self, events: t.Sequence[Event], language: str) -> list[Event]:
        """The events with ``_title``, ``_text`` (and a message that is the text) and ``_more`` where the user has words of their own."""
        return [self._worded(event, language) for event in events]

    def _worded(self, event: Event, language: str) -> Event:
        worded = dict(event, _more=self._more) if self._more else dict(event)
        values = variables(event, language)
        title, text = (self._rendered(key, language, values) for key in ("title", "text"))
        if title:
            worded["_title"] = title
        if text:
            worded.update(_text=True, message=text)
        return worded

    def _rendered(self, key: str, language: str, values: t.Mapping[str, t.Any]) -> str:
        """Empty where there is no template, or one that fails for this event: it is told in our words then."""
        template = self._made.get((key, language))
        try:
            return template.render(values).strip()[:_LONGEST] if template is not None else ""
        except Exception:  # noqa: BLE001 - whatever a template does, the alert is told
            return ""


def variables(event: Event, language: str) -> dict[str, t.Any]:
    """What a template knows."""
    words, seconds = texts.WORDS[language], event["duration_seconds"]
    state = words[event["status"]] if event["status"] != "firing" else words.get(event["severity"], event["severity"])
    found = {"event": event, "language": language, "state": state, "facts": texts.facts(event, language)}
    return {**event, **found, "lasted": texts.lasted(seconds) if seconds is not None else ""}


def _compiled(environment: jinja2.Environment, where: str, text: str) -> jinja2.Template:
    try:
        for name in sorted(jinja2.meta.find_undeclared_variables(environment.parse(text))):
            if name not in KNOWN and name not in environment.globals:
                raise PolicyError(f'{where} names "{name}", which no event has{nearest(name, KNOWN)}.')
        return environment.from_string(text)
    except jinja2.TemplateError as exc:
        line = f" at line {exc.lineno}" if isinstance(exc, jinja2.TemplateSyntaxError) else ""
        raise PolicyError(f"{where} is no Jinja2 template{line}: {exc.message}.".replace("..", ".")) from exc


def give(policy: Policy | None, channels: t.Iterable[t.Any]) -> None:
    """Let the channels speak in the user's words.

    :raises PolicyError: a template that cannot be used; one sentence
    """
    if policy is not None and (policy.templates or policy.read_more):
        words = Words(policy)
        for channel in channels:
            channel.words = words
