# ruff: noqa: E501  each message stands whole on one line, so that it can be found and compared
from __future__ import annotations

from pathlib import Path

import pytest

from scraper.config.reading.load import config_from_mapping, load_config, parse_config
from scraper.config.schema.crawl import CrawlConfig
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


def test_values_are_ready_to_use() -> None:
    """Units become seconds, bytes and requests per second; shorthands become models."""
    config = parse_config(
        SEEDS + "limits: {timeout: 1m, max_bytes: 1MiB, max_time: 90}\n"
        "politeness:\n  robots: ignore\n  per_host: {rate: 30/m}\n  hosts: {A.example: {rate: unlimited, max_pages: 3}}\n"
        "extract: [{fields: {a: h1, b: {css: p, many: true, default: []}}}]\nhooks: mine.hooks:Prices\n"
        "scope: {hosts: ['Bücher.example', 'cdn.example:443', '*.B.example', '127.0.0.1:*', '[::1]:8080']}\n"
    )
    assert (config.limits.timeout, config.limits.max_bytes, config.limits.max_time) == (60.0, 1_048_576, 90.0)
    assert config.politeness.robots.policy == "ignore"
    assert config.politeness.per_host.rate == 0.5
    assert config.politeness.hosts["a.example"].given_keys() == {"max_pages": 3, "rate": None}
    assert config.extract[0].fields["a"].css == "h1"
    assert config.extract[0].fields["b"].default == []
    assert config.hooks == ("mine.hooks:Prices",)
    assert config.scope.hosts == (
        "xn--bcher-kva.example",
        "cdn.example",
        "*.b.example",
        "127.0.0.1:*",
        "[::1]:8080",
    )


def test_the_defaults_are_the_documented_ones() -> None:
    """A config of seeds alone has the defaults of the interface."""
    config = config_from_mapping({"seeds": ["https://a.example/"]})
    assert config.scope.mode == "host"
    assert (config.limits.max_redirects, config.limits.concurrency, config.limits.retries) == (10, 64, 3)
    assert (config.limits.max_bytes, config.limits.timeout, config.limits.deadline) == (20_000_000, 30.0, 120.0)
    assert (config.politeness.per_host.rate, config.politeness.per_host.concurrency) == (2.0, 4)
    assert (config.politeness.nofollow, config.politeness.max_retry_after) == ("respect", 3600.0)
    assert config.politeness.breaker.model_dump() == {
        "failures": 6, "ratio": 0.8, "window": 20, "open": 60.0, "max_open": 3600.0,
    }  # fmt: skip
    assert (config.sitemaps, config.output.sinks, config.durability) == ("auto", ("jsonl",), "process")
    assert config.files.max_bytes == 200_000_000
    assert (config.network.allow_private, config.network.verify_tls, config.network.http2) == (False, True, False)


def test_off_is_the_word_off() -> None:
    """`sitemaps: off` is the word, not YAML 1.1's boolean."""
    assert parse_config(SEEDS + "sitemaps: off").sitemaps == "off"


@pytest.mark.parametrize("text", ["unlimited", "null", "~"])
def test_a_host_may_be_asked_without_limit(text: str) -> None:
    """An unlimited rate is None, also in an overlay, where a key left out means something else."""
    config = parse_config(
        SEEDS + f"politeness: {{per_host: {{rate: {text}}}, hosts: {{a: {{rate: {text}}}, b: {{}}}}}}"
    )
    assert config.politeness.per_host.rate is None
    assert config.politeness.hosts["a"].given_keys() == {"rate": None}
    assert config.politeness.hosts["b"].given_keys() == {}


def test_a_config_cannot_be_changed() -> None:
    """Models are frozen."""
    config = config_from_mapping({"seeds": ["https://a.example/"]})
    with pytest.raises(ValueError, match="frozen"):
        config.limits.retries = 5


def load_with_overrides(*options: str) -> CrawlConfig:
    text = SEEDS + "limits: {retries: 2}\nextract:\n  - {match: a, fields: {t: h1}}\npoliteness: {robots: obey}\n"
    return parse_config(text, "c.yaml", options)


