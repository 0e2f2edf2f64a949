# Start with `make demo` or `make test`. Everything is installed into .venv; nothing outside this folder is touched.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := -m pip --disable-pip-version-check install --quiet --no-deps
LOCKED := $(BIN)/python $(INSTALL) --require-hashes
TORCH ?= cpu
TORCH_INDEX := https://download.pytorch.org/whl/cpu
COUNT ?= 20000
SEED ?= 0

.PHONY: help demo test test-quick fuzz faults soak check bench docs audit sbom lock upgrade clean .venv

help:
	@echo "make demo         draw toy kitchen videos, train RTK on them, write demo/report.html"
	@echo "make test         run all tests"
	@echo "make test-quick   run the tests that neither train nor encode videos, in under a minute"
	@echo "make fuzz         read COUNT=20000 mutated files with every reader, of SEED=0"
	@echo "make faults       kill or fail every verb at every change of the file system; print a table"
	@echo "make soak         predict 1,000 times in one process, and ten at once in one folder; print figures"
	@echo "make check        check style, format and types"
	@echo "make bench        measure speed and memory, written to benchmarks/results/"
	@echo "make docs         build the documentation, with its links checked, in site/index.html"
	@echo "make audit        look for known vulnerabilities of the locked packages"
	@echo "make sbom         write dist/keyseg.cdx.json, a bill of materials of what is in .venv"
	@echo "make lock         lock again after a change of pyproject.toml; make upgrade takes the newest versions"
	@echo "make .venv        install only, with the keyseg command in .venv/bin; on Linux, TORCH=cuda for NVIDIA's GPUs"
	@echo "make clean        remove .venv, .tools and the caches of the tools"

demo: .venv
	$(BIN)/keyseg demo

test: .venv/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-quick: .venv/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow" --hypothesis-profile quick \
	  --durations 5 --durations-min 1

fuzz: .venv/.test
	OMP_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python -m fuzz --count $(COUNT) --seed $(SEED)

faults: .venv/.test
	$(BIN)/python tests/faults

soak: .venv/.test
	OMP_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python -m soak

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

audit: .tools/.done
	.tools/bin/pip-audit --disable-pip --require-hashes -r locks/dev.txt
	.tools/bin/pip-audit --disable-pip --require-hashes -r locks/cuda.txt -r locks/tools.txt

sbom: .venv .tools/.done
	@mkdir -p dist
	.tools/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o dist/keyseg.cdx.json .venv

lock: .tools/.done
	PATH="$$PWD/.tools/bin:$$PATH" .tools/bin/python locks/compile.py

upgrade: .tools/.done
	PATH="$$PWD/.tools/bin:$$PATH" .tools/bin/python locks/compile.py --upgrade

.venv: .venv/.core

# PyTorch for CPUs on Linux is in its own index, which is asked only if the configured ones do not have it.
.venv/.core: pyproject.toml locks/$(TORCH).txt locks/core.txt locks/train.txt locks/build.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "keyseg needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; choose one: make PYTHON=python3.12 demo")'
	$(PYTHON) -m venv .venv
	@echo "installing into .venv (torch is the large part; a few minutes at most)"
	@$(LOCKED) -r locks/$(TORCH).txt 2>/dev/null || $(LOCKED) -r locks/$(TORCH).txt --extra-index-url $(TORCH_INDEX)
	$(LOCKED) -r locks/build.txt -r locks/train.txt
	$(BIN)/python $(INSTALL) --no-build-isolation -e .
	@touch $@

.venv/.test: .venv/.core locks/test.txt
	$(LOCKED) -r locks/test.txt
	@touch $@

.venv/.dev: .venv/.test locks/dev.txt
	$(LOCKED) -r locks/dev.txt
	@touch $@

.tools/.done: locks/tools.txt
	$(PYTHON) -m venv .tools
	.tools/bin/python $(INSTALL) --require-hashes -r locks/tools.txt
	@touch $@

clean:
	rm -rf .venv .tools site .pytest_cache .mypy_cache .ruff_cache .hypothesis
