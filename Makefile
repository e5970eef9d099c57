# make book · make test · make lab · make lint     each creates .venv first when it is missing or older than its list
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin

book: .venv/ready
	$(BIN)/ruc build

# Two at a time, of one thread each: threads of two processes wait for each other on two cores. The second call runs the GPU
# kernels on the CPU, in Triton's interpreter.
PAIR := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder
test: .venv/ready
	$(PAIR)
	TRITON_INTERPRET=1 $(PAIR) --dist load tests/fused/test_fused.py tests/codec/test_pairs.py tests/topology/test_kernels.py -k "not one_path"

# make lab LAB="--no-browser --ip 0.0.0.0": what is in LAB goes on to JupyterLab
lab: .venv/ready pairs
	$(BIN)/ruc lab $(LAB)

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# the .py is the source; its output-free twin is made from it, never the other way; one that was changed in Lab stays as it is
pairs: .venv/ready
	$(BIN)/ruc pairs

# the exact versions of everything that is installed now; local version suffixes such as +cpu are cut off, and triton is
# left out: a torch with CUDA asks for one version of it, a torch without takes any
freeze: .venv/ready
	$(BIN)/pip freeze --exclude-editable | sed -E -e 's/\+[a-z0-9.]+$$//' -e '/^triton==/d' > constraints.txt

.venv/ready: pyproject.toml constraints.txt
	@if command -v $(PYTHON) >/dev/null; then $(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) \
	  else f"Python 3.11 to 3.13 is needed, this is {v[0]}.{v[1]}; try make PYTHON=python3.12")'; else echo "$(PYTHON) was not found"; exit 1; fi
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

# runs stay: `ruc clean` shows what of them can go
clean:
	rm -rf _build book/chapters

.PHONY: book test lab lint pairs freeze clean
