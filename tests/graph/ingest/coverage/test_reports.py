"""Reports of other runners: what each holds, whatever else is handed over, and nothing that does harm."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.errors import RecordingError
from graph.facts import Hyperedge, Scope
from graph.ingest.coverage import facts, markup, reports
from graph.ingest.coverage.covered import Case, Format, Places, Report
from graph.schema import EdgeKind

LCOV = """TN:adds
SF:/build/src/app/cart.py
FN:3,add
FNDA:1,add
DA:3,1
DA:4,2,checksum
DA:9,0
LF:3
LH:2
end_of_record
TN:removes
SF:src/app/cart.py
DA:9,-1
end_of_record
"""
COBERTURA = """<?xml version="1.0" ?>
<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">
<coverage line-rate="0.5"><sources><source>/build</source></sources><packages><package name="app">
<classes><class filename="app/cart.py" name="cart.py"><methods><method name="f">
<lines><line number="2" hits="1"/></lines></method></methods>
<lines><line number="2" hits="1"/><line number="3" hits="0"/>
<line number="5" hits="12" branch="true" condition-coverage="50% (1/2)"/></lines></class></classes>
</package></packages></coverage>
"""
JACOCO = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE report PUBLIC "-//JACOCO//DTD Report 1.1//EN" "report.dtd"><report name="shop"><sessioninfo
id="a" start="1" dump="2"/><package name="org/shop"><class name="org/shop/Cart">
<method name="add" desc="()V" line="7"/></class>
<sourcefile name="Cart.java"><line nr="7" mi="0" ci="3" mb="0" cb="0"/>
<line nr="8" mi="2" ci="0" mb="0" cb="0"/>
<counter type="LINE" missed="1" covered="1"/></sourcefile></package></report>
"""
GO = """mode: atomic
example.org/shop/cart/cart.go:3.14,5.2 2 1
example.org/shop/cart/cart.go:7.20,8.10 1 0
mode: atomic
example.org/shop/pay.go:1.1,1.9 1 40
"""
JUNIT = """<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest" tests="4" time="1.5">
<testcase classname="tests.test_cart.TestCart" name="test_sum[1]" time="0.25" />
<testcase classname="tests.test_cart" name="test_bad" time="1,000.5"><failure
message="x">a &amp; b</failure></testcase>
<testcase classname="tests.test_cart" name="test_worse" time="?"><error>e</error></testcase>
<testcase name="test_later" file="tests/test_later.py" line="9"><skipped/></testcase>
</testsuite></testsuites>
"""
GOLDEN = {
    Format.LCOV: (LCOV, {"adds": {"/build/src/app/cart.py": {3, 4}}, "removes": {"src/app/cart.py": {9}}}),
    Format.COBERTURA: (COBERTURA, {"": {"app/cart.py": {2, 5}}}),
    Format.JACOCO: (JACOCO, {"": {"org/shop/Cart.java": {7}}}),
    Format.GO_COVER: (
        GO,
        {"": {"example.org/shop/cart/cart.go": {3, 4, 5}, "example.org/shop/pay.go": {1}}},
    ),
}


@pytest.mark.parametrize("format", GOLDEN)
def test_a_report_is_told_by_its_content_and_read_in_full(format):
    text, lines = GOLDEN[format]
    for data in (text.encode(), b"\xef\xbb\xbf" + text.encode(), text.replace("\n", "\r\n").encode()):
        assert reports.format_of(data) is format
        read = reports.read(data, "report")
        assert read.lines == lines


def test_junit_tells_tests_and_how_they_ended():
    assert reports.format_of(JUNIT.encode()) is Format.JUNIT
    assert reports.read(JUNIT.encode(), "report").cases == (
        Case("test_sum[1]", "tests.test_cart.TestCart", result="passed", seconds=0.25),
        Case("test_bad", "tests.test_cart", result="failed", seconds=1000.5),
        Case("test_worse", "tests.test_cart", result="error"),
        Case("test_later", "pytest", "tests/test_later.py", 9, "skipped"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing of the kind",
        "<html><body/></html>",
        "mode: sometimes\n",
        "mode: set\n",
        "mode: set\nno block\n",
        "mode: set\na.go:9.1,3.1 1 1\n",
        "mode: set\na.go:1.1,99999999.1 1 1\n",
        "TN:\nSF:a.py\nDA:1,1\n",
        "TN:\nSF:a.py\nDA:0,1\nend_of_record\n",
        "TN:\nSF:a.py\nDA:x,1\nend_of_record\n",
        "SF:a.py\nDA:1\nend_of_record\n",
        "SF:a.py\nWHAT\nend_of_record\n",
        "SF:a.py\nend_of_record\nDA:1,1\n",
        "<coverage>",
        "<coverage/>",
        '<coverage><class filename="a"><line number="1" hits="many"/></class></coverage>',
        '<coverage><class filename="a"><line number="99999999999999999999" hits="1"/></class></coverage>',
        "<testsuites/>",
        "<report></reports>",
    ],
)
def test_what_is_no_whole_report_is_refused_in_words(text):
    with pytest.raises(RecordingError) as error:
        reports.read(text.encode(), "report")
    assert error.value.message and error.value.hint


