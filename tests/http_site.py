"""A web server on this machine for tests: files with ranges and ETags, and the ways in which servers fail."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class Site:
    """What the server says. Keys are paths.

    `breaks`: path -> bytes after which the connection is cut, once for each entry. `fails`: path -> statuses to answer
    first. `headers` stand in for the server's own of the same name (those of "fails" go with a failure). `endless`:
    paths whose bytes never end. `moved`: path -> where it is answered instead. `requests`: what was asked, as (method,
    path, range).
    """

    files: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    breaks: dict[str, list[int]] = field(default_factory=dict)
    fails: dict[str, list[int]] = field(default_factory=dict)
    endless: set[str] = field(default_factory=set)
    moved: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    etags: bool = True
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    url: str = ""

    def add_hub_dataset(self, repo: str, files: dict[str, bytes], commit: str = "c" * 40) -> None:
        """Serve `files` as a dataset repository of the Hub."""
        siblings = []
        for name, data in files.items():
            path = f"/datasets/{repo}/resolve/{commit}/{name}"
            digest = hashlib.sha256(data).hexdigest()
            siblings.append(
                {
                    "rfilename": name,
                    "size": len(data),
                    "lfs": {"sha256": digest, "size": len(data), "pointerSize": 134},
                }
            )
            self.files[path] = data
            self.headers[path] = {
                "X-Repo-Commit": commit,
                "X-Linked-Etag": f'"{digest}"',
                "X-Linked-Size": str(len(data)),
            }
        content = json.dumps(
            {"id": repo, "sha": commit, "siblings": siblings, "private": False, "tags": []}
        ).encode()
        for revision in ("main", commit):
            self.files[f"/api/datasets/{repo}/revision/{revision}"] = content
        self.files[f"/api/datasets/{repo}"] = content

    def add_dataverse(self, files: dict[str, bytes], version: str = "1.0") -> list[dict[str, Any]]:
        """Serve `files` as a record of a Dataverse, folders in their names; return the list of its files."""
        listed: list[dict[str, Any]] = []
        for number, (name, data) in enumerate(files.items(), start=101):
            folder, _, label = name.rpartition("/")
            md5 = hashlib.md5(data).hexdigest()
            entry = {
                "label": label,
                "restricted": False,
                "version": 1,
                "dataFile": {
                    "id": number,
                    "persistentId": "",
                    "filename": label,
                    "filesize": len(data),
                    "md5": md5,
                    "checksum": {"type": "MD5", "value": md5},
                },
            }
            listed.append(entry | ({"directoryLabel": folder} if folder else {}))
            # The bytes lie elsewhere, as they do in a Dataverse over an object store.
            self.files[f"/store/{number}"] = data
            self.moved[f"/api/access/datafile/{number}"] = f"/store/{number}?signed=1"
        self.list_dataverse(listed, version)
        return listed

    def list_dataverse(self, listed: list[dict[str, Any]], version: str = "1.0") -> None:
        """Serve a list of files as the newest version of the record, and by its number."""
        major, minor = version.split(".")
        record = {"versionNumber": int(major), "versionMinorNumber": int(minor), "files": listed}
        content = json.dumps({"status": "OK", "data": record}).encode()
        for name in (":latest-published", version):
            self.files[f"/api/datasets/:persistentId/versions/{name}"] = content

    def asked(self, path: str) -> Counter[str | None]:
        """Return how often a path was got, by range."""
        return Counter(range_ for method, asked, range_ in self.requests if method == "GET" and asked == path)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def do_HEAD(self) -> None:
        self._answer(False)

    def do_GET(self) -> None:
        self._answer(True)

    def _answer(self, with_body: bool) -> None:
        site, path = self.site, unquote(urlsplit(self.path).path)
        site.requests.append((self.command, path, self.headers.get("Range")))
        if with_body and site.fails.get(path):
            return self._error(site.fails[path].pop(0))
        if path in site.moved:
            return self._error(303, {"Location": site.moved[path]})
        if path not in site.files:
            return self._error(404)
        data = site.files[path]
        etag = '"' + hashlib.md5(data).hexdigest() + '"'
        start, asked = 0, self.headers.get("Range")
        matches = self.headers.get("If-Range") in (None, etag)
        if asked and site.ranges and matches:
            start = int(asked.removeprefix("bytes=").split("-")[0])
            if start >= len(data):
                return self._error(416)
        self.send_response(206 if start else 200)
        headers = {"Content-Length": str(len(data) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        if site.etags:
            headers["ETag"] = etag
        if path in site.endless:
            del headers["Content-Length"]
        for name, value in {**headers, **site.headers.get(path, {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if not with_body:
            return None
        if path in site.endless:
            self.close_connection = True
            with suppress(OSError):
                while True:
                    self.wfile.write(data)
        body = data[start:]
        if site.breaks.get(path):
            self.wfile.write(body[: site.breaks[path].pop(0)])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return None
        self.wfile.write(body)
        return None

    def _error(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        if "Retry-After" in self.site.headers.get("fails", {}):
            self.send_header("Retry-After", self.site.headers["fails"]["Retry-After"])
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Keep the test's output clean."""


@contextmanager
def serve() -> Iterator[Site]:
    """Run a server for a `with` block; yields what it serves."""
    site = Site()
    handler = type("Handler", (_Handler,), {"site": site})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
