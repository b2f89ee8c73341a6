# `make demo` shows the whole loop; `make test` passes the tests. Both set everything up by themselves.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Pages and steps are small: more threads than cores cost time on shared machines.
export OMP_NUM_THREADS ?= 2
comma := ,
# `make images`: docker where its engine answers, else podman; BASE, IMAGES, TAG and BUILD (more options) may be given.
ENGINE = $(shell docker info >/dev/null 2>&1 && echo docker || echo podman)
BASE ?= docker.io/library/python:3.11-slim
IMAGES ?= drawops
TAG ?= 0.1.0

.DEFAULT_GOAL := help
.PHONY: help install demo test check test-servers test-containers test-cluster compile base-model constraints clean images

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

install: $(STAMP) ## Set everything up in .venv

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "DrawOps needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing DrawOps and its libraries into $(VENV) (3.8 GB, some minutes without a word) …"
	@# torch is named here so that pip does not take a build with gigabytes of GPU libraries for it
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0 -e '.[dev,paddleocr]'
	@# paddleocr brings an OpenCV that needs libGL; the headless build of the same version takes its place
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --force-reinstall --no-deps opencv-python-headless
	@touch $@

demo: $(STAMP) ## The whole loop on generated drawings, or on yours: make demo DRAWINGS=folder
	@$(BIN)/drawops demo $(if $(DRAWINGS),--drawings "$(DRAWINGS)")

test: $(STAMP) ## All tests that need only pip
	@$(BIN)/python -m pytest -q -n 2 --dist loadscope --no-loadscope-reorder  # tests/conftest.py orders them

check: $(STAMP) ## Format, lint, types, unit tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q -n 2 tests/unit tests/contract -m "not slow"

test-servers: $(STAMP) ## Tests that need servers or a browser (Debian, as root); a skip is a failure
	@infra/ci/install-test-tools
	@DRAWOPS_REQUIRE=$${DRAWOPS_REQUIRE:-browser,postgresql,promtool$(if $(wildcard ../shared/opensearch),$(comma)opensearch)$(if $(wildcard ../shared/minio),$(comma)minio)} $(BIN)/python -m pytest -q -m server --ignore tests/containers --ignore tests/cluster

test-containers: $(STAMP) ## Build the images and run the pipeline in containers (podman from Debian, as root)
	@infra/ci/podman images
	@env $$(infra/ci/podman start) DRAWOPS_REQUIRE=containers $(BIN)/python -m pytest -q -rP tests/containers; status=$$?; infra/ci/podman stop; exit $$status

test-cluster: $(STAMP) ## Apply the overlays to a real Kubernetes node (../shared/kubernetes, as root), after test-containers
	@if [ ! -d ../shared/kubernetes ]; then echo "No ../shared/kubernetes: nothing was run."; exit 0; fi; \
	infra/ci/install-test-tools && infra/ci/podman images && \
	CONTAINERS_CONF=$$(infra/ci/podman start | sed 's/.*CONTAINERS_CONF=//') DRAWOPS_REQUIRE=kubernetes,postgresql,minio,opensearch \
	  $(BIN)/python -m pytest -q -rP tests/cluster; status=$$?; infra/ci/podman stop; exit $$status

images: ## Build the container images with docker or podman (containers/*/README.md)
	$(ENGINE) build $(BUILD) --build-arg BASE=$(BASE) -f containers/trainer/Containerfile -t $(IMAGES)/trainer:$(TAG) .
	$(ENGINE) build $(BUILD) --build-arg BASE=$(BASE) --build-arg TRAINER=$(IMAGES)/trainer:$(TAG) \
	  -f containers/server/Containerfile -t $(IMAGES)/server:$(TAG) .

compile: $(STAMP) ## Compile the pipelines into src/drawops/packages
	@$(BIN)/python -m pipelines

base-model: $(STAMP) ## Make the recogniser that DrawOps comes with again (an hour or two; goes on where it was)
	@$(BIN)/python -m drawops.training.drawing_model .base-model

constraints: ## Freeze what a fresh install resolves to
	@$(BIN)/python -m pip freeze --exclude-editable --disable-pip-version-check | grep -v '^drawops' > constraints.txt

clean: ## Remove the virtual environment and caches (never a home)
	rm -rf $(VENV) .base-model .pytest_cache .mypy_cache .ruff_cache dist
