"""A Hub on loopback: as much of the protocol as huggingface_hub speaks to pull and push, and faults on request.

Everything is kept in memory and git is left out: a commit is a mapping of names to bytes, its id a hash of them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

Files = dict[str, bytes]


@dataclass
class Fault:
    """What happens to requests whose method and path match, ``times`` times: a status, a cut, a stop or other bytes."""

    pattern: str
    status: int = 0
    cut_after: int | None = None  # bytes, then the connection is closed
    stall_after: int | None = None  # bytes, then nothing more comes
    flip: bool = False
    times: int = 1_000


@dataclass
class Repo:
    private: bool = False
    commits: dict[str, Files] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)  # branches and tags

    def commit(self, files: Files, branch: str = "main") -> str:
        sha = hashlib.sha1(
            b"".join(f"{name} {blob_id(data)}".encode() for name, data in sorted(files.items()))
        ).hexdigest()
        self.commits[sha] = files
        self.refs[branch] = sha
        return sha

    def sha(self, revision: str) -> str | None:
        return self.refs.get(revision, revision if revision in self.commits else None)


def blob_id(data: bytes) -> str:
    """As git names a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Refused(Exception):
    def __init__(self, status: int, code: str = "", message: str = "", **said: str) -> None:
        self.status, self.headers, self.said = status, {"X-Error-Code": code, "X-Error-Message": message}, said


class HubServer(ThreadingHTTPServer):
    """``repos`` is the content, ``faults`` what goes wrong, ``seen`` every request so far."""

    daemon_threads = True

    def __init__(self, token: str = "hf_good") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.token, self.repos, self.faults, self.seen = token, {}, [], []  # type: ignore[var-annotated]
        self.repos: dict[str, Repo]
        self.faults: list[Fault]
        self.seen: list[str]
        self.closing = Event()  # what stalls ends then
        self.wrong_yaml = ""
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}"
        Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()

    def fault_for(self, request: str) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and re.search(fault.pattern, request):
                fault.times -= 1
                return fault
        return None


