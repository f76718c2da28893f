"""How well reviewers are ranked, replayed over what really happened.

    python -m benchmarks.reviewers ROWS.jsonl.gz [...] [--refit N] [--seed N]

ROWS has one JSON object a commit, oldest first: `time` (Unix seconds), `author`, `reviewers`, `files`.
Each reviewed commit of the last 30 % is ranked by what came before it: all of it (`mrr`), or all but
the last day (`mrr_1d`), which is what could be known when a change was opened. The model is fitted on
the past alone, anew after every N scored commits. Beside it stand rankers that are not learned:

- popular: who reviewed most in the last 90 days;
- chrev: authors and reviewers of the changed files, by commits, days and recency (Zanjani, Kagdi and
  Bird, "Automatically recommending peer reviewers in modern code review", IEEE TSE 42(6), 2016);
- knn: the last 400 reviewed commits; those of the same author vote for their reviewers, by likeness of
  folders and files, and by age.

Recommendations are also put in the place of what happened: how concentrated the work would be (Gini),
and how many files would be known to one person alone.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import time
import zlib
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.figures import print_figures, print_table
from models.boosting import BoostConfig, Booster
from models.reviewers import Example, Ranking, ReviewersConfig, example, fit, gini, order, spread
from models.reviews import Commit, Past, evidence_before

LIMITS = {
    "golang-tools": {"mrr": (0.845, 0.858), "mrr_1d": (0.825, 0.840)},
    "golang-net": {"mrr": (0.880, 0.905), "mrr_1d": (0.855, 0.880)},
}
SCORED = 0.3
LOAD_DAYS = 21.0
"""After which a review counts half as load."""
ACTIVE_DAYS = 180.0
"""Who neither wrote nor reviewed for so long is not there to know anything."""
KNOWN_DAYS = 720.0
"""Days after which somebody who touched or reviewed a file is not counted on to know it."""

Votes = dict[int, float]


class RowsError(ValueError):
    """A file that is no rows: says which line, and what was wrong."""


def read_rows(path: Path) -> tuple[list[Commit], int]:
    """Commits in order of time, and how many people there are."""
    rows: list[Row] = []
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                rows.append(_row(json.loads(line), f"{path.name}:{number}"))
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise RowsError(f"{path} cannot be read as gzipped lines: {error}") from error
    except json.JSONDecodeError as error:
        raise RowsError(f"{path.name}: line {len(rows) + 1} is no JSON: {error}") from error
    names = sorted({name for row in rows for name in (row.author, *row.reviewers)})
    # By name, so that a tie goes the same way whoever came first.
    numbers = {name: number for number, name in enumerate(names)}
    commits = [
        Commit(
            row.time / 86_400, numbers[row.author], tuple(numbers[name] for name in row.reviewers), row.files
        )
        for row in rows
    ]
    if any(a.at > b.at for a, b in pairwise(commits)):
        raise RowsError(f"{path.name}: the commits are not in order of time")
    if sum(1 for commit in commits if commit.reviewers) < 10:
        raise RowsError(f"{path.name}: fewer than 10 reviewed commits; there is nothing to score")
    return commits, len(names)


class Row(NamedTuple):
    """A commit as the file has it."""

    time: float
    author: str
    reviewers: tuple[str, ...]
    files: tuple[str, ...]


def _row(row: Any, where: str) -> Row:
    try:
        time, author, reviewers, files = row["time"], row["author"], row["reviewers"], row["files"]
        named = [author, *reviewers, *files]
    except (KeyError, TypeError) as error:
        raise RowsError(f"{where}: a row needs time, author, reviewers and files ({error})") from error
    if isinstance(time, bool) or not isinstance(time, int | float) or not math.isfinite(time):
        raise RowsError(f"{where}: time must be a number of seconds")
    if (
        isinstance(reviewers, str)
        or isinstance(files, str)
        or not all(isinstance(text, str) for text in named)
    ):
        raise RowsError(f"{where}: author is text, reviewers and files are lists of it")
    others = tuple(dict.fromkeys(name for name in reviewers if name != author))
    return Row(float(time), author, others, tuple(files))


@dataclass
class References:
    """The rankers that are not learned, fed commit by commit."""

    recent: deque[Commit] = field(default_factory=deque)
    active: Counter[int] = field(default_factory=Counter)
    reviewed: deque[tuple[Commit, set[str], set[str]]] = field(default_factory=lambda: deque(maxlen=400))
    commits: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    days: dict[str, dict[int, set[int]]] = field(default_factory=lambda: defaultdict(dict))

    def learn(self, commit: Commit) -> None:
        """Take a commit in."""
        for path in commit.files:
            for who in (commit.author, *commit.reviewers):
                self.commits[path][who] += 1
                self.days[path].setdefault(who, set()).add(math.floor(commit.at))
        if commit.reviewers:
            self.recent.append(commit)
            self.active.update(commit.reviewers)
            self.reviewed.append((commit, set(commit.files), _folders(commit.files)))

    def rank(self, commit: Commit) -> dict[str, list[int]]:
        """Each ranker's people for a commit, best first, never its author."""
        while self.recent and math.floor(self.recent[0].at) < math.floor(commit.at) - 90:
            self.active.subtract(self.recent.popleft().reviewers)
        votes: dict[str, Votes] = {
            "popular": {who: float(n) for who, n in self.active.items()},
            "chrev": self.chrev(commit),
            "knn": self.knn(commit),
        }
        return {name: _ordered(given, commit.author) for name, given in votes.items()}

    def chrev(self, commit: Commit) -> Votes:
        """Over the files: share of the commits, share of the days, and nearness to the last day."""
        votes: dict[int, float] = defaultdict(float)
        for path in commit.files:
            counts, days = self.commits.get(path), self.days.get(path)
            if not counts or not days:
                continue
            total, every = sum(counts.values()), len(set().union(*days.values()))
            newest = max(max(each) for each in days.values())
            for who, count in counts.items():
                mine = days[who]
                votes[who] += count / total + len(mine) / every + 1 / (1 + newest - max(mine))
        return votes

    def knn(self, commit: Commit) -> Votes:
        """Votes of the same author's commits; a millionth of popularity breaks ties."""
        votes: dict[int, float] = defaultdict(float, {who: n * 1e-6 for who, n in self.active.items()})
        files, folders = set(commit.files), _folders(commit.files)
        for past, its_files, its_folders in self.reviewed:
            if past.author != commit.author:
                continue
            like = 0.2 + _jaccard(folders, its_folders) + _jaccard(files, its_files)
            for who in past.reviewers:
                votes[who] += like * 0.5 ** (max(commit.at - past.at, 0) / 30)
        return votes


