# Diffusion Lite. `make` lists what can be made.

PYTHON ?= python3
BIN := .venv/bin
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest
MANY := -n 4 --dist worksteal

# Threads that wait must sleep soon: where another program is busy too, threads
# that spin make training up to twenty times slower.
export GOMP_SPINCOUNT := 20000

.DEFAULT_GOAL := help
.PHONY: help book test unit slow labs browser clock
.PHONY: lab student teacher bench contest lint scripts clean
.NOTPARALLEL:

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

book: .venv/.installed ## run every page and lab, and build the book into _build/html
	@$(BIN)/python tools/build.py

test: lint book unit slow labs browser clock ## lint, build the book, then every test: the next five

unit: .venv/.installed ## the quick tests, with coverage
	$(PYTEST) -m "not slow and not browser" $(MANY) --cov

slow: .venv/.installed ## the tests that take more than a few seconds each
	$(PYTEST) -m "slow and not browser" $(MANY)

labs: .venv/.installed ## every lab from top to bottom, with QUICK=1
	QUICK=1 $(PYTEST) --nbval-lax --nbval-current-env -n 2 --dist loadfile notebooks

browser: .venv/.installed ## pages, slides and live figures in Chromium, after `make book`
	$(PYTEST) -m "browser and not clock" $(MANY)

clock: .venv/.installed ## the live figures that are held to a clock, one at a time
	$(PYTEST) -m clock

lab: .venv/.installed ## open the labs in JupyterLab
	@$(BIN)/jupyter lab --notebook-dir=notebooks

student: .venv/.installed ## labs without solutions, with all a student needs: _build/student.zip
	@$(BIN)/python tools/editions.py student

teacher: .venv/.installed ## labs, solutions, likely mistakes and rubric: _build/teacher.zip
	@$(BIN)/python tools/editions.py teacher

bench: .venv/.installed ## train as the labs do, and print quality and time (10 minutes)
	@$(BIN)/python -m experiments.training.quality

contest: .venv/.installed ## hold the contest of chapter 8 again (an hour, two cores)
	@OMP_NUM_THREADS=1 $(BIN)/python -m experiments.contest.hold

lint: .venv/.installed ## check style and types, and that nothing generated is committed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/nbstripout --verify --keep-id notebooks/*.ipynb
	@! git ls-files --cached --ignored --exclude-standard 2>/dev/null \
	  | sed 's/$$/: generated, and must not be committed/' | grep .

scripts: ## lint and type-check the live figures' scripts; needs node
	cd tools/scripts && npm ci --no-audit --no-fund && npm run lint && npm run types

clean: ## remove everything that was generated, but not .venv
	rm -rf _build book/api.md book/ledger.md .coverage* .mypy_cache .pytest_cache .ruff_cache

.venv/.installed: requirements.txt pyproject.toml classroom/pyproject.toml
	@[ "$$($(PYTHON) -c 'import sys; print(sys.version_info >= (3, 11))' \
	  2>/dev/null)" = True ] || { echo "Diffusion Lite needs Python 3.11 or" \
	  "newer, and '$(PYTHON)' is not one: install it, or name another, as in" \
	  "make book PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) tools/bootstrap.py
