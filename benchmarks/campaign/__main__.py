"""See :mod:`benchmarks.campaign`."""

import sys

from benchmarks.campaign import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
