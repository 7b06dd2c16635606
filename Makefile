# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Only a list of targets; the work is done by the files in tools/.

PYTHON ?= python3
NODES ?= 3
MAKEFLAGS += --no-print-directory
export INVENTORY EXTRA REPORT_DIR LEGS
export PYTHONDONTWRITEBYTECODE = 1

.PHONY: help inspect test test-long format lab lab-down bench pins clean

help:
	@echo "make inspect    inspect this host, or INVENTORY=hosts.ini; also EXTRA='-e ... --limit ...' REPORT_DIR=report"
	@echo "make test       everything that CI runs; LEGS='lint unit-newest' runs only these"
	@echo "make test-long  soaks and everything else that takes long"
	@echo "make lab        boot NODES=3 systemd nodes on this machine to inspect over SSH (root)"
	@echo "make lab-down   remove them"
	@echo "make format     bring the sources into the form that make test asks for"
	@echo "make bench      measure against the builtin modules"
	@echo "make pins       ask the package index again and rewrite requirements/*.txt"
	@echo "make clean      remove everything that these commands made in the checkout"

inspect:
	@exec $(PYTHON) tools/inspect_hosts.py

test:
	@exec $(PYTHON) tools/test_all.py

test-long:
	@exec $(PYTHON) tools/test_all.py --long

format:
	@exec $(PYTHON) tools/test_all.py --format

lab:
	@exec $(PYTHON) tests/lab/lab.py up --nodes $(NODES)

lab-down:
	@exec $(PYTHON) tests/lab/lab.py down

bench:
	@exec $(PYTHON) tools/test_all.py --bench

pins:
	@exec $(PYTHON) tools/pins.py

clean:
	@[ ! -d .cache/lab ] || $(PYTHON) tests/lab/lab.py down
	@rm -rf .venv .nox .cache .mypy_cache .ruff_cache .pytest_cache .ansible tests/output report
	@find plugins tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
