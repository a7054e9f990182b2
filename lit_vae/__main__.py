"""``python -m lit_vae``."""

import sys

from lit_vae.cli import main

if __name__ == "__main__":
    sys.exit(main())
