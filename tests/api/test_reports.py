"""Reports: what stands in them, and that no name from a repository becomes anything but a name."""

from __future__ import annotations

import json
import re
import stat
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api import documents
from api.documents import Changed, Impact, Owning, Reached, SelectedTest, Step, Symbol
from api.reports.findings import Findings
from api.reports.markdown import code, write_markdown
from api.reports.page import write_page
from api.reports.sarif import MOST, write_sarif
from api.review_documents import Advice, Basis, Behind, Demanded, Person, Reviewers, Risk

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'); DROP--",
    "`](javascript:alert(1))`",
    "``` \n# heading",
    "|cell|\\|",
    "@everyone #1 [x](http://example.org)",
    "{0} {{1}} [a](b)",
    "--> end\n  click n0 callback",
    "\x1b[31mred\x00\u202egnp.exe",
    "\udc80lone\ud800",
    "</style></title></svg>",
    "]]>&amp;&#x41;",
    "%2e%2e/a b?c#d:e",
]


def findings(word: str, tests: int = 1) -> Findings:
    """Everything that a repository can name is called so."""
    start = Symbol(key=f"s:{word}", kind="Symbol", sort="function", name=word, path=f"{word}.py", line=3)
    end = Symbol(
        key=f"e:{word}", kind="Symbol", sort="function", name=f"{word}!", path=f"d/{word}.py", line=0
    )
    case = Symbol(key=f"e:{word}", kind="Test", name="test_it", path="tests/test_a.py", line=7)
    step = Step(source=start, target=end, edge="Calls", tier="exact", path=end.path, line=4)
    last = Step(source=end, target=case, edge="Realises", tier="hierarchy")
    person = Person(key=word, name=word, address=word)
    behind = Behind(kind="wrote file", sentence=word, commits=1, newest="ab" * 20, at=0)
    reviewers = Reviewers(
        repository="r",
        asked=word,
        run=1,
        indexed="c" * 40,
        at=0,
        basis=Basis(method="rule", commits=1, reviews=1),
        reviewers=(
            Advice(
                person=person,
                score=0.5,
                chance=0.5,
                expertise=0,
                spread=1,
                reviews=0,
                waiting=0,
                last=0,
                reasons=(behind,),
            ),
        ),
        obligations=(Demanded(owners=(word,), files=(word,), rule=word, file=word, line=1),),
        at_risk=(Risk(path=word, known_to=(person,)),),
    )
    impact = Impact(
        repository="r",
        asked=word,
        base="a" * 40,
        head="b" * 40,
        changed=(Changed(symbol=start, reasons=("body", word)),),
        reached=(Reached(symbol=end, distance=1, tier="exact", proof=(step,)),),
        tests=(Reached(symbol=case, distance=2, tier="hierarchy", proof=(step, last)),),
        owners=(Owning(owner=word, changed=1),),
    )
    chosen = tuple(
        SelectedTest(test=f"tests/test_a.py::test_it[{word}{number}]", reasons=((word, "test_it"),))
        for number in range(tests)
    )
    return Findings(
        impact,
        documents.Tests(repository="r", asked=word, selected=chosen),
        reviewers,
        (word.encode("unicode_escape").decode(),),
    )


