"""``python -m qsched_emulators NAME``."""

import sys

from qsched_emulators.serve import main

sys.exit(main(sys.argv[1:]))