def _folders(files: Iterable[str]) -> set[str]:
    return {path.rpartition("/")[0] for path in files}


def _jaccard(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other) if one or other else 0.0


def _ordered(votes: Votes, author: int) -> list[int]:
    held = [(-score, who) for who, score in votes.items() if score > 0 and who != author]
    return [who for _, who in sorted(held)]


class Scores(NamedTuple):
    """One ranker over all scored commits."""

    top1: float
    top3: float
    top5: float
    mrr: float


def scores(ranked: Sequence[Sequence[int]], commits: Sequence[Commit]) -> Scores:
    """Share of commits with a true reviewer among the first 1, 3, 5; mean reciprocal rank of the first."""
    firsts = [
        next((at for at, who in enumerate(people) if who in commit.reviewers), math.inf)
        for people, commit in zip(ranked, commits, strict=True)
    ]
    count = len(firsts)
    one, three, five = (sum(first < k for first in firsts) / count for k in (1, 3, 5))
    return Scores(one, three, five, sum(1 / (first + 1) for first in firsts) / count)


@dataclass
class Replay:
    """What a replay came to: people ranked for each scored commit, by ranker, and ours in full."""

    scored: list[Commit]
    ranked: dict[str, list[list[int]]]
    ours: list[Ranking]
    milliseconds: list[float]
    fit_seconds: list[float]


