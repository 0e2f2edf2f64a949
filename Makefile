# Start with `make demo` or `make test`. Everything is installed into .venv; nothing outside this folder is touched.
PYTHON ?= python3
BIN := .venv/bin
COUNT ?= 20000
SEED ?= 0
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt

.PHONY: help demo test test-quick fuzz check bench docs clean .venv

help:
	@echo "make demo         draw toy kitchen videos, train RTK on them, write demo/report.html"
	@echo "make test         run all tests"
	@echo "make test-quick   run the tests that neither train nor encode videos, in under a minute"
	@echo "make fuzz         read COUNT=20000 mutated files with every reader, of SEED=0"
	@echo "make check        check style, format and types"
	@echo "make bench        measure speed and memory, written to benchmarks/results/"
	@echo "make docs         build the documentation, with its links checked, in site/index.html"
	@echo "make .venv        install only, with the keyseg command in .venv/bin"
	@echo "make clean        remove .venv and the caches of the tools"

demo: .venv
	$(BIN)/keyseg demo

test: .venv/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

test-quick: .venv/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" --hypothesis-profile quick \
	  --durations 5 --durations-min 1

fuzz: .venv/.test
	OMP_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python -m fuzz --count $(COUNT) --seed $(SEED)

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/model.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/long_video.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/video_decoding.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/motion.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/video_prediction.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/matching.py

docs: .venv/.dev
	$(BIN)/zensical build --clean

.venv: .venv/.core

.venv/.core: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "keyseg needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; choose one: make PYTHON=python3.12 demo")'
	$(PYTHON) -m venv .venv
	@echo "installing into .venv (torch is the large part; a few minutes at most)"
	$(PIP) -e '.[train]'
	@touch $@

.venv/.test: .venv/.core
	$(PIP) -e '.[test]'
	@touch $@

.venv/.dev: .venv/.test
	$(PIP) -e '.[test,dev]'
	@touch $@

clean:
	rm -rf .venv site .pytest_cache .mypy_cache .ruff_cache .hypothesis
