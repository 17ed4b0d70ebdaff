"""Whether a page asks for a password."""

from __future__ import annotations

from scraper.extract.links.document import Document

# Characters of a title that are kept.
MAX_TITLE_CHARS = 200


def find_login_form(document: Document, body: bytes) -> str | None:
    """The page's title if it has a field for a password, else None. A page without the word is not searched."""
    if b"password" not in body and b"PASSWORD" not in body and b"Password" not in body:
        return None
    root = document.tree.root
    if root is None or root.css_first("input[type=password i]") is None:
        return None
    title = root.css_first("title")
    return title.text(strip=True)[:MAX_TITLE_CHARS] if title is not None else ""