def replay(commits: list[Commit], people: int, config: ReviewersConfig, refit: int) -> Replay:
    """Rank the last 30 % of reviewed commits, each by what was visible `config.delay` days before."""
    past = Past.of(commits, people)
    places = [at for at, commit in enumerate(commits) if commit.reviewers]
    first = int(len(places) * (1 - SCORED))
    examples: list[Example] = []
    done = Replay([], defaultdict(list), [], [], [])
    references, fed = References(), 0
    booster: Booster | None = None
    for number, place in enumerate(places):
        commit = commits[place]
        if number >= first:
            high = min(place, int(np.searchsorted(past.at, commit.at - config.delay, side="right")))
            for other in commits[fed:high]:
                references.learn(other)
            fed = high
            if (number - first) % refit == 0:
                begun = time.process_time()
                booster = fit(examples, config)
                done.fit_seconds.append(time.process_time() - begun)
            for name, ranked in references.rank(commit).items():
                done.ranked[name].append(ranked)
            begun = time.perf_counter()
            ranking = order(evidence_before(past, past.question(place), high), booster, config)
            done.milliseconds.append((time.perf_counter() - begun) * 1e3)
            done.scored.append(commit)
            done.ours.append(ranking)
            done.ranked["ours"].append(ranking.people.tolist())
        if number >= first - config.learn:
            # Only now: what is learned from a commit comes after it was ranked. With a delay, its
            # reviewers become known a day later; fits are rarer than that by far.
            found = example(past, place, config)
            examples += [found] if found else []
    return done


class Consequences(NamedTuple):
    """If these people had reviewed: how concentrated the work, how many files one person alone knows."""

    gini: float
    at_risk: int
    first: float
    """Mean reciprocal rank of this order."""


def consequences(commits: list[Commit], done: Replay) -> dict[str, Consequences]:
    """What happened, beside our order and the spread-aware one, each with as many reviewers as were."""
    orders: dict[str, list[list[int]]] = {
        "really": [list(commit.reviewers) for commit in done.scored],
        "plain": done.ranked["ours"],
        "spread": [],
    }
    knowledge = Knowledge()
    begin = len(commits) - 1 - commits[::-1].index(done.scored[0])
    load = Load()
    for commit in commits[:begin]:
        knowledge.learn(commit, commit.reviewers)
        load.add(commit.reviewers, commit.at)
    ranking = iter(done.ours)
    for commit in commits[begin:]:
        if commit.reviewers:
            found = next(ranking)
            people = found.people.tolist()
            gain = knowledge.gain(commit, people)
            recent = np.array([load.of(who, commit.at) for who in people])
            asked = found.people[spread(found, gain, recent)].tolist()
            orders["spread"].append(asked)
            # Advice that is followed becomes load, and knowledge: that is what it is judged by next.
            load.add(asked[: len(commit.reviewers)], commit.at)
            knowledge.learn(commit, asked[: len(commit.reviewers)])
        else:
            knowledge.learn(commit, ())
    usual = {who for commit in done.scored for who in commit.reviewers}
    return {name: _consequence(commits, begin, people, usual, done.scored) for name, people in orders.items()}


def _consequence(
    commits: list[Commit], begin: int, orders: list[list[int]], usual: set[int], scored: list[Commit]
) -> Consequences:
    counts: Counter[int] = Counter(dict.fromkeys(usual, 0))
    knowledge = Knowledge()
    for commit in commits[:begin]:
        knowledge.learn(commit, commit.reviewers)
    following = iter(orders)
    touched: set[str] = set()
    for commit in commits[begin:]:
        asked = next(following)[: len(commit.reviewers)] if commit.reviewers else []
        counts.update(asked)
        knowledge.learn(commit, asked)
        touched.update(commit.files)
    now = commits[-1].at
    active = {
        who
        for commit in commits
        if now - commit.at <= ACTIVE_DAYS
        for who in (commit.author, *commit.reviewers)
    }
    at_risk = sum(1 for path in touched if len(knowledge.knowers(path, now) & active) <= 1)
    return Consequences(gini(np.array(list(counts.values()), float)), at_risk, scores(orders, scored).mrr)


