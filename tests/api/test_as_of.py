"""Questions as of a date or revision: by the command line and GraphQL, and what is refused."""

from __future__ import annotations

import os
from datetime import datetime

import pytest
from applications import create
from starlette.testclient import TestClient

QUESTION = """
query($of: String!) {
  impact(symbol: "tax", asOf: $of) { head { run commit at } reached { node { name } } }
  path(from: "total", to: "tax", asOf: $of) { head { at } paths { tier } }
  search(query: "refund", asOf: $of) { head { commit } nodes { name } }
}
"""


def written(maestro, clone, files):
    """Index a shop where a second function comes to use the tax, and then the first no longer does."""
    commits = [clone.commit("A shop", files)]
    maestro.json("index", str(clone.root))
    prices = files["shop/prices.py"]
    more = prices + "\n\ndef refund(amount):\n    return -tax(amount)\n"
    for text in (more, more.replace("amount + tax(amount)", "amount")):
        commits.append(clone.commit("Change", {"shop/prices.py": text}))
        maestro.json("index", str(clone.root))
    return commits


@pytest.fixture(scope="module")
def made(indexed, shop, tmp_path_factory):
    """Makes shops with a past: a command line, a clone, and its commits."""
    names = shop.git("ls-tree", "-r", "--name-only", "first").split()
    files = {name: shop.git("show", f"first:{name}") for name in names}

    def make(tenant, **given):
        own = {"MAESTRO_TENANT": f"{tenant}{os.getpid()}", "MAESTRO_ENGINE": "off", "MAESTRO_HISTORY": "off"}
        maestro = type(indexed)({**indexed.environment, **own, **given})
        clone = type(shop)(tmp_path_factory.mktemp(tenant) / "shop")
        return maestro, clone, written(maestro, clone, files)

    return make


@pytest.fixture(scope="module")
def past(made):
    """One of them; tests only ask."""
    return made("past")


@pytest.fixture
def told(past):
    return past[2]


@pytest.fixture
def maestro(past):
    return past[0]


def names(entries):
    return {entry["symbol"]["name"].rpartition("::")[2] for entry in entries}


def test_a_symbol_reaches_what_it_reached_then(maestro, told):
    today = maestro.json("impact", "tax")
    assert "refund" in names(today["reached"]) and "total" not in names(today["reached"])
    assert today["at"] == ""
    first = maestro.json("impact", "tax", "--as-of", told[0])
    assert "total" in names(first["reached"]) and "refund" not in names(first["reached"])
    assert names(first["tests"]) == {"test_sum"}
    assert (first["indexed"], first["run"]) == (told[0], 1)
    second = maestro.json("impact", "tax", "--as-of", "HEAD~1")
    assert {"total", "refund"} <= names(second["reached"])
    by_time = maestro.json("impact", "tax", "--as-of", first["at"])
    assert by_time["reached"] == first["reached"] and by_time["run"] == 1
    assert maestro.json("impact", "tax", "--as-of", "2999-01-01")["reached"] == today["reached"]
    said = maestro("impact", "tax", "--as-of", told[0])
    assert "as of 20" in " ".join(said.stdout.split())


def test_paths_search_and_export_tell_the_past_too(maestro, told):
    assert maestro.json("path", "total", "tax")["paths"] == []
    then = maestro.json("path", "total", "tax", "--as-of", told[1])
    assert then["direction"] == "depends" and datetime.fromisoformat(then["at"])
    assert "As of " in maestro("path", "total", "tax", "--as-of", told[1]).stdout
    assert maestro.json("search", "refund")["results"]
    assert not maestro.json("search", "refund", "--as-of", told[0])["results"]
    assert "As of " in maestro("search", "refund", "--as-of", told[1]).stdout
    rows = [len(maestro.json("export", "calls", "--as-of", commit)["rows"]) for commit in told]
    assert rows[0] + 1 == rows[1] == rows[2] + 1


