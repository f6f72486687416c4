"""What the rig raises when the machine, and not the code under test, is at fault."""

from __future__ import annotations


class RigError(RuntimeError):
    """A part of the rig does not come up, or a command of it fails; its own words are in the message."""
