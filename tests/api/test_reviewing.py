"""`maestro reviewers` on a real store: who is named, who never is, and every input that cannot be used."""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path

import pytest
from applications import create
from starlette.testclient import TestClient

from api.reviewing import Asking
from graph.errors import InputError

DAY = 86_400
BEGIN = 1_700_000_000
PRICES = (
    "RATE = 7\n\n\ndef tax(amount):\n    return amount * RATE\n\n\n"
    "def total(amount):\n    return amount + tax(amount)\n"
)
CART = (
    "from shop.prices import total\n\n\ndef checkout(amounts):\n    return sum(total(a) for a in amounts)\n"
)
ANN, BOB, CLEO, DAN, EVE = (
    f"{name} <{name.lower()}@example.org>" for name in ("Ann", "Bob", "Cleo", "Dan", "Eve")
)


class Team:
    """A repository written by several people at chosen times, through `git fast-import`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.git("init", "-q", "-b", "main")
        self.marks = 0
        self.day = 0.0

    def git(self, *arguments: str, data: bytes = b"") -> str:
        done = subprocess.run(["git", *arguments], cwd=self.root, input=data, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def commit(
        self, who: str, message: str, files: dict[str, str], *, days: float = 1, branch: str = "main"
    ) -> str:
        self.day += days
        at = f"{BEGIN + int(self.day * DAY)} +0000"
        said = message.encode()
        known = self.git("for-each-ref", f"refs/heads/{branch}")
        stream = [f"commit refs/heads/{branch}", f"author {who} {at}", f"committer {who} {at}"]
        body = "\n".join(stream).encode() + b"\ndata %d\n%s\n" % (len(said), said)
        body += f"from refs/heads/{branch}^0\n".encode() if known else b""
        for path, text in files.items():
            body += f"M 100644 inline {path}\n".encode() + b"data %d\n%s\n" % (
                len(text.encode()),
                text.encode(),
            )
        self.git("fast-import", "--quiet", "--force", data=body)
        return self.git("rev-parse", branch)


@pytest.fixture(scope="session")
def team(tmp_path_factory):
    """Bob reviews what Ann writes, Cleo wrote the cart, Dan left long ago, Eve is known by two addresses."""
    made = Team(tmp_path_factory.mktemp("team") / "team")
    mailmap = "Eve <eve@example.org> <eve@old.example>\n"
    owners = "* @everyone\n/shop/prices.py @money bob@example.org\n"
    made.commit(
        DAN,
        "Begin",
        {"shop/__init__.py": "", "shop/prices.py": PRICES, ".mailmap": mailmap, "CODEOWNERS": owners},
    )
    made.commit(CLEO, "A cart\n\nReviewed-by: Dan <dan@example.org>", {"shop/cart.py": CART})
    for number in range(8):
        made.commit(
            ANN,
            f"Rate\n\nReviewed-by: {BOB}",
            {"shop/prices.py": PRICES.replace("7", str(number + 10))},
            days=30,
        )
    made.commit("Eve <eve@old.example>", "Docs", {"docs/use.md": "Use it.\n"}, days=5)
    made.commit(
        "dependabot[bot] <49699333+dependabot[bot]@users.noreply.github.com>",
        "Bump",
        {"shop/prices.py": PRICES},
    )
    made.commit(
        CLEO, f"Sum\n\nReviewed-by: {EVE}", {"shop/cart.py": CART.replace("in amounts)", "in amounts or [])")}
    )
    made.git("branch", "base")
    made.commit(ANN, "Double", {"shop/prices.py": PRICES.replace("amount * RATE", "2 * amount * RATE")})
    return made


@pytest.fixture(scope="session")
def reviewed(indexed, team):
    maestro = type(indexed)({**indexed.environment, "MAESTRO_ENGINE": "off"})
    done = maestro("index", str(team.root))
    assert done.exit_code == 0, done.output
    return maestro


def advised(found):
    return [each["person"]["address"] for each in found["reviewers"]]


def reasons(found, address):
    (each,) = [each for each in found["reviewers"] if each["person"]["address"] == address]
    return {reason["kind"]: reason for reason in each["reasons"]}


@pytest.fixture(scope="session")
def answered(reviewed):
    return reviewed.json("reviewers", "base..main", "--repo", "team", "--count", "100")


def test_who_reviews_the_author_comes_first_and_says_why(answered, team):
    assert answered["maestro"] == {"shape": "reviewers", "version": 1}
    assert advised(answered)[0] == "bob@example.org"
    said = reasons(answered, "bob@example.org")
    assert said["reviewed author"]["commits"] == 8 and said["reviewed author"]["how"] == "trailer"
    assert "reviewed what Ann wrote (8 times" in said["reviewed author"]["sentence"]
    assert said["reviewed file"]["commits"] == 8
    assert answered["basis"]["method"] == "rule" and answered["basis"]["reviews"] == 10


def test_paths_lead_from_the_change_by_a_commit_to_the_person(answered):
    assert answered["reviewers"]
    for each in answered["reviewers"]:
        assert each["reasons"], each["person"]
        for reason in each["reasons"]:
            path = reason["path"]
            assert all(a["target"]["key"] == b["source"]["key"] for a, b in itertools.pairwise(path))
            assert path[-1]["target"]["key"] == each["person"]["key"]
            assert path[-1]["source"]["kind"] == "Change" and path[-1]["edge"] == "Authored"
            assert reason["newest"] in path[-1]["source"]["key"]


def test_who_knows_a_symbol_that_the_change_reaches_is_named_with_the_proof(answered):
    known = reasons(answered, "cleo@example.org")["knows symbol"]
    assert "changed checkout, 2 steps from what this changes" in known["sentence"]
    assert [step["edge"] for step in known["path"]] == ["Calls", "Calls", "Authored", "Authored"]
    assert known["path"][0]["source"]["name"] == "tax"


def test_the_author_and_bots_never_appear_and_aliases_are_one(answered):
    everybody = [*advised(answered), *(each["person"]["address"] for each in answered["absent"])]
    assert "ann@example.org" not in everybody
    assert not any("dependabot" in address for address in everybody)
    assert "eve@example.org" in everybody and "eve@old.example" not in everybody
    assert [each["address"] for each in answered["authors"]] == ["ann@example.org"]


def test_who_left_is_passed_over_and_it_is_said_to_be_inferred(answered):
    assert "dan@example.org" not in advised(answered)
    (dan,) = [each for each in answered["absent"] if each["person"]["address"] == "dan@example.org"]
    assert dan["inferred"] and "months before" in dan["why"]


def test_what_the_rules_demand_stands_apart(answered):
    (rule,) = answered["obligations"]
    assert rule["owners"] == ["@money", "bob@example.org"] and rule["files"] == ["shop/prices.py"]
    assert (rule["file"], rule["line"], rule["approvals"]) == ("CODEOWNERS", 2, 1)
    assert "@money" not in advised(answered)


def test_the_change_itself_and_what_came_later_say_nothing(reviewed, team):
    found = reviewed.json("reviewers", "base", "--repo", "team")
    assert [each["address"] for each in found["authors"]] == ["cleo@example.org"]
    assert "eve@example.org" not in [
        each["person"]["address"]
        for each in found["reviewers"]
        if any(reason["kind"] == "reviewed author" for reason in each["reasons"])
    ], "that Eve reviewed this very commit was not known before it"
    assert all(reason["at"] <= found["at"] for each in found["reviewers"] for reason in each["reasons"])


def test_a_diff_has_an_author_only_where_one_is_named(reviewed, team):
    diff = team.git("diff", "base", "main") + "\n"
    found = reviewed.json("reviewers", "--diff", "-", "--rev", "base", "--repo", "team", input=diff)
    assert found["authors"] == [] and any("--author" in note for note in found["notes"])
    assert "ann@example.org" in advised(found)
    for who in ("ann@example.org", "Ann", "Ann <ANN@example.org>"):
        named = reviewed.json(
            "reviewers", "--diff", "-", "--rev", "base", "--author", who, "--repo", "team", input=diff
        )
        assert advised(named)[0] == "bob@example.org" and "ann@example.org" not in advised(named)


def test_who_is_away_is_passed_over_with_the_reason(reviewed, team, tmp_path):
    place = tmp_path / "away.jsonl"
    place.write_text(
        '{"person": "Bob", "why": "on leave"}\n{"person": "@nobody"}\n{"person": "Cleo", "to": "2001-01-01"}'
    )
    found = reviewed.json("reviewers", "base..main", "--repo", "team", "--absences", str(place))
    assert "bob@example.org" not in advised(found) and "cleo@example.org" in advised(found)
    assert {"why": "on leave", "inferred": False}.items() <= found["absent"][0].items()
    assert any("@nobody is said to be away" in note for note in found["notes"])
    by_setting = type(reviewed)({**reviewed.environment, "MAESTRO_ABSENCES": str(place)})
    assert advised(by_setting.json("reviewers", "base..main", "--repo", "team")) == advised(found)


def test_people_read_it_too(reviewed, team):
    done = reviewed("reviewers", "base..main", "--repo", "team", "--all", "--spread")
    assert done.exit_code == 0
    for words in (
        "Ask",
        "spread over more people",
        "Bob <bob@example.org>",
        "Must approve",
        "@money",
        "Passed over",
    ):
        assert words in done.stdout, words


def test_the_spread_order_names_those_who_come_first_in_it(reviewed, answered):
    found = reviewed.json("reviewers", "base..main", "--repo", "team", "--spread", "--count", "2")
    assert [each["spread"] for each in found["reviewers"]] == [1, 2]
    everyone = sorted(each["spread"] for each in answered["reviewers"])
    assert everyone == [number + 1 for number in range(len(everyone))]


def test_an_author_under_an_address_that_no_mailmap_knows_is_not_advised(maestro, tmp_path):
    made = Team(tmp_path / "alias")
    made.commit("Ann <ann@old.example>", "One", {"a.py": "x = 1\n"})
    made.commit(BOB, "Two", {"a.py": "x = 2\n"})
    made.commit(ANN, "Three", {"a.py": "x = 3\n"})
    maestro.json("index", str(made.root))
    assert advised(maestro.json("reviewers", "main")) == ["bob@example.org"]


def test_who_is_away_today_is_passed_over_for_what_is_new_and_not_for_what_is_old(reviewed, tmp_path):
    place = tmp_path / "away.jsonl"
    place.write_text('{"person": "Bob", "from": "2025-01-01"}')
    new = reviewed.json("reviewers", "base..main", "--repo", "team", "--absences", str(place))
    old = reviewed.json("reviewers", "main~4", "--repo", "team", "--absences", str(place))
    assert "bob@example.org" not in advised(new) and "bob@example.org" in advised(old)


def test_hostile_names_drive_no_terminal(reviewed, tmp_path):
    made = Team(tmp_path / "odd")
    odd = "\x1b[31mRed\x1b[0m [bold]x[/bold] <odd@example.org>"
    made.commit(odd, "One", {"a.py": "x = 1\n"})
    made.commit(ANN, "Two", {"a.py": "x = 2\n"})
    assert reviewed("index", str(made.root)).exit_code == 0
    done = reviewed("reviewers", "main", "--repo", "odd")
    assert done.exit_code == 0 and "\x1b" not in done.stdout and "[bold]x[/bold]" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--count", "0"), 2, "0 reviewers"),
        (("--count", "101"), 2, "101 reviewers"),
        (("no..where",), 3, "no revision"),
        (("base..main", "--author", "Bbo"), 3, "Did you mean Bob?"),
        (("base..main", "--absences", "/nowhere/at/all"), 2, "cannot be read"),
        (("base..main", "--diff", "-"), 2, "Ask about one of them"),
        (("--diff", "/nowhere/at/all"), 2, "cannot be read"),
        (("base..main", "--repo", "teem"), 3, "team"),
    ],
)
def test_what_cannot_be_asked_is_said_with_its_exit_code(reviewed, arguments, code, said):
    repo = () if "--repo" in arguments else ("--repo", "team")
    done = reviewed("reviewers", *arguments, *repo, "--json")
    assert done.exit_code == code, done.output
    told = json.loads(done.stdout)
    assert told["maestro"]["shape"] == "error" and said in f"{told['message']} {told['hint']}"


def test_bad_absences_name_their_line(reviewed, tmp_path):
    place = tmp_path / "away.jsonl"
    place.write_text('{"person": "Bob"}\n{"person": 4}')
    done = reviewed("reviewers", "base..main", "--repo", "team", "--absences", str(place))
    assert done.exit_code == 2 and "Line 2" in done.stderr


def test_without_a_history_it_says_what_to_do(maestro, clone):
    bare = type(maestro)({**maestro.environment, "MAESTRO_HISTORY": "off"})
    bare.json("index", str(clone.root))
    done = bare("reviewers", "HEAD")
    assert done.exit_code == 3 and "MAESTRO_HISTORY=on" in done.stderr


def test_a_repository_of_one_names_nobody_and_says_so(indexed):
    found = indexed.json("reviewers", "second", "--repo", "shop")
    assert found["reviewers"] == [] and found["authors"][0]["name"] == "Ann"
    assert any("nobody else" in note for note in found["notes"])
    assert {each["owners"][0] for each in found["obligations"]} == {"@money"}


def test_reviews_of_a_forge_are_taken_in(maestro, tmp_path):
    made = Team(tmp_path / "forge")
    first = made.commit(ANN, "One", {"a.py": "x = 1\n"})
    made.commit(BOB, "Two", {"a.py": "x = 2\n"})
    made.commit(ANN, "Three", {"a.py": "x = 3\n"})
    maestro.json("index", str(made.root))
    place = tmp_path / "reviews.jsonl"
    rows = [
        {"commits": [first[:12]], "reviewers": [DAN, "bors[bot] <b@x>"]},
        {"state": "open", "reviewers": ["dan@example.org"]},
    ]
    place.write_text("\n".join(map(json.dumps, rows)))
    maestro.json("index", str(made.root), "--reviews", str(place))
    found = maestro.json("reviewers", "main")
    assert set(advised(found)) == {"bob@example.org", "dan@example.org"}
    assert reasons(found, "dan@example.org")["reviewed author"]["how"] == "export"
    assert {each["person"]["name"]: each["waiting"] for each in found["reviewers"]} == {"Bob": 0, "Dan": 1}
    place.write_text('{"commits": 3, "reviewers": []}')
    done = maestro("index", str(made.root), "--reviews", str(place))
    assert done.exit_code == 2 and "Line 1" in done.stderr
    assert maestro("index", str(made.root), "--reviews", str(tmp_path / "none")).exit_code == 2
    assert advised(maestro.json("reviewers", "main")) == advised(found), "a bad export changes nothing"


QUERY = """
query($range: String, $diff: String, $count: Int! = 5, $author: String! = "") {
  reviewers(repository: "team", range: $range, diff: $diff, count: $count, author: $author) {
    head { run commit } authors { address }
    reviewers {
      person { name address } score spread
      reasons { kind sentence path { edge target { kind name } } }
    }
    obligations { owners rule line } absent { person { name } inferred } basis { method reviews }
  }
}
"""


def test_graphql_says_the_same(reviewed, answered):
    with TestClient(create(reviewed.settings), base_url="http://localhost") as web:

        def ask(**variables):
            return web.post("/graphql", json={"query": QUERY, "variables": variables}).json()

        found = ask(range="base..main", count=100)["data"]["reviewers"]
        assert [each["person"]["address"] for each in found["reviewers"]] == advised(answered)
        assert found["reviewers"][0]["reasons"][0]["path"][-1]["target"]["kind"] == "OWNER"
        assert found["obligations"][0]["rule"] == "/shop/prices.py"
        for bad in (
            {},
            {"range": "base", "diff": "x"},
            {"range": "base", "count": 0},
            {"range": "base", "author": "?"},
        ):
            assert ask(**bad)["errors"][0]["extensions"]["code"] in ("BAD_INPUT", "NOT_FOUND"), bad


def test_a_count_out_of_bounds_is_refused():
    with pytest.raises(InputError, match="0 reviewers"):
        Asking(count=0)
