# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
_vigil() {
  local words="" word="${COMP_WORDS[COMP_CWORD]}"
  case "${COMP_WORDS[1]}" in
    run) words='--config --help --log-level' ;;
    check) words='--as --candidate --config --help --json --only-config' ;;
    status) words='--config --help --json' ;;
    events) words='--config --help --json --limit --name --since' ;;
    outbox) words='--channel --config --dead --help --json --limit --purge --replay' ;;
    silence) words='--alert --comment --config --end --for --help --json' ;;
    backups) words='--config --help --json --verify' ;;
    restore) words='--at --config --dest --dry-run --help --json --snapshot' ;;
    sign) words='--config --help --key-file --name' ;;
    completion) words='--config --help' ;;
    manual) words='--config --help' ;;
  esac
  [ "$COMP_CWORD" -gt 1 ] || words='run check status events outbox silence backups restore sign completion manual'
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _vigil vigil
