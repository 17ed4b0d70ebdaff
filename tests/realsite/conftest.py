"""nginx on loopback with a Debian documentation package behind it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
PACKAGES = {
    "python3-doc": Path("/usr/share/doc/python3-doc/html"),
    "postgresql-doc-15": Path("/usr/share/doc/postgresql-doc-15/html"),
}
NGINX_CONF = """
daemon off; worker_processes 1; pid {tmp}/nginx.pid; error_log {tmp}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  include /etc/nginx/mime.types; default_type application/octet-stream;
  log_format asked '$request_method $request_uri $status'; access_log {tmp}/access.log asked;
  client_body_temp_path {tmp}/1; proxy_temp_path {tmp}/2; fastcgi_temp_path {tmp}/3;
  uwsgi_temp_path {tmp}/4; scgi_temp_path {tmp}/5;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


class ServedSite:
    """A documentation package served by nginx: where it is, and what was asked for."""

    def __init__(self, root: Path, url: str, log: Path) -> None:
        self.root, self.url, self.log = root, url, log

    def requested_paths(self) -> list[str]:
        """The paths that were asked for by GET, in order, without robots.txt and sitemaps."""
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return [path for method, path, _ in lines if method == "GET" and not path.endswith((".txt", "sitemap.xml"))]


@pytest.fixture(params=sorted(PACKAGES))
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServedSite]:
    """One site after the other, each behind an nginx of its own."""
    root = PACKAGES[request.param]
    if NGINX is None or not (root / "index.html").exists():
        pytest.skip(f"needs the Debian packages nginx-light and {request.param}")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path / "nginx"
    folder.mkdir()
    conf = folder / "nginx.conf"
    conf.write_text(NGINX_CONF.format(tmp=folder, port=port, root=root.resolve()))
    process = subprocess.Popen([NGINX, "-c", str(conf), "-e", str(folder / "error.log")], stderr=subprocess.DEVNULL)
    try:
        _until_it_answers(port, process)
        yield ServedSite(root.resolve(), f"http://127.0.0.1:{port}/index.html", folder / "access.log")
    finally:
        process.terminate()
        process.wait(10)


def _until_it_answers(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            continue
        return
    raise RuntimeError("nginx did not start")