class Reader(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.words.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


PLAIN = read(write_page(findings("plain")))


@pytest.mark.parametrize("word", HOSTILE)
def test_a_name_adds_nothing_to_a_page(word):
    page = write_page(findings(word))
    found = read(page)
    assert found.tags == PLAIN.tags and "script" not in found.tags
    assert found.attributes == PLAIN.attributes and not any(
        name.startswith("on") for name in found.attributes
    )
    assert not found.attributes & {"src", "href", "srcset", "action", "xlink:href"}
    page.encode("utf-8")
    assert "\x1b" not in page and "\u202e" not in page and "\x00" not in page


def test_a_page_forbids_itself_to_load_or_run_anything():
    page = write_page(findings("plain"))
    assert "default-src 'none'" in page and "http://" not in page and "https://" not in page
    assert {"svg", "details", "table"} <= PLAIN.tags
    words = " ".join(PLAIN.words)
    for shown in (
        "plain!",
        "d/plain.py",
        "Ask for a review",
        "Must approve",
        "Known to one person alone",
        "Owners",
    ):
        assert shown in words, shown


@pytest.mark.parametrize("word", HOSTILE)
def test_a_name_adds_nothing_to_markdown(word):
    text = write_markdown(findings(word))
    text.encode("utf-8")
    plain = write_markdown(findings("plain"))
    assert len(text.split("\n")) == len(plain.split("\n")), "a name breaks no line"
    before, picture, after = re.split(r"```mermaid\n(.*?)\n```", text, maxsplit=1, flags=re.DOTALL)
    # What is left once the code spans are out is ours.
    assert outside(before + after) == outside(
        "".join(re.split(r"```mermaid\n.*?\n```", plain, flags=re.DOTALL))
    )
    assert all(re.fullmatch(r"[ A-Za-z0-9_\[\]()\"<>/.,:;#|&%-]*", line) for line in picture.split("\n")), (
        picture
    )
    assert "<script" not in picture and "click" not in [
        line.split()[0] for line in picture.split("\n") if line.split()
    ]


def outside(text: str) -> str:
    """Markdown without its code spans: a run of backticks up to the next of the same length."""
    return re.sub(r"(?<!`)(`+)(?!`)(.*?)(?<!`)\1(?!`)", "·", text)


@given(st.text(max_size=40))
def test_a_code_span_holds_whatever_it_is_given(word):
    span = code(word)
    assert outside(span) == "·" and "\n" not in span
    assert not re.search(r"(?<!\\)\|", span)


ALLOWED = {
    "": {"$schema", "version", "runs"},
    "runs": {
        "tool",
        "automationDetails",
        "originalUriBaseIds",
        "columnKind",
        "invocations",
        "properties",
        "results",
    },
    "driver": {"name", "version", "rules"},
    "rules": {"id", "name", "shortDescription", "defaultConfiguration"},
    "results": {
        "ruleId",
        "ruleIndex",
        "level",
        "kind",
        "message",
        "locations",
        "partialFingerprints",
        "codeFlows",
    },
    "physicalLocation": {"artifactLocation", "region"},
    "artifactLocation": {"uri", "uriBaseId"},
    "region": {"startLine"},
    "message": {"text"},
}
"""What of SARIF's objects we use; the standard's schema allows no others than its own."""


def walk(value, name=""):
    """Every object with the property that holds it."""
    if isinstance(value, dict):
        yield name, value
        for key, inner in value.items():
            yield from walk(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner, name)


def check_sarif(text: str) -> dict:
    """The requirements of SARIF 2.1.0 on what we write: names, required properties, forms of values."""
    log = json.loads(text)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules)
    for name, value in walk(log):
        assert not ALLOWED.get(name) or value.keys() <= ALLOWED[name], (name, value.keys())
        if name == "message" or name == "shortDescription":
            assert value["text"] and not re.search(r"(?<!\{)(\{\{)*\{(?!\{)", value["text"])
            assert not re.search(r"(?<!\\)(\\\\)*[\[\]]", value["text"])
        if name == "artifactLocation":
            assert re.fullmatch(r"(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})+", value["uri"]), value
            assert value["uriBaseId"] in run["originalUriBaseIds"]
        if name == "region":
            assert value["startLine"] >= 1
        if name == "results":
            assert rules[value["ruleIndex"]] == value["ruleId"] and value["level"] == "note"
            assert value["locations"] and value["message"]["text"]
            for flow in value.get("codeFlows", ()):
                assert all(thread["locations"] for thread in flow["threadFlows"])
    return run


@pytest.mark.parametrize("word", HOSTILE)
def test_sarif_holds_to_its_standard_whatever_is_named(word):
    run = check_sarif(write_sarif(findings(word)))
    assert {result["ruleId"] for result in run["results"]} == {
        rule["id"] for rule in run["tool"]["driver"]["rules"]
    }


