"""What is secret in the content of a POST, how it is shown and how it is sent."""

from __future__ import annotations

from typing import Any

import pytest

from scraper.config.reading.effective import effective_yaml
from scraper.config.reading.load import config_from_mapping
from scraper.config.schema.seeds import SeedSection
from scraper.config_to_settings import post_secrets, seed_requests
from scraper.model import Content
from scraper.sinks.records import abbreviate_body
from scraper.urls.canonicalize import KeyRules
from scraper.urls.post_secrets import fill_secrets

FORM = "application/x-www-form-urlencoded"
ENV = {"PASS": 'a&"b<é'}
URL = "https://shop.example/login"


def posted(*seeds: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Of each seed: how its content is shown in records and in the effective config, and what is sent."""
    config = config_from_mapping({"seeds": [{"url": URL, "method": "POST", **seed} for seed in seeds]}, env=ENV)
    secrets = post_secrets(config)
    shown = effective_yaml(config)
    found = []
    for request in seed_requests(config, KeyRules()):
        assert request.content is not None
        found.append((abbreviate_body(request.content), shown, fill_secrets(request.content, secrets).data.decode()))
    return found


BODIES = [
    ("form", FORM, "u=bob&p=hunter2", "u=bob&p=********", "u=bob&p=hunter2"),
    ("form with a variable", FORM, "u=bob&x=${PASS}", "u=bob&x=********", "u=bob&x=a%26%22b%3C%C3%A9"),
    ("part of a value", FORM, "password=x${PASS}y", "password=********", "password=xa%26%22b%3C%C3%A9y"),
    ("no secret", FORM, "q=books&p=2&author=x", "q=books&p=2&author=x", "q=books&p=2&author=x"),
    ("an escaped dollar", FORM, "q=$${x}", "q=${x}", "q=${x}"),
    ("json text", "application/json", '{"password": "hunter2"}', '{"password": "********"}', '{"password": "hunter2"}'),
    ("json variable", "application/json", '{"a": "${PASS}"}', '{"a": "********"}', '{"a": "a&\\"b<é"}'),
    ("xml", "text/xml", "<s:Password>hunter2</s:Password>", "<s:Password>********</s:Password>", None),
    ("xml variable", "application/soap+xml", "<a>${PASS}</a>", "<a>********</a>", "<a>a&amp;&quot;b&lt;é</a>"),
    ("multipart", "multipart/form-data", 'x\nname="pw"\n\nhunter2\n--x--', 'x\nname="pw"\n\n********\n--x--', None),
]


@pytest.mark.parametrize(("kind", "written", "shown", "sent"), [row[1:] for row in BODIES], ids=[r[0] for r in BODIES])
def test_the_secrets_of_a_body_are_masked_and_sent(kind: str, written: str, shown: str, sent: str | None) -> None:
    """By the names of fields, and whatever comes from the environment, which is written as the type wants it."""
    ((recorded, config, body),) = posted({"body": written, "content_type": kind})
    assert (recorded, body) == (shown, written if sent is None else sent)
    assert "hunter2" not in config
    assert "é" not in config


def test_the_secrets_of_json_are_masked_and_sent() -> None:
    """Texts and numbers at any depth; a parameter that pages through results is none."""
    value = {"user": "joe", "key": "k1", "in": [{"pin": 1234, "token": "${PASS}"}], "page": 1, "pageToken": "n", "p": 2}
    ((recorded, config, body),) = posted({"json": value})
    assert recorded == (
        '{"user":"joe","key":"********","in":[{"pin":"********","token":"********"}],"page":1,"pageToken":"n",'
        '"p":"********"}'
    )
    assert body == '{"user":"joe","key":"k1","in":[{"pin":1234,"token":"a&\\"b<é"}],"page":1,"pageToken":"n","p":2}'
    assert "${PASS}" in config
    assert "k1" not in config
    assert "1234" not in config


def test_seeds_that_differ_in_a_secret_alone_are_different_requests() -> None:
    """Each is sent its own."""
    seeds = [{"body": f"user=a&pw={word}", "content_type": FORM} for word in ("one", "two")]
    assert [body for _, _, body in posted(*seeds)] == ["user=a&pw=one", "user=a&pw=two"]
    config = config_from_mapping({"seeds": [{"url": URL, "method": "POST", **seed} for seed in seeds]})
    assert len({request.url.key for request in seed_requests(config, KeyRules())}) == 2


def test_a_password_that_changed_is_the_same_request() -> None:
    """What is in the queue stays there, and is sent with the new one."""
    contents = []
    for word in ("one", "two"):
        config = config_from_mapping(
            {"seeds": [{"url": URL, "method": "POST", "body": f"pw={word}", "content_type": FORM}]}
        )
        (request,) = seed_requests(config, KeyRules())
        assert request.content is not None
        contents.append((request.url.key, fill_secrets(Content(request.content.data, FORM), post_secrets(config)).data))
    assert contents[0][0] == contents[1][0]
    assert [data for _, data in contents] == [b"pw=one", b"pw=two"]


def test_nothing_shows_a_secret() -> None:
    """Not the `repr` of the config's sections either."""
    post = {"url": URL, "method": "POST"}
    seeds = [{**post, "json": {"pw": "hunter2"}}, {**post, "body": "pw=hunter2", "content_type": FORM}]
    config = config_from_mapping({"seeds": seeds})
    assert "hunter2" not in repr(config)
    assert "hunter2" not in str(config.model_dump_json())
    assert all(isinstance(seed, SeedSection) for seed in config.seeds)
