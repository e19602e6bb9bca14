"""Commands that act on a run folder: ``python -m gan sample run=DIR``."""

import sys

from gan.commands.main import dispatch, guarded

if __name__ == "__main__":
    guarded(lambda: dispatch(sys.argv[1:]))
