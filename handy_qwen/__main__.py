"""``python -m handy_qwen``: the same as the command ``handy-qwen``."""

import sys

from handy_qwen.cli import main

if __name__ == "__main__":
    sys.exit(main())
