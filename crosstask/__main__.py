"""``python -m crosstask``: the command line, where the script ``crosstask`` is not on the path."""

import sys

from crosstask.cli import main

if __name__ == "__main__":
    sys.exit(main())
