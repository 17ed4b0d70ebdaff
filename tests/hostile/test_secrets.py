"""Cookies, credentials and configured headers over redirects: they never reach another origin."""

from __future__ import annotations

from pathlib import Path

import pytest

from scraper.testing.local_server import LocalServer, ReceivedRequest, Reply
from tests.hostile.crawl_process import crawl

SECRETS = ("sesame", "c2FtOnNlc2FtZQ", "token-of-mine", "jar-secret")
CONFIGURED = ("headers={X-Key: token-of-mine, Cookie: mine=sesame}", "scope.mode=host")


def sent_text(asked: ReceivedRequest) -> str:
    """All that a request said beside its line."""
    return "\n".join(f"{name.decode()}: {value.decode()}" for name, value in asked.headers.raw)


def is_shown(path: Path) -> bool:
    """Every file of a run but its cookies, which nobody else may read."""
    return path.is_file() and (path.name != "cookies.json" or path.stat().st_mode & 0o777 != 0o600)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_takes_no_secret_to_another_origin(tmp_path: Path, status: int) -> None:
    """Another port is another origin; the way back to the first one has the secrets again."""
    async with LocalServer({}) as elsewhere:
        away = {"Location": elsewhere.url("/taken?x=1"), "Set-Cookie": "jar=jar-secret; Path=/"}
        async with LocalServer({"/": Reply(status, b"", away), "/back": Reply(200, b"home")}) as home:
            elsewhere.routes = {"/taken": Reply(status, b"", {"Location": home.url("/back")})}
            run = await crawl(
                tmp_path,
                [home.url()],
                *CONFIGURED,
                f"auth={{'127.0.0.1:{home.port}': {{basic: 'sam:sesame'}}}}",
                "network.allow_private=true",
            )
            assert run.code == 0, run.screen
            (taken,) = elsewhere.requests_for("/taken")
            (back,) = home.requests_for("/back")
    assert not [secret for secret in SECRETS if secret in sent_text(taken)]
    assert taken.headers.get("cookie") is taken.headers.get("authorization") is taken.headers.get("referer") is None
    assert back.headers.get("cookie") == "mine=sesame; jar=jar-secret"
    assert back.headers.get("authorization") == "Basic c2FtOnNlc2FtZQ=="
    assert back.headers.get("x-key") == "token-of-mine"
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if is_shown(path))
    assert not [secret for secret in SECRETS if secret.encode() in written + run.screen + run.log]


async def test_no_request_says_where_it_came_from(tmp_path: Path) -> None:
    """No Referer is sent at all, so no URL's secrets travel in one."""
    routes = {"/": Reply(200, b"<a href='/a?token=t'>a</a>"), "/a": Reply(200, b"<a href=/b>b</a>"), "/b": Reply()}
    async with LocalServer(routes) as site:
        run = await crawl(tmp_path, [site.url()])
        assert run.code == 0
        assert len(site.requests) == 3
        assert not [asked for asked in site.requests if asked.headers.get("referer") is not None]


async def test_a_page_behind_a_cookie_is_reached(tmp_path: Path) -> None:
    """A server that sets a cookie and redirects to the same URL until it comes back is satisfied at once."""

    async def gate(asked: ReceivedRequest) -> Reply:
        if (asked.headers.get("cookie") or "") == "seen=yes":
            return Reply(200, b"<title>in</title>")
        return Reply(302, b"", {"Location": asked.target, "Set-Cookie": "seen=yes"})

    async with LocalServer({"/": gate}) as site:
        run = await crawl(tmp_path, [site.url()])
        assert [page["status"] for page in run.pages] == [200]
        assert len(site.requests) == 2


async def test_cookies_can_be_turned_off(tmp_path: Path) -> None:
    """`network.cookies: false` sends none back."""
    routes = {"/": Reply(200, b"<a href=/a>a</a>", {"Set-Cookie": "n=v"}), "/a": Reply()}
    async with LocalServer(routes) as site:
        await crawl(tmp_path, [site.url()], "network.cookies=false")
        assert [asked.headers.get("cookie") for asked in site.requests] == [None, None]


