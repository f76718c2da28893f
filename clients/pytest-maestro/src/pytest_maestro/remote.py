"""Selecting by the Maestro service: the checkout's differences from what is indexed there, and its answer.

Nothing but the address that was named is spoken to, and no longer than the time that was given; whatever
goes wrong, every test runs. What a run recorded is sent there too, where that is asked for.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from pytest_maestro.checkout import Checkout
from pytest_maestro.decision import Decision

MOST_ANSWER = 64 << 20
MOST_UNTRACKED = 200
REPOSITORIES = "{ repositories { name head { commit } } }"
SELECTION = """query($repository: String!, $diff: String, $rev: String!) {
  testSelection(repository: $repository, diff: $diff, rev: $rev) {
    selected { test reasons } skipped widened notes
  }
}"""


class RemoteError(Exception):
    """Why the service could not be asked; the text is for people."""


def ask(url: str, repository: str, folder: Path, seconds: float) -> Decision:
    """Which tests the checkout's differences from the indexed commit can alter, as the service tells.

    Parameters
    ----------
    url : str
        Of the service, as `http://127.0.0.1:7600`.
    repository : str
        Its name there; empty where the service has only one.
    folder : Path
        A folder of the checkout.
    seconds : float
        How long all questions together may take.
    """
    try:
        return _ask(Service(url, seconds), repository, Checkout.around(str(folder)))
    except (RemoteError, OSError, http.client.HTTPException) as error:
        return Decision.everything(f"The service at {url} gave no answer: {error or type(error).__name__}.")


def send(url: str, repository: str, recording: bytes, seconds: float) -> str:
    """Send a recording to the service; a sentence on what came of it.

    Parameters
    ----------
    url, repository, seconds
        As for `ask`.
    recording : bytes
        Content of a recording's file.
    """
    try:
        service = Service(url, seconds)
        repository = _named(repository, _repositories(service))
        told = service.take(repository, recording)["recordings"]
        return f"sent the recording to {url}, where {told['tests']} tests of {repository} are recorded now."
    except (RemoteError, OSError, http.client.HTTPException, KeyError, TypeError) as error:
        return f"the recording was not taken by {url}: {error or type(error).__name__}."


def _repositories(service: Service) -> dict[str, str]:
    """The commit that each repository is indexed at."""
    return {each["name"]: each["head"]["commit"] for each in service.query(REPOSITORIES, {})["repositories"]}


def _named(repository: str, known: Mapping[str, str]) -> str:
    """The repository that is meant; RemoteError where it is not known."""
    if not repository and len(known) == 1:
        return next(iter(known))
    if repository not in known:
        named = ", ".join(sorted(known)) or "none"
        raise RemoteError(f"it knows {named}; name one of these with --maestro-repository")
    return repository


def _ask(service: Service, repository: str, checkout: Checkout) -> Decision:
    known = _repositories(service)
    repository = _named(repository, known)
    commit = known[repository]
    diff = checkout.diff(commit, MOST_UNTRACKED)
    if diff is None:
        raise RemoteError(f"it stands at {commit[:12]}, from which this clone cannot tell its differences")
    source = f"the service, which stands at {commit[:12]}"
    found = service.query(SELECTION, {"repository": repository, "diff": diff, "rev": commit})["testSelection"]
    reasons = {each["test"]: _first(each["reasons"]) for each in found["selected"]}
    # A test is left out only where the service says that it knows it and that the change cannot alter it.
    skipped = frozenset(node for node in found["skipped"] if not _is_named(node, reasons))
    return Decision(reasons, skipped, source, tuple((*found["widened"], *found["notes"])))


def _is_named(node: str, reasons: Mapping[str, object]) -> bool:
    """Whether a test is selected: by its own id, without its parameters, or by its file."""
    return not {node, node.partition("[")[0], node.partition("::")[0]}.isdisjoint(reasons)


def _first(reasons: list[list[str]]) -> tuple[str, ...]:
    return tuple(reasons[0]) if reasons else ("the change can alter it",)


class Service:
    """A Maestro service, asked over GraphQL.

    Parameters
    ----------
    url : str
        Its address, with or without `/graphql` at its end.
    seconds : float
        How long all questions together may take.
    """

    def __init__(self, url: str, seconds: float) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RemoteError("this is no address of a service, as http://127.0.0.1:7600 is")
        self.parts = parts
        self.path = parts.path.rstrip("/").removesuffix("/graphql")
        self.until = time.monotonic() + seconds

    def query(self, text: str, variables: dict[str, Any]) -> Any:
        """The data that answers a query; RemoteError or OSError where there is none in time."""
        body = json.dumps({"query": text, "variables": variables}).encode("utf-8")
        data = self._answer("/graphql", body, "application/json").get("data")
        if not isinstance(data, dict):
            raise RemoteError("what answers there is not Maestro")
        return data

    def take(self, repository: str, recording: bytes) -> dict[str, Any]:
        """Have a recording taken in; what came of it."""
        path = f"/repositories/{quote(repository, safe='')}/recordings"
        return self._answer(path, recording, "application/octet-stream")

    def _answer(self, path: str, body: bytes, kind: str) -> dict[str, Any]:
        try:
            content = json.loads(self._post(self.path + path, body, kind))
        except ValueError as error:
            raise RemoteError("what answers there is not Maestro") from error
        if not isinstance(content, dict):
            raise RemoteError("what answers there is not Maestro")
        errors = content.get("errors")
        if errors:
            raise RemoteError(_sentences(errors))
        return content

    def _left(self) -> float:
        left = self.until - time.monotonic()
        if left <= 0:
            raise RemoteError("it took too long (--maestro-timeout says how long it may take)")
        return left

    def _post(self, path: str, body: bytes, kind: str) -> bytes:
        secure = self.parts.scheme == "https"
        opened: Any = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = opened(self.parts.hostname, self.parts.port, timeout=self._left())
        try:
            headers = {"Content-Type": kind, "Accept": "application/json"}
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            answer = bytearray()
            # A piece at a time, so that an answer that trickles in for ever ends as well.
            while True:
                left = self._left()
                if connection.sock is not None:
                    connection.sock.settimeout(left)
                piece = response.read1(1 << 16)
                if not piece:
                    break
                answer += piece
                if len(answer) > MOST_ANSWER:
                    raise RemoteError("its answer is too long")
            if response.length:
                raise RemoteError("it stopped in the middle of its answer")
            return bytes(answer)
        finally:
            connection.close()


def _sentences(errors: Any) -> str:
    """What the first error says, and what to do about it."""
    try:
        first = errors[0]
        message, hint = first["message"], first.get("extensions", {}).get("hint", "")
        return f"{message} {hint}".strip().rstrip(".")
    except (LookupError, TypeError, AttributeError):
        return "it failed"
