from __future__ import annotations

import time
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.facts import Scope
from graph.ingest.codeowners import Dialect, parse_codeowners
from graph.ingest.owners import find_codeowners, read_owners
from graph.ingest.patterns import Matcher, PatternError, compile_github, compile_gitlab
from graph.schema import EDGES, NODES, EdgeKind, NodeKind

SCOPE = Scope("t", "r")


def owners(text: str, path: str, dialect: Dialect = Dialect.GITHUB) -> list[tuple[str, ...]]:
    return [match.owners for match in parse_codeowners(text, dialect).match(path)]


EXAMPLE = """\
# The last matching pattern takes the most precedence.
*       @global-owner1 @global-owner2
*.js    @js-owner #This is an inline comment.
*.go docs@example.com
*.txt @octo-org/octocats
/build/logs/ @doctocat
docs/*  docs2@example.com
apps/ @octocat
/docs/ @doctocat
/scripts/ @doctocat @octocat
**/logs @octocat
/apps2/ @octocat
/apps2/github
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("README", ("@global-owner1", "@global-owner2")),
        ("a/b/x.js", ("@js-owner",)),
        ("x.go", ("docs@example.com",)),
        ("deep/er/x.txt", ("@octo-org/octocats",)),
        ("build/logs/x.js", ("@octocat",)),
        ("docs/getting-started.md", ("@doctocat",)),
        ("docs/build-app/troubleshooting.md", ("@doctocat",)),
        ("x/docs/readme", ("@global-owner1", "@global-owner2")),
        ("apps/a/b.js", ("@octocat",)),
        ("x/y/apps/b.js", ("@octocat",)),
        ("scripts/run", ("@doctocat", "@octocat")),
        ("x/scripts/run", ("@global-owner1", "@global-owner2")),
        ("deeply/nested/logs/x", ("@octocat",)),
        ("logs", ("@octocat",)),
        ("apps2/x", ("@octocat",)),
        ("apps2/github/x", ()),
        ("apps2/github", ()),
    ],
)
def test_the_example_of_githubs_documentation(path, expected):
    assert owners(EXAMPLE, path) == [expected]


@pytest.mark.parametrize(
    ("pattern", "matched", "unmatched"),
    [
        ("*", ["a", "a/b/.c"], []),
        ("*.js", ["x.js", "a/x.js", ".js", "lib.js/x"], ["x.jsx", "x.JS"]),
        ("docs/*", ["docs/a.md"], ["docs/a/b.md", "x/docs/a.md", "docs"]),
        ("/docs/*", ["docs/a.md"], ["docs/a/b.md"]),
        ("apps/", ["apps/a", "x/apps/a/b"], ["apps", "x/apps"]),
        ("apps", ["apps", "x/apps", "x/apps/y"], ["apps2", "xapps"]),
        ("/apps", ["apps", "apps/x"], ["x/apps"]),
        ("/apps/", ["apps/x"], ["apps", "x/apps/x"]),
        ("a/b", ["a/b", "a/b/c"], ["x/a/b", "a/bc"]),
        ("**/logs", ["logs", "a/logs", "a/b/logs/x"], ["logs2"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b/c"], ["ab", "a/xb"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "b/a/c"]),
        ("/**", ["a", "a/b"], []),
        ("**", ["a", "a/b"], []),
        ("/", [], ["a", "a/b"]),
        ("a/*/c", ["a/b/c", "a/b/c/d"], ["a/c", "a/b/b/c"]),
        ("a*/", ["ab/c", "x/ab/c", "a/c"], ["ab", "b/c"]),
        ("a?c", ["abc", "x/abc"], ["ac", "a/c", "abbc"]),
        ("/src/*.py", ["src/a.py"], ["src/a/b.py", "a.py"]),
        ("x\\ y/z", ["x y/z"], ["x\\ y/z"]),
        ("a.c", ["a.c"], ["abc"]),
        ("**/a/**/b/*", ["a/b/c", "x/a/y/z/b/c"], ["a/b/c/d", "a/c"]),
        ("Makefile", ["Makefile", "a/Makefile"], ["makefile"]),
        ("a\nb", ["a\nb"], ["a"]),
        ("ä/ö*", ["ä/öx"], ["ä/x"]),
    ],
)
def test_githubs_patterns(pattern, matched, unmatched):
    matcher = Matcher([compile_github(pattern)])
    for path in matched:
        assert matcher.last(path) == 0, path
    for path in unmatched:
        assert matcher.last(path) == -1, path


@pytest.mark.parametrize(
    ("pattern", "matched", "unmatched"),
    [
        ("*", ["a", "a/.b"], []),
        ("README.md", ["README.md", "a/b/README.md"], ["README.md/x"]),
        ("internal/README.md", ["internal/README.md", "x/internal/README.md"], ["xinternal/README.md"]),
        ("/docs", ["docs"], ["docs/x", "x/docs"]),
        ("docs/", ["docs/x", "a/docs/x/y"], ["docs"]),
        ("/docs/", ["docs/x", "docs/a/b"], ["a/docs/x"]),
        ("/docs/*", ["docs/x"], ["docs/x/y"]),
        ("/docs/**/*.md", ["docs/x.md", "docs/a/b/x.md"], ["docs/x.rb"]),
        ("/a/[bc]?.rb", ["a/bx.rb", "a/cy.rb"], ["a/dx.rb", "a/b.rb", "a/b/.rb"]),
        ("/a/[^b]", ["a/c"], ["a/b", "a//"]),
        ("path\\ with\\ spaces/", ["path with spaces/x"], []),
        ("\\#file", ["#file"], []),
        ("/a/**", ["a/b"], ["a/b/c"]),
        ("[x", ["[x"], ["x"]),
        ("/a/[]b]", ["a/]", "a/b"], ["a/c"]),
    ],
)
def test_gitlabs_patterns(pattern, matched, unmatched):
    matcher = Matcher([compile_gitlab(pattern)])
    for path in matched:
        assert matcher.last(path) == 0, path
    for path in unmatched:
        assert matcher.last(path) == -1, path


@pytest.mark.parametrize("pattern", ["!a", "\\#a", "[ab].c", "a***b", "a\\", "*a" * 101])
def test_what_github_would_reject(pattern):
    with pytest.raises(PatternError):
        compile_github(pattern)


BAD = """\
*.py @good

