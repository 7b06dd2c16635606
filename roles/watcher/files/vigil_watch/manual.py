# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manual page and the completion of the command ``vigil``, made from its parser, so that they say what it does.

Source of the format: man-pages(7), groff_man(7).
"""

from __future__ import annotations

import argparse
import typing as t

_HEAD = (
    r""".\" Copyright (c) 2026, vigil.ops contributors
.\" GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
.\" SPDX-"""
    r"""License-Identifier: GPL-3.0-or-later
.\" Made by "vigil manual"; a test says when it is not what the program does.
.TH VIGIL 1 "" "vigil.ops" "User Commands"
.SH NAME
vigil \- what a node that watches itself has seen, told and kept
.SH SYNOPSIS
.B vigil
.I COMMAND
[\fIOPTION\fR...]
.SH DESCRIPTION
The resident process \fBvigil\-watch.service\fR looks at checks, services, names, logs and files, and tells channels what is wrong.
This command shows what it does and acts on it. It has to be run by root, to whom the store belongs.
.SH COMMANDS
"""
)
_TAIL = r""".SH EXIT STATUS
.TP
.B 0
All is well.
.TP
.B 1
Something is wrong with what was asked for, a check is critical, or the watcher does not work; one sentence says what.
.TP
.B 2
It was asked wrongly.
.SH FILES
.TP
.I /etc/vigil/vigil.yml
The configuration; \fI/etc/vigil/channels.yml\fR holds the channels, \fI/etc/vigil/watch.d/*.yml\fR what is watched.
.TP
.I /var/lib/vigil/state.db
What was seen, and what is to be told.
.TP
.I /run/vigil/status.json
What the process says of itself.
.SH SIGNALS
The process takes
.B SIGHUP
(read the configuration again),
.B SIGUSR1
(log more) and
.B SIGUSR2
(log less).
.SH EXAMPLES
.nf
vigil status
vigil check \(dqroot disk\(dq
vigil silence check=\(aqroot disk\(aq \-\-for 2h \-\-comment \(dqnew disk is on its way\(dq
vigil restore etc /etc/hosts \-\-at \(dq2026\-11\-20 12:00\(dq
journalctl \-u vigil\-watch \-o cat
.fi
.SH SEE ALSO
.BR systemctl (1),
.BR journalctl (1)
"""


def commands_of(parser: argparse.ArgumentParser) -> t.Dict[str, argparse.ArgumentParser]:
    """Commands by their names."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def manual(parser: argparse.ArgumentParser) -> str:
    """The page in roff."""
    parts = [_HEAD]
    for name, command in commands_of(parser).items():
        own = [action for action in command._actions if action.dest != "help"]
        usage = " ".join([rf"\fBvigil {name}\fR", *(_synopsis(action) for action in own)])
        parts.append(f'.SS "vigil {name}"\n{usage}\n.PP\n{_sentence(command.description or "")}\n')
        for action in own:
            parts.append(f".TP\n{_heading(action)}\n{_sentence(action.help or '')}\n")
    return "".join(parts) + _TAIL


def completion(parser: argparse.ArgumentParser) -> str:
    """A script for bash."""
    cases = []
    for name, command in commands_of(parser).items():
        options = sorted(option for action in command._actions for option in action.option_strings if option.startswith("--"))
        cases.append(f"    {name}) words='{' '.join(options)}' ;;\n")
    head = "".join(f"#{line[3:]}\n" for line in _HEAD.splitlines()[:3])
    return head + (
        '_vigil() {\n  local words="" word="${COMP_WORDS[COMP_CWORD]}"\n  case "${COMP_WORDS[1]}" in\n' + "".join(cases) + "  esac\n"
        f"  [ \"$COMP_CWORD\" -gt 1 ] || words='{' '.join(commands_of(parser))}'\n"
        '  COMPREPLY=($(compgen -W "$words" -- "$word"))\n}\ncomplete -o default -F _vigil vigil\n'
    )


def _synopsis(action: argparse.Action) -> str:
    inner = rf"\fB{_plain(action.option_strings[-1])}\fR" if action.option_strings else ""
    value = _value(action)
    if value:
        inner += (" " if inner else "") + rf"\fI{value}\fR"
    if action.nargs == "*":
        inner += "..."
    return inner if not action.option_strings and action.nargs not in ("*", "?") else f"[{inner}]"


def _heading(action: argparse.Action) -> str:
    value = _value(action)
    names = ", ".join(rf"\fB{_plain(option)}\fR" for option in action.option_strings)
    return f"{names} \\fI{value}\\fR" if names and value else names or rf"\fI{value}\fR"


def _value(action: argparse.Action) -> str:
    if action.option_strings and action.nargs == 0:
        return ""
    if action.choices:
        return "|".join(_plain(str(one)) for one in action.choices)
    return _plain(str(action.metavar or action.dest.upper()))


def _plain(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq").replace("'", "\\(aq")


def _sentence(text: str) -> str:
    said = _plain(text[:1].upper() + text[1:])
    return said if not said or said.endswith(".") else said + "."
