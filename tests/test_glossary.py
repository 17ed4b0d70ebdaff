"""docs/glossary.md against the code: each term names something that exists, and no word of the old language is back."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TERMS = re.findall(r"^- \*\*([^*]+)\*\* \(`([\w.]+)`\): (.+)$", (ROOT / "docs/glossary.md").read_text("utf-8"), re.M)

# Words that were metaphors or stood for several things. None may be a part of a name again.
METAPHORS = {
    "floor", "premises", "errand", "hungry", "appetite", "starving", "nudge", "detour", "bury", "hire", "inbox",
    "landing", "holdings", "pouring", "pulse", "patience", "stranded", "troubled", "pardon", "anew",
    "tally", "remains", "outlet", "leads", "laboratory", "hammer", "vault", "harvest",
}  # fmt: skip


def test_every_line_is_a_term() -> None:
    """One line each, about twenty-five to forty of them, in this form, no term twice."""
    lines = [line for line in (ROOT / "docs/glossary.md").read_text("utf-8").splitlines() if line.startswith("- ")]
    assert len(lines) == len(TERMS)
    assert 25 <= len(TERMS) <= 40
    assert len({term for term, _, _ in TERMS}) == len(TERMS)


@pytest.mark.parametrize(("term", "name"), [(term, name) for term, name, _ in TERMS], ids=[t for t, _, _ in TERMS])
def test_a_term_names_something_in_the_code(term: str, name: str) -> None:
    """The module can be imported, and has the class, function or attribute."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        for part in parts[cut:]:
            annotations = getattr(found, "__annotations__", {})
            assert hasattr(found, part) or part in annotations, f"{term}: {name}"
            found = getattr(found, part, None)
        return
    pytest.fail(f"{term}: there is no {name}")


def names_in(tree: ast.AST) -> set[str]:
    """The names that a module defines: classes, functions, parameters, attributes, constants, local variables."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                found.add(node.name)
            case ast.arg():
                found.add(node.arg)
            case ast.Name(ctx=ast.Store()):
                found.add(node.id)
            case ast.Attribute(ctx=ast.Store()):
                found.add(node.attr)
    return found


def words_of(name: str) -> set[str]:
    """`max_hostBuffer` in its words."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def test_no_name_is_a_metaphor() -> None:
    """In no file of the package, nor in a file's name."""
    found = []
    for path in sorted((ROOT / "scraper").rglob("*.py")):
        names = {path.stem, *names_in(ast.parse(path.read_text("utf-8")))}
        found += [f"{path.relative_to(ROOT)}: {name}" for name in sorted(names) if words_of(name) & METAPHORS]
    assert found == []


def test_a_metaphor_would_be_found() -> None:
    """The check above can fail."""
    assert words_of("_hungryFloor") & METAPHORS == {"hungry", "floor"}
