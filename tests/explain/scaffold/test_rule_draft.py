"""Rules written as YAML."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scraper.config.reading.yaml import read_yaml
from scraper.explain.scaffold.rule_draft import to_yaml


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
    | st.text("'\"\\#:{}[],&*!|>%@` ~-?\n\t\x85\u2028\U000e0001\U000f0000", max_size=8)
)
def test_any_text_is_written_as_itself(text: str) -> None:
    """YAML reads back what was written, on one line, whatever it holds."""
    shown = to_yaml(text)
    assert "\n" not in shown
    assert read_yaml(f"a: {{{shown}: {shown}}}", "f").value == {"a": {text: text}}
