"""The commands: ``python -m gan sample run=DIR``."""

import sys
from pathlib import Path

if not __package__:  # run by its path, as jobs of a sweep are
    root = str(Path(__file__).parents[1])
    sys.path[:1] = [] if root in sys.path else [root]

from gan.commands.main import main

if __name__ == "__main__":
    main()