REDIRECTS = {
    "to-itself": ("/to-itself", "redirect"),
    "in-a-circle": ("/in-a-circle-2", "redirect"),
    "in-a-circle-2": ("/in-a-circle", "redirect"),
    "grows": ("grows/", "redirect"),
    "empty": ("", "redirect"),
    "malformed": ("http://[", "redirect"),
    "no-port": ("http://a.example:99999/", "redirect"),
    "with-credentials": ("http://user:pass@127.0.0.1/", "redirect"),
    "to-ftp": ("ftp://a.example/", "scheme"),
    "to-file": ("file:///etc/passwd", "scheme"),
    "to-javascript": ("javascript:alert(1)", "scheme"),
    "to-data": ("data:text/html,x", "scheme"),
    "to-gopher": ("gopher://127.0.0.1:6379/_FLUSHALL", "scheme"),
    "to-loopback": ("http://127.0.0.1:1/", "address"),
    "to-localhost": ("http://localhost:1/", "address"),
    "to-decimal": ("http://2130706433:1/", "address"),
    "to-octal": ("http://0177.0.0.1:1/", "address"),
    "to-hex": ("http://0x7f.1:1/", "address"),
    "to-short": ("http://127.1:1/", "address"),
    "to-zero": ("http://0:1/", "address"),
    "to-ipv6-loopback": ("http://[::1]:1/", "address"),
    "to-mapped": ("http://[::ffff:127.0.0.1]:1/", "address"),
    "to-mapped-hex": ("http://[::ffff:7f00:1]:1/", "address"),
    "to-nat64": ("http://[64:ff9b::7f00:1]:1/", "address"),
    "to-6to4": ("http://[2002:7f00:1::]:1/", "address"),
    "to-teredo": ("http://[2001:0:7f00:1::]:1/", "address"),
    "to-private-10": ("http://10.0.0.1:1/", "address"),
    "to-private-172": ("http://172.16.0.1:1/", "address"),
    "to-private-192": ("http://192.168.0.1:1/", "address"),
    "to-link-local": ("http://169.254.1.1:1/", "address"),
    "to-cgnat": ("http://100.64.0.1:1/", "address"),
    "to-metadata": ("http://169.254.169.254/latest/meta-data/", "address"),
    "to-metadata-decimal": ("http://2852039166/latest/", "address"),
    "to-metadata-ipv6": ("http://[fd00:ec2::254]/", "address"),
    "to-broadcast": ("http://255.255.255.255:1/", "address"),
    "to-multicast": ("http://224.0.0.1:1/", "address"),
    "to-unique-local": ("http://[fd12::1]:1/", "address"),
    "to-link-local-ipv6": ("http://[fe80::1]:1/", "address"),
    "to-fullwidth": ("http://１２７.０.０.１:1/", "address"),
}


async def test_where_a_redirect_may_not_lead(tmp_path: Path) -> None:
    """Loops, nonsense, other schemes and every spelling of a forbidden address: a record each, and no connection."""
    # Many spell one address: each leads to a path of its own, because the second redirect to a URL is a duplicate.
    places = {name: place + name if error == "address" else place for name, (place, error) in REDIRECTS.items()}
    routes = {
        f"/{name}": Reply(302, b"", {"Location": place.encode().decode("latin-1")}) for name, place in places.items()
    }

    async def grows(asked: ReceivedRequest) -> Reply:
        return Reply(302, b"", {"Location": asked.target + "/a"})

    links = "".join(f"<a href=/{name}>x</a>" for name in REDIRECTS)
    async with LocalServer({"/": Reply(200, links.encode()), "*": grows, **routes}) as site:
        run = await crawl(tmp_path, [site.url()], "scope.traps={max_repeats: null, max_segments: null}")
        # Of two URLs that lead to each other one has the record of the chain, the other is known already.
        records = {name: run.page(site.url(f"/{name}")) for name in REDIRECTS if not name.startswith("in-a-circle")}
        assert run.code == 0
    wrong = {
        name: (REDIRECTS[name][1], record["error"], record["error_detail"])
        for name, record in records.items()
        if record["error"] != REDIRECTS[name][1]
    }
    assert not wrong


async def test_an_address_is_allowed_where_a_seed_names_it_and_nowhere_else(tmp_path: Path) -> None:
    """A seed opens its own host and port; a link or a redirect to the port beside it is refused unasked."""
    async with LocalServer({"*": Reply(200, b"inside")}) as inside:
        routes = {
            "/": Reply(200, f"<a href='{inside.url('/link')}'></a><a href=/hop></a><a href=/ok></a>".encode()),
            "/hop": Reply(302, b"", {"Location": inside.url("/hop")}),
            "/ok": Reply(200, b"x"),
        }
        async with LocalServer(routes) as site:
            run = await crawl(tmp_path, [site.url()])
        assert (run.code, inside.connections) == (0, 0)
        assert run.page(site.url("/ok"))["status"] == 200
        assert run.page(site.url("/hop"))["error"] == "address"
        assert run.skip(inside.url("/link"))["reason"] == "address"


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f000001", "0177.1", "[::ffff:127.0.0.1]"])
async def test_a_seed_may_spell_its_address_in_any_way(tmp_path: Path, host: str) -> None:
    """Naming an address is the permission, however it is written."""
    async with LocalServer({"/": Reply(200, b"x")}) as site:
        run = await crawl(tmp_path, [site.url(host=host)])
        assert (run.code, len(site.requests)) == (0, 1), run.screen


@pytest.mark.parametrize("status", [200, 403, 503])
async def test_no_file_of_a_run_holds_a_posted_password(tmp_path: Path, status: int) -> None:
    """Not the queue, a record, the copy of the config or the screen; also while it is tried again."""
    async with LocalServer({"/login": Reply(status, b"<title>no</title>")}) as site:
        seed = f"{{url: '{site.url('/login')}', method: POST, json: {{user: bob, pw: sesame-hunter2}}}}"
        run = await crawl(tmp_path, [], f"seeds=[{seed}]", "limits.retries=1", "limits.max_time=2s", "sitemaps=off")
        assert site.requests_for("/login")[0].body == b'{"user":"bob","pw":"sesame-hunter2"}'
    held = [path for path in tmp_path.rglob("*") if path.is_file() and b"sesame-hunter2" in path.read_bytes()]
    assert held == []
    assert b"sesame-hunter2" not in run.screen
