# Two commands do everything on a fresh clone: make demo, make test. The rest: make slow, make bench, ...
# They need Python 3.10 or newer and make; all else goes into .venv, and stays there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ASIDE := --numprocesses auto --maxprocesses 4  # tests side by side; each process takes 1 GB or so

.PHONY: demo test lint unit slow bench recognition calibration clean

demo: $(STAMP)  ## Scan a real ImageNet network on real labelled photographs.
	$(BIN)/python examples/demo.py

test: lint unit  ## Lint, format, types, then all tests but the slow ones.

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

unit: $(STAMP)
	$(BIN)/python -m pytest -q $(ASIDE) -m "not slow"

slow: $(STAMP)  ## The slow tests: fuzzing, every format, the whole index of architectures anew.
	$(BIN)/python -m pytest -q $(ASIDE) -m slow

bench: $(STAMP)  ## Ratios to bare passes, peak memory, the cost of each probe, Foolbox beside.
	$(BIN)/python tests/benchmarks/scan_overhead.py
	$(BIN)/python tests/benchmarks/scan_memory.py
	$(BIN)/python tests/benchmarks/perturbations.py
	$(BIN)/python tests/benchmarks/gradients.py
	$(BIN)/python tests/benchmarks/worst.py
	$(BIN)/python tests/benchmarks/finetune_step.py
	$(BIN)/python tests/benchmarks/html_report.py

recognition: $(STAMP)  ## Recognise every architecture of timm, changed in several ways.
	$(BIN)/python tests/benchmarks/recognition.py

PICTURES = $$($(BIN)/python -c 'import foolbox, pathlib; print(pathlib.Path(foolbox.__file__).parent / "data")')

calibration: $(STAMP)  ## How visible each rung is: what the shipped ladders come from.
	$(BIN)/semaudit probes calibrate --data "$(PICTURES)" --label-pattern 'imagenet_\d+_(\d+)\.jpg' \
		--name "foolbox's 20 ImageNet photographs" --out probes/calibration.json

# Installed once, and again only when the dependencies change.
$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $(STAMP)

clean:
	rm -rf $(VENV) build dist demo-audit .pytest_cache .mypy_cache .ruff_cache .hypothesis
