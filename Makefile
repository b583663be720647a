# Everything sets itself up: Python >= 3.11, make and a package index are all it needs.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check -q
OUT    ?= out

.PHONY: demo test check format docs wheel-test soak clean

$(VENV)/.run: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "posetrack needs Python 3.11 or newer, found " + sys.version.split()[0] + ": make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install -e .
	touch $@

# torch first and in this exact form: a looser spec can pull gigabytes of CUDA libraries.
$(VENV)/.dev: $(VENV)/.run
	$(PIP) install "torch==2.13.0"
	$(PIP) install -e ".[dev,train,eval,docs]"
	touch $@

demo: $(VENV)/.run  ## make a clip, track it, leave an annotated video and a keypoint file in out/
	$(BIN)/posetrack demo --output-dir $(OUT)

test: $(VENV)/.dev  ## the whole test suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q

check: $(VENV)/.dev  ## formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.dev  ## the site in build/site; a broken link or a page that is nowhere ends it
	$(BIN)/python docs/reference_pages.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

wheel-test: $(VENV)/.dev  ## build the wheel, install it in an empty environment, run the main job
	rm -rf build/wheel && mkdir -p build/wheel
	$(BIN)/python -m build --wheel --outdir build/wheel .
	$(PYTHON) -m venv build/wheel/venv
	build/wheel/venv/bin/python -m pip --disable-pip-version-check -q install build/wheel/*.whl
	cd build/wheel && venv/bin/posetrack doctor
	cd build/wheel && venv/bin/posetrack demo --output-dir demo && ls -l demo
	grep -q '"id":' build/wheel/demo/demo.posetrack.jsonl  # somebody was tracked

soak: $(VENV)/.dev  ## 100,000 frames, 200,000 through the daemon: does memory stay flat; 100 faults of a stream, alone and in the daemon (an hour and a half)
	$(BIN)/python benchmarks/soak.py
	$(BIN)/python benchmarks/daemon_soak.py
	$(BIN)/python benchmarks/live_faults.py
	$(BIN)/python benchmarks/live_faults.py --daemon

clean:
	rm -rf $(VENV) build dist out .mypy_cache .pytest_cache .ruff_cache
