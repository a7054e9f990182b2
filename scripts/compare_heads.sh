#!/usr/bin/env bash
# Train one small backbone with every head that fits, on digits and on crops of CIFAR-10, and write a table and a
# picture for each into docs/. The argument names the folder that holds CIFAR-10. Half an hour on 2 cores.
set -euo pipefail
cd "$(dirname "$0")/.."

bash scripts/setup.sh
root=${1:?name the folder that holds CIFAR-10}
export OMP_NUM_THREADS=1
.venv/bin/python scripts/compare_heads.py digits --out docs &
.venv/bin/python scripts/compare_heads.py cifar --root "$root" --out docs
wait
