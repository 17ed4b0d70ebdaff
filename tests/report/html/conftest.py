"""The finished run that the report is made from."""

from tests.explain.conftest import finished, shop, run_command

__all__ = ["finished", "shop", "run_command"]
