"""``python -m qsched.cli`` is ``qsched``."""

from qsched.cli import main

main()
