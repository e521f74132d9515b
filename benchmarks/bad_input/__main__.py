"""See :mod:`benchmarks.bad_input`."""

import sys

from benchmarks.bad_input.campaign import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