def test_graphql_takes_the_same_argument(maestro, told):
    with TestClient(create(maestro.settings), base_url="http://localhost") as web:
        body = {"query": QUESTION, "variables": {"of": told[0]}}
        found = web.post("/graphql", json=body).json()["data"]
        assert found["impact"]["head"]["commit"] == found["search"]["head"]["commit"] == told[0]
        assert found["impact"]["head"]["at"] and found["path"]["paths"] and not found["search"]["nodes"]
        assert "refund" not in {each["node"]["name"] for each in found["impact"]["reached"]}
        body["variables"]["of"] = "1999-01-01"
        refused = web.post("/graphql", json=body).json()["errors"]
        assert {each["extensions"]["code"] for each in refused} == {"NOT_FOUND"}


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (("impact", "tax", "--as-of", "1999-01-01"), "not indexed yet"),
        (("impact", "tax", "--as-of", "2026-99-01"), "not a date"),
        (("impact", "tax", "--as-of", "0001-01-01"), "out of reach"),
        (("impact", "tax", "--as-of", "nobody"), "no revision"),
        (("impact", "refund", "--as-of", "HEAD~2"), "refund"),
        (("impact", "HEAD~1..HEAD", "--as-of", "HEAD~1"), "cannot be asked as of another time"),
        (("impact", "main", "--as-of", "HEAD~1"), "main"),
        (("search", "tax", "--as-of", "2020"), "no revision"),
    ],
)
def test_what_cannot_be_told_is_refused_in_words(maestro, told, asked, says):
    done = maestro(*asked)
    assert done.exit_code not in (0, 1), done.output
    assert says in " ".join(done.stderr.split())


def test_a_commit_that_was_never_indexed_is_refused(past):
    maestro, clone, told = past
    commit = clone.commit("Later", {"README.md": "# Later\n"})
    done = maestro("impact", "tax", "--as-of", commit)
    assert "was never indexed at" in " ".join(done.stderr.split()) and told[2][:12] in done.stderr


def test_what_was_pruned_is_refused_and_a_dry_run_prunes_nothing(made):
    maestro, _, told = made("pruned", MAESTRO_KEEP="1")
    would = maestro.json("prune", "--dry-run")
    assert would["dry_run"] and would["removed"] > 0
    assert "would be removed" in maestro("prune", "--dry-run").stdout
    assert maestro.json("impact", "tax", "--as-of", told[0])["indexed"] == told[0]
    done = maestro.json("prune")
    assert not done["dry_run"] and done["removed"] == would["removed"]
    refused = maestro("impact", "tax", "--as-of", told[0])
    said = " ".join(refused.stderr.split())
    assert "was pruned since" in said and told[1][:12] in said
    assert "refund" in names(maestro.json("impact", "tax", "--as-of", told[2])["reached"])
    assert maestro("doctor").exit_code == 0


def test_what_is_shown_of_a_symbol_is_what_it_was(made):
    """Its lines, what it is, and its file, each of which has changed since."""
    maestro, clone, told = made("shown")
    prices = (clone.root / "shop/prices.py").read_text("utf-8")
    lower = "\n" * 7 + prices.replace("def refund(amount):\n    return", "class refund:\n    rate =")
    clone.commit("Lower, and a class", {"shop/prices.py": lower.replace("-tax(amount)", "-tax(1)")})
    maestro.json("index", str(clone.root))
    clone.git("mv", "shop/prices.py", "shop/costs.py")
    moved = clone.commit("Elsewhere", {})
    maestro.json("index", str(clone.root))

    def shown(*asked):
        results = maestro.json("search", "refund", *asked)["results"]
        (found,) = (each for each in results if each["name"] == "refund")
        return found["path"], found["line"], found["sort"]

    line = prices[: prices.index("def refund")].count("\n") + 1
    assert shown() == shown("--as-of", moved) == ("shop/costs.py", line + 7, "class")
    assert shown("--as-of", "HEAD~1") == ("shop/prices.py", line + 7, "class")
    assert shown("--as-of", told[2]) == shown("--as-of", told[1]) == ("shop/prices.py", line, "function")
    reached = maestro.json("impact", "tax", "--as-of", told[1])["reached"]
    (refund,) = (each["symbol"] for each in reached if each["symbol"]["name"].endswith("refund"))
    assert (refund["path"], refund["line"], refund["sort"]) == ("shop/prices.py", line, "function")
