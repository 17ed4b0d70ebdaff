"""The finished run that the report is made from."""

from tests.explain.conftest import finished, run_command, shop

__all__ = ["finished", "run_command", "shop"]
