"""The program `star`, as the wheel installs it."""

from __future__ import annotations

import signal
import sys

from . import _native


def main() -> None:
    """Runs `star` with the arguments of the command line, and ends with its exit code."""
    # Python only takes note of Ctrl-C and goes on; the program stops, or listens to it itself.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    again = [sys.executable, "-m", "star_landmarks"]
    sys.exit(_native.run_program(["star", *sys.argv[1:]], again))
