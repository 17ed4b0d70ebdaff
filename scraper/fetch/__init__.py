"""Asking for a URL: the port and everything HTTP."""
