"""The `gateway` command. Data goes to stdout, talk to stderr; exit 0 done, 1 some input was refused, 2 wrong usage.

Commands import what they need when they run, so that `gateway --help` loads typer only.
"""

from gateway.cli.main import main

__all__ = ["main"]