def test_sarif_says_what_it_leaves_out():
    run = check_sarif(write_sarif(findings("plain", MOST + 10)))
    assert len(run["results"]) == MOST
    said = [note["message"]["text"] for note in run["invocations"][0]["toolExecutionNotifications"]]
    assert any("were left out" in text for text in said)


def test_a_proof_is_a_flow_from_what_changed():
    run = check_sarif(write_sarif(findings("plain")))
    (reached,) = [each for each in run["results"] if each["ruleId"] == "maestro/reached"]
    (thread,) = reached["codeFlows"][0]["threadFlows"]
    uris = [each["location"]["physicalLocation"]["artifactLocation"]["uri"] for each in thread["locations"]]
    assert uris == ["plain.py", "d/plain.py"]


@given(st.text(min_size=1, max_size=30))
@settings(max_examples=40, deadline=None)
def test_every_name_makes_three_sound_files(word):
    found = findings(word)
    check_sarif(write_sarif(found))
    assert read(write_page(found)).tags == PLAIN.tags
    assert outside(write_markdown(found)).count("###") == 7


def test_files_are_written_and_counted(indexed, tmp_path):
    told = indexed.json("report", "second", "--repo", "shop", "--out", str(tmp_path / "new" / "out"))
    assert told["maestro"]["shape"] == "report" and told["changed"] == 1 and told["tests"] == 1
    places = {each["format"]: Path(each["path"]) for each in told["files"]}
    assert {place.name for place in places.values()} == {"report.md", "report.sarif", "report.html"}
    assert all(
        place.stat().st_size == each["bytes"]
        for place, each in zip(places.values(), told["files"], strict=True)
    )
    assert all(stat.S_IMODE(place.stat().st_mode) == 0o644 for place in places.values())
    assert sorted(path.name for path in (tmp_path / "new" / "out").iterdir()) == sorted(
        p.name for p in places.values()
    )
    run = check_sarif(places["sarif"].read_text())
    assert any("test_sum" in result["message"]["text"] for result in run["results"])
    markdown = places["markdown"].read_text()
    assert "`tax`" in markdown and "```mermaid" in markdown and "`@money`" in markdown
    assert "test_sum" in places["html"].read_text()
    assert any("No test run was recorded" in note for note in told["notes"])


@pytest.mark.parametrize(
    ("form", "begin"), [("markdown", "## Maestro"), ("sarif", "{"), ("html", "<!doctype html>")]
)
def test_one_format_goes_to_standard_output(indexed, tmp_path, monkeypatch, form, begin):
    monkeypatch.chdir(tmp_path)
    done = indexed("report", "second", "--repo", "shop", "--format", form)
    assert done.exit_code == 0 and done.stdout.startswith(begin)
    assert not list(tmp_path.iterdir())


def test_a_change_of_words_alone_has_a_report(indexed):
    done = indexed("report", "HEAD", "--repo", "shop", "--format", "markdown")
    assert done.exit_code == 0 and "Nothing that Maestro reads runs differently." in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code_", "said"),
    [
        (("second", "--format", "pdf"), 2, "pdf"),
        (("second", "--format", "html", "--json"), 2, "exclude each other"),
        (("no..where",), 3, "no revision"),
        (("second", "--author", "Nobody"), 3, "Nobody in this history"),
        (("second", "--diff", "x"), 2, "Ask about one of them"),
        (("second", "--absences", "/nowhere/at/all"), 2, "cannot be read"),
    ],
)
def test_what_cannot_be_reported_is_said(indexed, tmp_path, arguments, code_, said):
    done = indexed("report", *arguments, "--repo", "shop", "--out", str(tmp_path / "out"))
    assert done.exit_code == code_ and said in done.output
    assert not list(tmp_path.rglob("report.*"))


def test_a_folder_that_cannot_be_made_is_said_before_the_work(indexed, tmp_path):
    (tmp_path / "file").write_text("")
    done = indexed("report", "second", "--repo", "shop", "--out", str(tmp_path / "file" / "out"))
    assert done.exit_code == 31 and "cannot be made" in " ".join(done.stderr.split())