!secret @x
[section @x
docs/[ab] @x
*.go somebody
*.rs @a b@c @d
\\#x @y
*.c @org/team/sub
# a comment
   # another
a#b @hash
*.md @fine # and more @nobody
"""


def test_bad_lines_are_skipped_and_told():
    rules = parse_codeowners(BAD, Dialect.GITHUB)
    assert [rule.pattern for rule in rules.rules] == ["*.py", "a#b", "*.md"]
    assert [rule.owners for rule in rules.rules] == [("@good",), ("@hash",), ("@fine",)]
    assert [(p.line, p.code) for p in rules.problems] == [
        (3, "codeowners.pattern"),
        (4, "codeowners.pattern"),
        (5, "codeowners.pattern"),
        (6, "codeowners.owner"),
        (7, "codeowners.owner"),
        (8, "codeowners.pattern"),
        (9, "codeowners.owner"),
    ]
    assert all(f"Line {p.line}:" in p.message for p in rules.problems)


GITLAB = """\
* @default
[Documentation]
docs/ @docs
README.md @docs

^[Database][2] @dba @group/sub/deep
model/db/
config/db/x.rb @@maintainer

[DOCUMENTATION]
README.md @docs2

[Ruby] @ruby
*.rb
!config/
!*.spec.rb
[broken
[Approve][3] @a
/approve/* someone @b
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("x", [("", ("@default",), 1)]),
        ("docs/x", [("", ("@default",), 1), ("Documentation", ("@docs",), 1)]),
        ("README.md", [("", ("@default",), 1), ("Documentation", ("@docs2",), 1)]),
        (
            "model/db/a.rb",
            [
                ("", ("@default",), 1),
                ("Database", ("@dba", "@group/sub/deep"), 0),
                ("Ruby", ("@ruby",), 1),
            ],
        ),
        ("config/db/x.rb", [("", ("@default",), 1), ("Database", ("@@maintainer",), 0)]),
        ("approve/x", [("", ("@default",), 1), ("Approve", ("@b",), 3)]),
    ],
)
def test_gitlabs_sections(path, expected):
    rules = parse_codeowners(GITLAB)
    assert rules.dialect is Dialect.GITLAB
    found = [(m.rule.section, m.owners, m.rule.approvals) for m in rules.match(path)]
    assert found == expected


def test_gitlabs_problems():
    problems = [(p.line, p.code) for p in parse_codeowners(GITLAB).problems]
    assert problems == [(17, "codeowners.section"), (19, "codeowners.owner")]
    alone = parse_codeowners("[A]\nx\n", None)
    assert [p.code for p in alone.problems] == ["codeowners.no-owner"]


def test_the_dialect_without_a_word_about_it():
    assert parse_codeowners("* @a\n").dialect is Dialect.GITHUB
    assert parse_codeowners("* @a\n[A]\n").dialect is Dialect.GITLAB
    assert parse_codeowners("\ufeff* @a\r\n").rules[0].owners == ("@a",)
    assert parse_codeowners("").match("x") == []


@settings(max_examples=200)
@given(st.text(max_size=200), st.sampled_from([None, *Dialect]), st.text(alphabet="ab/*.", max_size=8))
def test_any_text_is_parsed(text, dialect, path):
    parse_codeowners(text, dialect).match(path)


lines = st.text(alphabet="*?/[]\\ab.#! @-^", max_size=14)


@settings(max_examples=300)
@given(st.lists(lines, max_size=8), st.text(alphabet="ab/.", max_size=8))
def test_any_lines_are_parsed(text, path):
    for dialect in (None, *Dialect):
        parse_codeowners("\n".join(text), dialect).match(path)


def reference(pattern: str, path: str) -> bool:
    """GitHub's rules once more, component by component and without regular expressions."""
    folder_only = pattern.endswith("/")
    anchored = "/" in pattern.rstrip("/")
    want = [part for part in pattern.split("/") if part]
    if not want:
        return False
    if not anchored:
        want = ["**", *want]

    @lru_cache(None)
    def component(glob: str, name: str) -> bool:
        if not glob:
            return not name
        if glob[0] == "*":
            return any(component(glob[1:], name[i:]) for i in range(len(name) + 1))
        return bool(name) and glob[0] in ("?", name[0]) and component(glob[1:], name[1:])

    def all_of(parts: list[str], have: list[str]) -> bool:
        """Whether the parts match exactly these components."""
        if not parts:
            return not have
        if parts[0] == "**":
            if len(parts) == 1:
                return bool(have)
            return any(all_of(parts[1:], have[i:]) for i in range(len(have) + 1))
        return bool(have) and component(parts[0], have[0]) and all_of(parts[1:], have[1:])

    have = path.split("/")
    if all_of(want, have) and not folder_only:
        return True
    if not folder_only and anchored and want[-1] == "*":
        return False
    return any(all_of(want, have[:i]) for i in range(1, len(have)))


component_globs = st.text(alphabet="ab*?.", min_size=1, max_size=4).filter(lambda s: "**" not in s) | st.just(
    "**"
)
globs = st.builds(
    lambda lead, parts, trail: lead + "/".join(parts) + trail,
    st.sampled_from(["", "/"]),
    st.lists(component_globs, min_size=1, max_size=4),
    st.sampled_from(["", "/"]),
)
tree_paths = st.lists(st.text(alphabet="ab.", min_size=1, max_size=3), min_size=1, max_size=5).map("/".join)


@settings(max_examples=600)
@given(st.lists(globs, min_size=1, max_size=6), st.lists(tree_paths, min_size=1, max_size=6))
def test_the_matcher_is_the_slow_reference(patterns, some_paths):
    matcher = Matcher([compile_github(pattern) for pattern in patterns])
    for path in some_paths:
        expected = max((i for i, p in enumerate(patterns) if reference(p, path)), default=-1)
        assert matcher.last(path) == expected, (patterns, path)


def test_hostile_patterns_take_no_time():
    patterns = ["**/a" * 40 + "/b", "*a" * 90 + "b", "/" + "**/*a*a*a*/" * 20 + "x", "a/" * 500 + "b"]
    rules = parse_codeowners("\n".join(f"{pattern} @x" for pattern in patterns), Dialect.GITHUB)
    start = time.process_time()
    for path in ("a/" * 600 + "c", "a" * 250, "/".join(["aaaaaaa"] * 200)):
        rules.match(path)
    assert time.process_time() - start < 2


def test_many_files_and_rules_take_less_than_a_second():
    kinds = ("/services/s{n}/", "*.e{n}", "name{n}", "/libs/l{n}/**/*.py", "docs/d{n}/*", "/src/*/p{n}/")
    text = "* @all\n" + "\n".join(kinds[n % len(kinds)].format(n=n) + f" @o{n}" for n in range(300))
    many = [f"services/s{n % 400}/pkg{n % 7}/mod{n}.py" for n in range(15_000)]
    many += [f"src/x{n % 50}/p{n % 300}/f{n}.e{n % 300}" for n in range(15_000)]
    rules = parse_codeowners(text)
    start = time.process_time()
    found = [rules.match(path) for path in many]
    assert time.process_time() - start < 1
    assert all(found)


def owns(batch):
    found = []
    for edge in batch.edges:
        if edge.kind != EdgeKind.OWNS:
            continue
        assert {name for name, _ in edge.props} == set(EDGES[EdgeKind.OWNS].props)
        for member in edge.members:
            assert {n for n, _ in batch.nodes[f"{member.kind} {member.key}"].props} <= set(
                NODES[member.kind].props
            )
        keys: dict[str, list[str]] = {"owner": [], "file": []}
        for member in edge.members:
            keys[member.role].append(member.key.removeprefix("t/").removeprefix("r:"))
        found.append((dict(edge.props)["line"], keys["owner"], keys["file"]))
    return sorted(found)


def read(sketch, mirrored):
    mirror = mirrored(sketch)
    tree = mirror.head().tree
    languages = {e.path: "" for e in mirror.files(tree) if e.kind == "file"}
    return read_owners(mirror, tree, SCOPE, languages)


def test_owners_become_facts(sketch, mirrored):
    text = b"* @Org/All a@B.c\n!bad @x\n/d/ @u\n/d/free\n"
    sketch.commit(
        {"CODEOWNERS": text, "d/a": b"", "d/b": b"", "d/free": b"", "d/e/c": b"", "l": (0o120000, b"d")}
    )
    batch = read(sketch, mirrored)
    assert owns(batch) == [
        (1, ["@org/all", "a@b.c"], ["CODEOWNERS"]),
        (3, ["@u"], ["d/a", "d/b"]),
        (3, ["@u"], ["d/e/c"]),
        (4, [], ["d/free"]),
    ]
    owner = dict(batch.nodes[f"{NodeKind.OWNER} t/@org/all"].props)
    assert (owner["handle"], owner["person"]) == ("@Org/All", False)
    (problem,) = [n for n in batch.nodes.values() if n.kind == NodeKind.DIAGNOSIS]
    assert problem.key == "t/r:CODEOWNERS!codeowners.pattern@2"
    assert dict(problem.props)["line"] == 2


@pytest.mark.parametrize(
    ("places", "line", "dialect"),
    [
        ([".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"], 0, Dialect.GITHUB),
        (["CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"], 0, None),
        (["docs/CODEOWNERS", ".gitlab/CODEOWNERS"], 0, None),
        ([".gitlab/CODEOWNERS"], 0, Dialect.GITLAB),
    ],
)
def test_the_first_place_counts(sketch, mirrored, places, line, dialect):
    sketch.commit({place: b"* @o%d\n" % number for number, place in enumerate(places)})
    mirror = mirrored(sketch)
    entry, found = find_codeowners(mirror, mirror.head().tree)
    assert (entry.path, found) == (places[line], dialect)
    assert all(names == ["@o0"] for _, names, _ in owns(read(sketch, mirrored)))


def test_no_file_a_link_and_a_file_that_is_too_large(sketch, mirrored):
    sketch.commit({"a": b"", ".github/CODEOWNERS": (0o120000, b"/etc/passwd")})
    assert list(read(sketch, mirrored)) == []
    sketch.commit({"CODEOWNERS": b"* @a\n" + b"#" * 3_000_000})
    batch = read(sketch, mirrored)
    assert owns(batch) == []
    assert any(n.key.endswith("!codeowners.too-large") for n in batch.nodes.values())


def test_a_file_that_is_not_utf8(sketch, mirrored):
    sketch.commit({"CODEOWNERS": b"\xff\xfe @a\n*.py @b\n", "x.py": b""})
    assert owns(read(sketch, mirrored)) == [(2, ["@b"], ["x.py"])]


def test_a_new_file_renews_only_its_folders_edge(sketch, mirrored):
    sketch.commit({"CODEOWNERS": b"* @a\n", **{f"d{n}/x": b"" for n in range(5)}})
    before = {edge.digest() for edge in read(sketch, mirrored).edges}
    sketch.commit({"d3/y": b""})
    after = {edge.digest() for edge in read(sketch, mirrored).edges}
    assert len(before - after) == len(after - before) == 1
