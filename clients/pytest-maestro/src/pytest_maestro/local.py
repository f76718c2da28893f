"""Selecting by a recording at hand, with no server: what differs from it, and which tests that alters."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from maestro_selection import changes, manifests, selection
from maestro_selection.recording import Recording, RecordingError, read
from maestro_selection.tables import FileTable
from pytest_maestro.checkout import Checkout
from pytest_maestro.decision import Decision
from pytest_maestro.installed import distributions, interpreter

SETTLED = ("passed", "skipped", "xfailed")
PYTHON = (".py", ".pyi", ".pyw")


def decide(place: Path, folder: str, own: Iterable[Path]) -> Decision:
    """Which tests the differences between a recording and the checkout can alter.

    Parameters
    ----------
    place : Path
        The recording.
    folder : str
        A folder within the checkout.
    own : iterable of Path
        Files that are made by this plugin, and so are no change.
    """
    try:
        recording = read(place)
    except RecordingError as error:
        return Decision.everything(str(error))
    checkout = Checkout.around(folder)
    here = Here(checkout)
    refused = here.refuses(recording)
    source = f"the recording of {_told(recording, checkout)}"
    if refused:
        return Decision.everything(refused, source)
    files, _ = checkout.files()
    for path in own:
        files.pop(_inner(path, checkout.root), None)
    reasons: dict[str, tuple[str, ...]] = {}
    skipped: set[str] = set()
    notes: list[str] = []
    for state in recording.states():
        known = reasons.keys() | skipped
        unknown = state.tests.keys() - known
        if not unknown:
            continue
        refused = here.refuses(state)
        if refused:
            reasons.update((node, (refused,)) for node in unknown)
            continue
        differing = differences(state, checkout, files)
        found = selection.select(state, differing, installed=here.distributions)
        for chosen in found.tests:
            if chosen.node not in known:
                reasons[chosen.node] = chosen.reasons[0] if chosen.reasons else ("the change can alter it",)
        for node in found.skipped:
            if node not in known:
                _settle(state, node, reasons, skipped)
        notes += [*found.widened, *found.notes]
    return Decision(reasons, frozenset(skipped), source, tuple(dict.fromkeys(notes)))


def _settle(state: Recording, node: str, reasons: dict[str, tuple[str, ...]], skipped: set[str]) -> None:
    """A test that the change does not alter is left out, unless it has something to show by itself."""
    result = state.tests[node].result
    if result in SETTLED:
        skipped.add(node)
    else:
        reasons[node] = (f"it ended with {result or 'nothing'} when it was last recorded",)


class Here:
    """What a recording has to fit: this repository and this Python; and what is installed here."""

    def __init__(self, checkout: Checkout) -> None:
        self.roots = checkout.roots()
        self.interpreter = interpreter()
        self.distributions = distributions()

    def refuses(self, recording: Recording) -> str:
        """Why a recording says nothing of the tests here, or empty."""
        if recording.roots and self.roots and not set(recording.roots) & set(self.roots):
            return "The recording is of another repository."
        there = (recording.python, recording.implementation, recording.platform)
        if self.interpreter != there:
            return f"The recording was made with {' '.join(there)}, and this is {' '.join(self.interpreter)}."
        return ""


def _told(recording: Recording, checkout: Checkout) -> str:
    if not recording.commit:
        return "this folder"
    distance = checkout.distance(recording.commit)
    away = (
        "which is not in this clone"
        if distance is None
        else f"{distance} {'commit' if distance == 1 else 'commits'} away"
        if distance
        else "checked out"
    )
    return f"{recording.commit[:12]}{' with edits' if recording.dirty else ''} ({away})"


def differences(state: Recording, checkout: Checkout, files: dict[str, str]) -> list[changes.FileChange]:
    """What differs between the state that a recording is of and the files on disk.

    Parameters
    ----------
    files : dict of str to str
        Blob ids of the files on disk; those that only the recording knows are looked up.
    """
    now = {**checkout.blobs(state.files.keys() - files.keys()), **files}
    found = []
    for path in sorted(state.files.keys() | now.keys()):
        before, after = state.files.get(path), now.get(path)
        if before == after and before:
            continue
        if path.endswith(PYTHON):
            change = changes.compare(path, _table(state, checkout, path), _text(checkout, path, after))
        else:
            # Blob ids stand for the contents, of which only that they differ is asked; none is empty.
            change = changes.compare(path, before if before is None else before or "?", after)
        if change and manifests.is_manifest(path) and before:
            change = manifests.told(change, checkout.text(before), _text(checkout, path, after))
        found.append(change)
    return found


def _table(state: Recording, checkout: Checkout, path: str) -> FileTable | bytes | None:
    if path not in state.files:
        return None
    if path in state.tables:
        try:
            return FileTable.from_json(state.tables[path])
        except (ValueError, LookupError, TypeError):
            pass  # a table of another version of this program: the text tells the same, where git has it
    text = checkout.text(state.files[path])
    if text is None:
        raise RecordingError(f"What {path} was when it was recorded is not known here.", "Record again.")
    return text


def _text(checkout: Checkout, path: str, blob: str | None) -> bytes | None:
    if blob is None:
        return None
    try:
        return Path(checkout.root, path).read_bytes()
    except OSError:  # it went away just now
        return None


def _inner(path: Path, root: str) -> str:
    try:
        return path.resolve().relative_to(Path(root).resolve()).as_posix()
    except ValueError:  # it is outside of the checkout
        return ""
