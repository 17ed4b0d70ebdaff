"""The finished run that the report is made from."""

from tests.explain.conftest import finished, shop, tell

__all__ = ["finished", "shop", "tell"]
