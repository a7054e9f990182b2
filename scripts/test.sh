#!/usr/bin/env bash
# Set up, then lint, types and tests. Arguments go to pytest: "-m slow" for the slow ones, a path for some.
set -euo pipefail
cd "$(dirname "$0")/.."

bash scripts/setup.sh dev
# Two processes with one thread each beat one with two: the tests are many and small.
export OMP_NUM_THREADS=1 WANDB_MODE=offline
if [ $# -eq 0 ]; then
  .venv/bin/ruff check .
  .venv/bin/ruff format --check .
  .venv/bin/mypy
  set -- -n "${TEST_PROCESSES:-2}" --dist worksteal
fi
exec .venv/bin/python -m pytest "$@"