class Handler(BaseHTTPRequestHandler):
    server: HubServer  # type: ignore[assignment]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None: ...

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = f"{self.command} {self.path}"
        self.server.seen.append(request)
        self.fault = self.server.fault_for(request)
        try:
            if self.fault and self.fault.status:
                raise Refused(self.fault.status, "EntryNotFound" if self.fault.status == 404 else "")
            self.route(self.path.partition("?")[0], body)
        except Refused as refused:
            self.answer(json.dumps(refused.said).encode(), refused.status, refused.headers)

    do_GET = do_HEAD = do_POST = handle_any

    def route(self, path: str, body: bytes) -> None:
        for pattern, method in ROUTES.items():
            if found := re.fullmatch(pattern, f"{self.command} {path}"):
                return method(self, body, **found.groupdict())
        raise Refused(404, message=f"this server knows no {self.command} {path}")

    def answer(self, data: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def say(self, values: Any) -> None:
        self.answer(json.dumps(values).encode(), headers={"Content-Type": "application/json"})

    # -- what is asked for --------------------------------------------------------------------------------------

    def known(self) -> bool:
        given = self.headers.get("Authorization")
        if given not in (None, f"Bearer {self.server.token}"):
            raise Refused(401, message="Invalid credentials in Authorization header")
        return given is not None

    def repo(self, name: str) -> Repo:
        repo = self.server.repos.get(name)
        if repo is None or (repo.private and not self.known()):
            raise Refused(404 if self.known() else 401, "RepoNotFound", "Repository not found")
        return repo

    def commit_of(self, repo: str, revision: str) -> tuple[str, Files]:
        found = self.repo(repo)
        sha = found.sha(revision.replace("%2F", "/"))
        if sha is None:
            raise Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return sha, found.commits[sha]

    def info(self, body: bytes, repo: str, revision: str | None = None) -> None:
        sha, files = self.commit_of(repo, revision or "main")
        siblings = [{"rfilename": name} for name in files]
        self.say({"id": repo, "sha": sha, "private": self.repo(repo).private, "siblings": siblings, "tags": []})

    def tree(self, body: bytes, repo: str, revision: str) -> None:
        _, files = self.commit_of(repo, revision)
        listed = [{"type": "file", "path": n, "size": len(data), "oid": blob_id(data)} for n, data in files.items()]
        self.say(listed)

    def file(self, body: bytes, repo: str, revision: str, name: str) -> None:
        sha, files = self.commit_of(repo, revision)
        if name not in files:
            raise Refused(404, "EntryNotFound")
        data = files[name]
        headers = {"X-Repo-Commit": sha, "ETag": f'"{blob_id(data)}"', "Accept-Ranges": "bytes"}
        asked = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        status, start = (206, int(asked[1])) if asked else (200, 0)
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self.send(data[start:], status, headers)

    def send(self, data: bytes, status: int, headers: dict[str, str]) -> None:
        """A file, or what the fault leaves of it."""
        fault = self.fault if self.command == "GET" else None
        if fault and fault.flip:
            data = bytes([data[0] ^ 1]) + data[1:]
        stops = [n for n in (fault.cut_after, fault.stall_after) if n is not None] if fault else []
        if not stops:
            return self.answer(data, status, headers)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data[: stops[0]])
        self.wfile.flush()
        if fault and fault.stall_after is not None:
            self.server.closing.wait(60)
        self.close_connection = True
        return None

    # -- what is brought ----------------------------------------------------------------------------------------

    def may_write(self) -> None:
        if not self.known():
            raise Refused(401, message="Log in to write")

    def validate(self, body: bytes) -> None:
        """Of a card's first lines: all is well, unless a test says what is not."""
        wrong = self.server.wrong_yaml
        if wrong:
            return self.answer(json.dumps({"errors": [{"message": wrong}], "warnings": []}).encode(), 400)
        return self.say({"errors": [], "warnings": []})

    def create(self, body: bytes) -> None:
        self.may_write()
        asked = json.loads(body)
        name = f"{asked.get('organization') or 'me'}/{asked['name']}"
        url = f"{self.server.endpoint}/{name}"
        if name in self.server.repos:
            raise Refused(409, message="You already created this model repo", url=url)
        repo = self.server.repos[name] = Repo(
            private=asked.get("visibility") == "private" or bool(asked.get("private"))
        )
        repo.commit({".gitattributes": b""})
        self.say({"url": url, "name": name, "id": name})

    def preupload(self, body: bytes, repo: str, revision: str) -> None:
        self.may_write()
        _, files = self.commit_of(repo, revision)
        listed = []
        for asked in json.loads(body)["files"]:
            known = files.get(asked["path"])
            oid = {} if known is None else {"oid": blob_id(known)}
            listed.append({"path": asked["path"], "uploadMode": "regular", "shouldIgnore": False, **oid})
        self.say({"files": listed})

    def commit(self, body: bytes, repo: str, revision: str) -> None:
        self.may_write()
        _, files = self.commit_of(repo, revision)
        lines = [json.loads(line) for line in body.splitlines()]
        new = {
            line["value"]["path"]: base64.b64decode(line["value"]["content"]) for line in lines if line["key"] == "file"
        }
        gone = {line["value"]["path"] for line in lines if line["key"] == "deletedFile"}
        left = {name: data for name, data in files.items() if name not in gone}
        sha = self.repo(repo).commit({**left, **new}, revision)
        url = f"{self.server.endpoint}/{repo}/commit/{sha}"
        self.say({"success": True, "commitOid": sha, "commitUrl": url})

    def branch(self, body: bytes, repo: str, name: str) -> None:
        self.may_write()
        self._new_ref(repo, name, "main")

    def tag(self, body: bytes, repo: str, revision: str) -> None:
        self.may_write()
        self._new_ref(repo, json.loads(body)["tag"], revision)

    def _new_ref(self, repo: str, name: str, revision: str) -> None:
        sha, _ = self.commit_of(repo, revision)
        if name in self.repo(repo).refs:
            raise Refused(409, message=f"Reference {name} exists already")
        self.repo(repo).refs[name] = sha
        self.say({})


_REPO = r"(?P<repo>[\w.-]+/[\w.-]+)"
_REVISION = r"(?P<revision>[^/]+)"
ROUTES = {
    rf"GET /api/models/{_REPO}": Handler.info,
    rf"GET /api/models/{_REPO}/revision/{_REVISION}": Handler.info,
    rf"GET /api/models/{_REPO}/tree/{_REVISION}": Handler.tree,
    rf"(GET|HEAD) /{_REPO}/resolve/{_REVISION}/(?P<name>[\w./-]+)": Handler.file,
    r"POST /api/repos/create": Handler.create,
    r"POST /api/validate-yaml": Handler.validate,
    rf"POST /api/models/{_REPO}/preupload/{_REVISION}": Handler.preupload,
    rf"POST /api/models/{_REPO}/commit/{_REVISION}": Handler.commit,
    rf"POST /api/models/{_REPO}/branch/(?P<name>[^/]+)": Handler.branch,
    rf"POST /api/models/{_REPO}/tag/{_REVISION}": Handler.tag,
}
