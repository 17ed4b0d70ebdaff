from __future__ import annotations

import pickle
import traceback

import pytest

from scraper.config.reading.effective import effective_yaml, section_hashes, to_plain_values
from scraper.config.reading.load import config_from_mapping, parse_config
from scraper.config.schema.crawl import CrawlConfig
from scraper.config.types.secret import Secret, interpolate
from scraper.errors import ConfigError

PASSWORD = "hunter2-of-mine"
ENV = {"USER": "ada", "PASS": PASSWORD, "TOKEN": PASSWORD, "PROXY": f"http://ada:{PASSWORD}@proxy.example:3128"}
SEEDS = "seeds: [https://a.example/]\n"


def config(text: str) -> CrawlConfig:
    return parse_config(SEEDS + text, "c.yaml", env=ENV)


CASES = [
    ("basic", 'auth: {a.example: {basic: "${USER}:${PASS}"}}', "${USER}:${PASS}"),
    ("basic-block", "auth:\n  a.example:\n    basic: ${USER}:${PASS}", "${USER}:${PASS}"),
    ("bearer", 'auth: {a.example: {bearer: "${TOKEN}"}}', "${TOKEN}"),
    ("basic-literal", f"auth: {{a.example: {{basic: 'ada:{PASSWORD}'}}}}", "********:********"),
    ("basic-half", f"auth: {{a.example: {{basic: '${{USER}}:{PASSWORD}'}}}}", "********:********"),
    ("bearer-literal", f"auth: {{a.example: {{bearer: '{PASSWORD}'}}}}", "********"),
    ("header", 'headers: {X-Thing: "${TOKEN}"}', "${TOKEN}"),
    ("authorization", 'headers: {Authorization: "Bearer ${TOKEN}"}', "Bearer ${TOKEN}"),
    ("authorization-literal", f"headers: {{Authorization: 'Bearer {PASSWORD}'}}", "********"),
    ("cookie-literal", f"headers: {{Cookie: 'session={PASSWORD}'}}", "********"),
    ("key-literal", f"headers: {{X-Api-Key: '{PASSWORD}'}}", "********"),
    ("proxy", 'network: {proxy: "${PROXY}"}', "${PROXY}"),
    ("proxy-parts", 'network: {proxy: "http://${USER}:${PASS}@proxy.example:3128"}', "http://${USER}:${PASS}@proxy.example:3128"),
    ("proxy-literal", f"network: {{proxy: 'http://ada:{PASSWORD}@proxy.example:3128'}}", "http://********:********@proxy.example:3128"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "shown"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_password_is_never_shown(text: str, shown: str) -> None:
    """Neither repr, str, the effective config nor the identities hold a password; a reference shows as written."""
    loaded = config(text)
    effective = effective_yaml(loaded)
    views = [
        repr(loaded),
        effective,
        to_plain_values(loaded),
        section_hashes(loaded),
        loaded.model_dump(),
        loaded.model_dump_json(),
    ]
    for view in views:
        assert PASSWORD not in str(view)
    assert shown in effective
    assert effective_yaml(parse_config(effective, "c.yaml", env=ENV)) == effective


@pytest.mark.parametrize("text", [c[1] for c in CASES], ids=[c[0] for c in CASES])
def test_the_password_itself_is_there_for_whoever_sends_it(text: str) -> None:
    """reveal() gives the text with the variables filled in."""
    loaded = config(text)
    secrets = [*loaded.headers.values(), loaded.network.proxy]
    secrets += [kind for entry in loaded.auth.values() for kind in (entry.basic, entry.bearer)]
    assert PASSWORD in next(s.reveal() for s in secrets if s is not None)


@pytest.mark.parametrize(
    "text",
    [
        f"auth: {{a.example: {{basic: {PASSWORD}}}}}",
        f"auth: {{a.example: {{baisc: 'x:{PASSWORD}'}}}}",
        f"auth: {{a.example: {{basic:x:{PASSWORD}}}}}",
        f"auth: {{a.example: '{PASSWORD}'}}",
        f"auth: {{'x:{PASSWORD}': {{}}}}",
        f"auth: 'x:{PASSWORD}'",
        f"auth: [{PASSWORD}]",
        f"auth: {{a.example: {{bearer: 'Bearer {PASSWORD}'}}}}",
        f"auth: {{a.example: {{bearer: ['{PASSWORD}']}}}}",
        f"headers: {{Authorization:Bearer {PASSWORD}}}",
        f"headers: {{'Authorization: {PASSWORD}': x, 'authorization: {PASSWORD}': x}}",
        f"headers: 'Authorization: {PASSWORD}'",
        f'headers: {{A: "{PASSWORD}\\n"}}',
        f"headers: {{A: '${{{PASSWORD}'}}",
        f"network: {{proxy: '{PASSWORD}'}}",
        f"network: {{proxy: 'ftp://x:{PASSWORD}@p'}}",
        f"network: {{proxy:http://x:{PASSWORD}@p}}",
        f"network: {{proxies: 'http://x:{PASSWORD}@p'}}",
        f"seeds: ['https://x:{PASSWORD}@a.example/']",
        f"scope: {{hosts: ['x:{PASSWORD}@a.example']}}",
        f"scope: {{mode: 'https://x:{PASSWORD}@a.example/'}}",
        "headers: {A: '${PASS}\u2028'}",
    ],
    ids=range(22),
)
def test_no_error_repeats_a_password(text: str) -> None:
    """Whatever is wrong with it, and wherever it stands by mistake, a password is in no message and no traceback."""
    with pytest.raises(ConfigError) as caught:
        parse_config(text if text.startswith("seeds") else SEEDS + text, "c.yaml", env=ENV)
    assert PASSWORD not in str(caught.value)
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    assert all(PASSWORD not in repr(p) for p in caught.value.problems)


def test_an_option_with_a_password_is_not_repeated() -> None:
    """--set names its key, not its value."""
    with pytest.raises(ConfigError) as caught:
        parse_config(SEEDS, "c", [f'auth."a.example".basic={PASSWORD}', f"auth={PASSWORD}", f"x:{PASSWORD}"])
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A}", "1"),
        ("x${A}y${B_2}z", "x1y2z"),
        ("$A $$ $", "$A $$ $"),
        ("$${A}", "${A}"),
        ("$${A}${A}", "${A}1"),
        ("", ""),
    ],
)
def test_variables_are_filled_in_once(text: str, value: str) -> None:
    """${NAME} is replaced, $${ stands for ${, and nothing else is touched."""
    assert interpolate(text, {"A": "1", "B_2": "2"}) == value