@pytest.mark.parametrize(
    ("option", "path", "value"),
    [
        ("limits.retries=7", "limits.retries", 7),
        ("limits.max_time=2h", "limits.max_time", 7200.0),
        ("sitemaps=off", "sitemaps", "off"),
        ("scope.deny=[/login, '\\.zip$']", "scope.deny", ("/login", "\\.zip$")),
        ("scope.allow=[a=b]", "scope.allow", ("a=b",)),
        ("scope={mode: any}", "scope.mode", "any"),
        ("extract[0].match=b", "extract.0.match", "b"),
        ("extract.0.match=b", "extract.0.match", "b"),
        ("extract[0].match=", "extract.0.match", None),
        ("seeds[0]=https://b.example/", "seeds.0.url", "https://b.example/"),
        ("seeds[1]=https://b.example/", "seeds.1.url", "https://b.example/"),
        ("name='5'", "name", "5"),
        ("output.folder=x", "output.folder", Path("x")),
    ],
)
def test_an_option_overrides_the_file(option: str, path: str, value: object) -> None:
    """--set lays a YAML value over the file, at keys that are there or not, and in lists."""
    found: object = load_with_overrides(option)
    for part in path.split("."):
        found = found[int(part)] if isinstance(found, tuple) else getattr(found, part)
    assert found == value


def test_an_option_can_name_a_host() -> None:
    """A part of the path with dots in it is quoted."""
    config = load_with_overrides(
        'politeness.hosts."api.a.example".rate=10/s', "politeness.hosts.'b.example'.concurrency=1"
    )
    assert config.politeness.hosts["api.a.example"].rate == 10
    assert config.politeness.hosts["b.example"].concurrency == 1


def test_a_later_option_wins() -> None:
    """Options are laid over in their order."""
    assert load_with_overrides("limits.retries=7", "limits={retries: 8}", "limits.retries=9").limits.retries == 9


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("limits.retries=x", "--set limits.retries: limits.retries: expected a whole number from 0 to 100, got 'x'"),
        ("limits.retrys=1", "--set limits.retrys: limits.retrys: unknown key (did you mean retries?)"),
        ("limts.retries=1", "--set limts.retries: limts: unknown key (did you mean limits?)"),
        ("scope={deny: ['(']}", "--set scope: scope.deny[0]: bad regular expression at character 1: missing ), unterminated subpattern"),
        ("scope=[", "--set scope: not valid YAML: did not find expected node content (a [list] or {mapping} is not closed)"),
        ("scope=*a", "--set scope: aliases are not read; write the value out (quote a text with *)"),
        ("seeds[5]=x", "--set seeds[5]: seeds is a list of 1; its members are [0], [1] ..."),
        ("seeds.x=y", "--set seeds.x: seeds is a list of 1; its members are [0], [1] ..."),
        ("seeds[0].url=y", "--set seeds[0].url: seeds[0] is 'https://a.example/' here (set it whole)"),
        ("politeness.robots.policy=obey", "--set politeness.robots.policy: politeness.robots is 'obey' here (set it whole)"),
        ("limits[0]=1", "--set limits[0]: limits is a mapping here (set it whole)"),
        ("limits.retries", "--set: expected KEY.PATH=VALUE (for example --set limits.max_pages=10)"),
        ("=5", "--set: expected KEY.PATH=VALUE (for example --set limits.max_pages=10)"),
        ("a..b=5", "--set: expected KEY.PATH=VALUE (for example --set limits.max_pages=10)"),
        ("", "--set: expected KEY.PATH=VALUE (for example --set limits.max_pages=10)"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_named(option: str, message: str) -> None:
    """A problem with --set names the option instead of a line."""
    with pytest.raises(ConfigError) as caught:
        load_with_overrides(option)
    assert [str(p) for p in caught.value.problems] == [message]


def test_an_option_mends_the_file() -> None:
    """What an option replaces is not checked any more."""
    assert parse_config("seeds: [nonsense]", "c", ["seeds=[https://a.example/]"]).seeds[0].url == "https://a.example/"


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