@pytest.mark.parametrize("format", GOLDEN)
def test_a_report_that_is_cut_off_is_refused_or_told_from_its_whole_lines(format):
    data = GOLDEN[format][0].encode()
    for end in range(0, len(data), 7):
        try:
            read = reports.read(data[:end], "report")
        except RecordingError:
            continue
        assert format in (Format.GO_COVER, Format.LCOV)
        assert read.format is format


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9))
HOSTILE = {
    "a billion laughs": f'<!DOCTYPE coverage [<!ENTITY l0 "lol">{LAUGHS}]><coverage a="&l8;">&l8;</coverage>',
    "an entity of a file": '<!DOCTYPE coverage [<!ENTITY f SYSTEM "file:///etc/passwd">]><coverage>&f;</coverage>',
    "an entity of the net": '<!DOCTYPE coverage [<!ENTITY f SYSTEM "http://x:1/">]><coverage>&f;</coverage>',
    "a parameter entity": '<!DOCTYPE coverage [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]><coverage/>',
    "an unparsed one": '<!DOCTYPE coverage [<!NOTATION n SYSTEM "n"><!ENTITY u SYSTEM "" NDATA n>]><a/>',
    "endless depth": "<coverage>" + "<a>" * 200 + "</a>" * 200 + "</coverage>",
    "an endless attribute": f'<coverage a="{"x" * (markup.LONGEST + 1)}"/>',
    "an odd encoding": '<?xml version="1.0" encoding="klingon"?><coverage/>',
}


@pytest.mark.parametrize("what", HOSTILE)
def test_xml_that_would_do_harm_is_refused(what):
    with pytest.raises(RecordingError):
        reports.read(HOSTILE[what].encode(), "report")


NAMES = st.text(string.ascii_letters + "/._-", min_size=1, max_size=12).map(lambda text: f"a{text}")
FILES = st.dictionaries(NAMES, st.frozensets(st.integers(1, 500), min_size=1), min_size=1, max_size=4)


@given(st.dictionaries(st.text("abc ", max_size=4).map(str.strip), FILES, min_size=1, max_size=3))
def test_lcov_round_trip(tests):
    text = ""
    for test, files in tests.items():
        for path, lines in files.items():
            text += f"TN:{test}\nSF:{path}\n" + "".join(f"DA:{n},1\nDA:{n + 1000},0\n" for n in lines)
            text += "end_of_record\n"
    assert reports.READERS[Format.LCOV](text.encode()).lines == tests


@given(st.dictionaries(NAMES, st.tuples(st.integers(1, 50), st.integers(0, 30)), min_size=1))
def test_go_round_trip(blocks):
    text = "mode: set\n" + "".join(
        f"{p}:{a}.1,{a + n}.2 1 1\n{p}:{a}.1,{a}.2 1 0\n" for p, (a, n) in blocks.items()
    )
    found = reports.READERS[Format.GO_COVER](text.encode()).lines[""]
    assert found == {path: frozenset(range(a, a + n + 1)) for path, (a, n) in blocks.items()}


@settings(max_examples=200)
@given(
    st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_readers_raise_nothing_else_whatever_they_are_given(data):
    for reader in (*reports.READERS.values(), lambda given: reports.read(given, "report")):
        for prefix in (b"", b"mode: set\n", b"SF:a\n", b"<coverage>", b"<testsuite><testcase "):
            try:
                reader(prefix + data)
            except RecordingError as error:
                assert error.message


def test_a_path_means_the_one_file_that_ends_so():
    places = Places(frozenset({"src/app/cart.py", "lib/cart.py", "one.py", "a/two.py", "b/two.py"}))
    assert places.find("src/app/cart.py") == "src/app/cart.py"
    assert places.find("/build/x/src/app/cart.py") == "src/app/cart.py"
    assert places.find("C:\\work\\lib\\cart.py") == "lib/cart.py"
    assert places.find("app/cart.py") == "src/app/cart.py"
    assert (
        places.find("/other/cart.py") == places.find("two.py") == places.find("../x") == places.find("") == ""
    )


CART = b"def add(x):\n    return x\n\n\ndef drop(x):\n    return -x\n"


def read_facts(report, known=None):
    scope = Scope("t", "shop")
    files = {"app/cart.py": "1", "Cart.java": "2"}
    known = known or facts.Known({}, {})
    return facts.read(scope, report, "c" * 40, files, lambda blob: CART, known)


def executes(found):
    edges = [fact for fact in found.batch if isinstance(fact, Hyperedge)]
    assert all(edge.kind is EdgeKind.EXECUTES for edge in edges)
    return {
        edge.members[0].key.partition(":")[2]: {
            m.key.partition(":")[2] for m in edge.members if m.role == "symbol"
        }
        for edge in edges
    }


def test_lines_become_symbols_and_other_languages_files():
    lines = {
        "adds": {"/b/app/cart.py": frozenset({2})},
        "": {"Cart.java": frozenset({7}), "gone.py": frozenset({1})},
    }
    found = read_facts(Report(Format.LCOV, lines), facts.Known({"adds": "t/shop:tests/t.py::adds"}, {}))
    assert executes(found) == {
        "tests/t.py::adds": {"app/cart.py::add"},
        "lcov::<run>": {"Cart.java"},
    }
    assert found.unplaced == ("gone.py",)


def test_a_header_line_executes_what_holds_it_and_not_the_function():
    found = read_facts(Report(Format.LCOV, {"t": {"app/cart.py": frozenset({1, 5, 6})}}))
    assert executes(found) == {"lcov::t": {"app/cart.py::<module>", "app/cart.py::drop"}}


def test_cases_are_the_tests_that_the_code_knows():
    key = "t/shop:tests/test_cart.py::test_sum"
    known = facts.Known({"tests.test_cart.test_sum": key}, {key: "t/shop:tests/test_cart.py::test_sum"})
    cases = (Case("test_sum[1]", "tests.test_cart"), Case("runs", "Cart", "Cart.java"), Case("lost", "x"))
    found = read_facts(Report(Format.JUNIT, {}, cases), known)
    assert executes(found) == {
        "tests/test_cart.py::test_sum": {"tests/test_cart.py::test_sum"},
        "junit::Cart.java::runs": {"Cart.java"},
    }
    assert found.unplaced == ("x::lost",)