class Load:
    """Reviews of each person, fading."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[float, float]] = {}

    def of(self, who: int, at: float) -> float:
        """How many weigh on somebody at a time (days)."""
        count, last = self._held.get(who, (0.0, at))
        return float(count * 0.5 ** ((at - last) / LOAD_DAYS))

    def add(self, people: Iterable[int], at: float) -> None:
        """These reviewed something."""
        for who in people:
            self._held[who] = self.of(who, at) + 1, at


class Knowledge:
    """Who wrote or reviewed a file, and when they last did."""

    def __init__(self) -> None:
        self._last: dict[str, dict[int, float]] = defaultdict(dict)

    def learn(self, commit: Commit, reviewers: Iterable[int]) -> None:
        """Take a commit in, as if these had reviewed it."""
        for path in commit.files:
            for who in (commit.author, *reviewers):
                self._last[path][who] = commit.at

    def knowers(self, path: str, now: float) -> set[int]:
        """Those who touched or reviewed it of late."""
        return {who for who, at in self._last.get(path, {}).items() if now - at <= KNOWN_DAYS}

    def gain(self, commit: Commit, people: Sequence[int]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """For each candidate the share of files that fewer than two know, themselves and the author apart."""
        held = [self.knowers(path, commit.at) for path in commit.files]
        thin = [known for known in held if len(known | {commit.author}) < 2]
        return np.array([sum(who not in known for known in thin) / max(1, len(held)) for who in people])


def measure(path: Path, config: ReviewersConfig, refit: int) -> dict[str, float]:
    """Replay without and with a day's delay; print tables; the figures by name."""
    commits, people = read_rows(path)
    figures: dict[str, float] = {}
    for delay, suffix in ((0.0, ""), (1.0, "_1d")):
        done = replay(commits, people, replace(config, delay=delay), refit)
        print(f"\n{path.name}: {len(done.scored):,} reviewed commits, delay {delay:g} days")
        print(f"{'':10}{'top1':>8}{'top3':>8}{'top5':>8}{'mrr':>8}")
        for name, ranked in done.ranked.items():
            found = scores(ranked, done.scored)
            print(f"{name:10}" + "".join(f"{value:8.3f}" for value in found))
            beside = "" if name == "ours" else f"{name}_"
            for figure, value in found._asdict().items():
                figures[f"{beside}{figure}{suffix}"] = round(value, 4)
        spans = np.array(done.milliseconds)
        print(f"{np.median(spans):.2f} ms a change at the median, {np.quantile(spans, 0.99):.2f} at the 99th")
        print(f"{len(done.fit_seconds)} fits of {np.median(done.fit_seconds):.1f} s of processor time")
        figures[f"ms_p50{suffix}"] = round(float(np.median(spans)), 3)
        figures[f"fit_s{suffix}"] = round(float(np.median(done.fit_seconds)), 2)
        print(f"{'':10}{'gini':>8}{'at risk':>8}{'mrr':>8}")
        for name, came in consequences(commits, done).items():
            print(f"{name:10}{came.gini:8.3f}{came.at_risk:8,}{came.first:8.3f}")
            figures[f"gini_{name}{suffix}"] = round(came.gini, 4)
            figures[f"files_at_risk_{name}{suffix}"] = came.at_risk
            if name == "spread":
                figures[f"spread_mrr{suffix}"] = round(came.first, 4)
    return figures


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", type=Path, nargs="+")
    parser.add_argument("--refit", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if asked.refit < 1:
        parser.error("--refit must be 1 or more")
    config = ReviewersConfig(boost=BoostConfig(seed=asked.seed))
    for path in asked.rows:
        on = path.name.removesuffix(".jsonl.gz")
        try:
            figures = measure(path, config, asked.refit)
        except RowsError as error:
            raise SystemExit(f"Error: {error}") from error
        print_table(figures, LIMITS.get(on, {}))
        print_figures("reviewers", on, figures)


if __name__ == "__main__":
    main()
