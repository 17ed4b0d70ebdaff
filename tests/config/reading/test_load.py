from __future__ import annotations

from pathlib import Path

import pytest

from scraper.config.reading.load import config_from_mapping, load_config
from scraper.errors import ConfigError

SEEDS = "seeds: [https://a.example/]\n"


def write(folder: Path, text: str | bytes, name: str = "books.yaml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def load_error(path: Path | str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert len(caught.value.problems) == 1
    return str(caught.value)


def test_a_crawl_is_named_after_its_file(tmp_path: Path) -> None:
    """Without a name the file's stem is the name, and the name the output folder."""
    config = load_config(write(tmp_path, SEEDS))
    assert (config.name, config.output.folder) == ("books", Path("out/books"))


@pytest.mark.parametrize(
    ("text", "name", "folder"),
    [
        ("name: a b", "a b", "out/a b"),
        ("name: x\noutput: {sinks: [csv]}", "x", "out/x"),
        ("name: x\noutput: {folder: y/z}", "x", "y/z"),
        ("output: {folder: ~/z}", "books", str(Path.home() / "z")),
    ],
)
def test_the_output_folder_follows_the_name_unless_given(tmp_path: Path, text: str, name: str, folder: str) -> None:
    """output.folder wins; otherwise it is out/ and the name."""
    config = load_config(write(tmp_path, SEEDS + text))
    assert (config.name, str(config.output.folder)) == (name, folder)


def test_a_file_whose_name_is_no_name_leaves_the_default(tmp_path: Path) -> None:
    """A strange file name is not an error."""
    assert load_config(write(tmp_path, SEEDS, "-%.yaml")).name == "crawl"


def test_seed_files_are_relative_to_the_config(tmp_path: Path) -> None:
    """A {file: ...} seed is found beside the config, wherever the command is run."""
    (tmp_path / "lists").mkdir()
    seeds = write(tmp_path / "lists", "https://a.example/\n", "seeds.txt")
    config = load_config(write(tmp_path, "seeds: [{file: lists/seeds.txt}, {sitemap: 'https://a.example/s.xml'}]"))
    assert config.seeds[0].file == seeds
    assert config.seeds[1].sitemap == "https://a.example/s.xml"


def test_a_missing_file_a_folder_and_an_unreadable_path_are_sentences(tmp_path: Path) -> None:
    """Whatever the path is, the answer names it."""
    assert load_error(tmp_path / "no.yaml") == f"{tmp_path}/no.yaml: no such file"
    assert load_error(tmp_path) == f"{tmp_path}: is a folder, not a config file"
    below = write(tmp_path, SEEDS) / "x"
    assert load_error(below) == f"{below}: cannot be read: Not a directory"
    assert load_error("a\0b") == "a path cannot hold a NUL character"
    assert load_error("x" * 5000).endswith("File name too long")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    """A config may have 1 MiB, and an endless file is not read to its end."""
    assert "is larger than 1 MiB" in load_error(write(tmp_path, b"#" * ((1 << 20) + 1)))
    assert "is larger than 1 MiB" in load_error("/dev/zero")


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    """A binary file gives one sentence with the place."""
    path = write(tmp_path, b"\x89PNG\r\n")
    assert load_error(path) == f"{path}:1:1: is not UTF-8: the byte 0x89 cannot be read (save it as UTF-8)"


@pytest.mark.parametrize("values", [{"seeds": [[[[[[[]]]]]]]}, {5: 6}, {"seeds": object()}, {"name": {1, 2}}, []])
def test_any_python_value_is_a_config_error(values: object) -> None:
    """A mapping from Python is checked as a file is."""
    with pytest.raises(ConfigError):
        config_from_mapping(values)  # type: ignore[arg-type]


def test_a_value_that_holds_itself_is_a_config_error() -> None:
    """A mapping without end is refused, not followed."""
    values: dict[str, object] = {}
    values["seeds"] = values
    with pytest.raises(ConfigError, match="nested more than"):
        config_from_mapping(values)