def test_a_value_is_not_interpolated_again() -> None:
    """A variable that holds ${X} gives exactly that."""
    assert interpolate("${A}", {"A": "${B}", "B": "no"}) == "${B}"


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b", "\u20ac", "\ud800"], ids=ascii)
def test_a_variable_that_no_header_can_carry_is_refused(value: str) -> None:
    """A line break in a variable cannot smuggle in a header."""
    with pytest.raises(ConfigError, match=r"headers\.A: holds a line break"):
        parse_config(SEEDS + "headers: {A: '${V}'}", env={"V": value})


def test_the_process_environment_is_read_without_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `env` the variables are those of the process, also for the Python API."""
    monkeypatch.setenv("SCRAPER_TEST_TOKEN", "abc")
    loaded = config_from_mapping({"seeds": ["https://a.example/"], "headers": {"A": "${SCRAPER_TEST_TOKEN}"}})
    assert loaded.headers["A"].reveal() == "abc"


def test_a_secret_survives_pickling_and_stays_hidden() -> None:
    """Secrets are values: equal, hashable, picklable, and shown as stars."""
    secret = Secret(PASSWORD)
    assert pickle.loads(pickle.dumps(secret)) == secret
    assert f"{secret} {secret!r} {[secret]}" == "******** Secret('********') [Secret('********')]"
    assert len({secret, Secret(PASSWORD)}) == 1
