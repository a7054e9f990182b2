"""Every benchmark of the heads, each in a process of its own, so that none finds another's memory in use.

python benchmarks/heads.py [--device cpu]
"""

import argparse
import subprocess
import sys
from pathlib import Path

BENCHMARKS = ("mixture_head", "token_head")


def main() -> None:
    """Run one after the other; each prints its table and writes its JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    for name in BENCHMARKS:
        script = Path(__file__).with_name(f"{name}.py")
        subprocess.run([sys.executable, str(script), "--device", asked.device], check=True)


if __name__ == "__main__":
    main()
