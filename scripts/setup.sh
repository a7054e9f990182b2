#!/usr/bin/env bash
# Make .venv with the pinned set and this checkout in it. Arguments: extras, such as "dev".
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "lit_vae needs Python 3.11 or later; $python is $("$python" --version). Set PYTHON to another." >&2
  exit 1
}

extras=${1:-}
stamp=.venv/installed
wanted=$(cat pyproject.toml constraints.txt | cksum)
# What has more extras has what has none.
if [ -f "$stamp" ] && grep -q "^$wanted ${extras:+$extras\$}" "$stamp"; then
  exit 0
fi
echo "installing into .venv (a few minutes: torch is large)"
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".${extras:+[$extras]}"
echo "$wanted $extras" >"$stamp"
