"""What our own resolver says of small programs."""

from __future__ import annotations

import textwrap

from graph.facts import Hyperedge, Scope
from graph.ingest.python import scopes, syntax
from graph.ingest.python.program import Program
from graph.ingest.python.records import CallSite, Target
from graph.schema import EdgeKind, Form, Tier


class Linking:
    """A linked program of inline sources, with its facts as short strings."""

    def __init__(self, **files: str) -> None:
        records = {}
        for name, text in files.items():
            path = name.replace("__init__", "@").replace("__", "/").replace("@", "__init__") + ".py"
            records[path] = syntax.parse(path, textwrap.dedent(text).encode())
            assert records[path].diagnosis is None, (path, records[path].diagnosis)
        self.program = Program(Scope("t", "r"), records)
        self.linked = scopes.link(self.program)

    def name(self, target: Target) -> str:
        return self.short(self.program.key(target))

    @staticmethod
    def short(key: str) -> str:
        return key.removeprefix("t/r:").replace(".py::", ":").replace("/__init__", "").replace("/", ".")

    def sites(self, caller: str) -> list[CallSite]:
        return [site for site in self.linked.calls if self.name(site.caller) == caller]

    def calls(self, caller: str) -> set[str]:
        """`form tier target+target` of the calls that were followed."""
        return {
            f"{site.form.value} {site.tier.value} {'+'.join(map(self.name, site.targets))}"
            for site in self.sites(caller)
            if site.targets
        }

    def edges(self, kind: EdgeKind) -> set[str]:
        """`first mode>rest+rest` of the hyperedges of a kind."""
        found = set()
        for fact in self.linked.facts:
            if isinstance(fact, Hyperedge) and fact.kind is kind:
                first, *rest = fact.members
                mode = dict(fact.props).get("mode", "")
                tier = fact.tier.value if fact.tier is not None else ""
                for member in rest:
                    found.add(
                        f"{self.short(first.key)} {mode}{'>' if mode else ''}{self.short(member.key)} {tier}"
                    )
        return found

    def references(self, owner: str) -> set[str]:
        return {
            text.removeprefix(owner + " ")
            for text in self.edges(EdgeKind.REFERENCES)
            if text.startswith(owner + " ")
        }


def test_calls_follow_imports_reexports_and_star_imports():
    linking = Linking(
        pkg____init__="from .impl import make as build\nfrom .more import *\n",
        pkg__impl="def make(): pass\ndef hidden(): pass\n",
        pkg__more="""
            __all__ = ["shown", "_listed"]
            def shown(): pass
            def _listed(): pass
            def other(): pass
            """,
        use="""
            import pkg
            import pkg.impl as implementation
            from pkg import build, shown

            def f():
                build()
                pkg.build()
                implementation.hidden()
                shown()
                pkg._listed()
                pkg.other()
                len([])
            """,
    )
    assert linking.calls("use:f") == {
        "plain exact pkg.impl:make",
        "plain exact pkg.impl:hidden",
        "plain exact pkg.more:shown",
        "plain exact pkg.more:_listed",
    }
    unfollowed = {
        site.name: (site.external, site.reason) for site in linking.sites("use:f") if not site.targets
    }
    assert unfollowed["len"] == (True, "")
    assert unfollowed["other"][0] is False and unfollowed["other"][1]


def test_imports_in_circles_end():
    linking = Linking(
        a="from b import *\nfrom b import x\ndef f(): x(); y()\n", b="from a import *\nfrom a import x\n"
    )
    assert linking.calls("a:f") == set()


def test_methods_are_found_through_self_annotations_and_constructors():
    linking = Linking(
        m="""
            class Base:
                def run(self): pass
                @classmethod
                def make(cls): return cls()
                @staticmethod
                def plain(): pass

            class Child(Base):
                def run(self):
                    super().run()
                def both(self):
                    self.run()
                    self.plain()

            class Holder:
                def __init__(self, child: Child):
                    self.child = child
                    self.other = Base()
                def use(self):
                    self.child.run()
                    self.other.run()

            def annotated(x: "Child | None"): x.run()
            def made(): y = Child(); y.run()
            def factory(): return Child()
            def result(): factory().run()
            def named(): Base.plain(); Base.make().run()
            """
    )
    assert linking.calls("m:Child.run") == {"plain typed m:Base.run"}
    assert linking.calls("m:Child.both") == {"plain typed m:Child.run", "plain typed m:Base.plain"}
    assert linking.calls("m:Holder.use") >= {"plain typed m:Child.run", "plain typed m:Base.run"}
    assert linking.calls("m:annotated") == {"plain typed m:Child.run"}
    assert linking.calls("m:made") == {"constructor exact m:Child", "plain typed m:Child.run"}
    assert linking.calls("m:result") == {"plain exact m:factory", "plain typed m:Child.run"}
    assert linking.calls("m:named") >= {
        "plain exact m:Base.plain",
        "plain exact m:Base.make",
        "plain typed m:Base.run",
    }
    virtual = {
        site.name: site.virtual
        for name in ("m:Child.both", "m:Child.run", "m:named")
        for site in linking.sites(name)
    }
    assert virtual["run"] and not virtual["make"] and not virtual["super"]
    assert [site.virtual for site in linking.sites("m:Child.run") if site.name == "run"] == [False]


def test_a_constructor_runs_init_and_new_wherever_they_are_inherited_from():
    linking = Linking(
        m="""
            class A:
                def __new__(cls): return object.__new__(cls)
                def __init__(self): pass
            class B(A): pass
            def f(): B()
            """
    )
    assert linking.calls("m:f") == {"constructor exact m:B+m:A.__new__+m:A.__init__"}


def test_properties_setters_and_calls_of_instances():
    linking = Linking(
        m="""
            class A:
                @property
                def p(self): return B()
                @p.setter
                def p(self, value): pass
                def __call__(self): pass
            class B:
                def go(self): pass
            def f(a: A):
                a.p.go()
                a.p = 1
                a()
            """
    )
    assert linking.calls("m:f") == {
        "property typed m:A.p",
        "plain typed m:B.go",
        "property typed m:A.p#1",
        "implicit typed m:A.__call__",
    }


def test_what_a_method_assigns_to_a_property_of_a_base_goes_through_it():
    """The property stands before what is in the instance: there is no such attribute."""
    linking = Linking(
        base="""
            from functools import cached_property

            class Base:
                def __init__(self):
                    self.level = 3

                @property
                def level(self): return 1

                @level.setter
                def level(self, value): pass

                @cached_property
                def late(self): return 2

                plain = None

                def own(self): return self.level
        """,
        sub="""
            from base import Base

            class Sub(Base):
                def put(self): self.level = 4
                def get(self): return self.level
                def more(self): self.level += 1
                def keep(self): self.late = 5
                def kept(self): return self.late
                def set_plain(self): self.plain = 6
                def get_plain(self): return self.plain

            def use(sub: Sub):
                sub.level = 7
                return sub.level
        """,
    )
    getter, setter = "property typed base:Base.level#1", "property typed base:Base.level#2"
    assert linking.calls("base:Base.__init__") == {setter}
    assert linking.calls("base:Base.own") == {getter}
    assert linking.calls("sub:Sub.put") == {setter}
    assert linking.calls("sub:Sub.get") == {getter}
    assert linking.calls("sub:Sub.more") == {getter, setter}
    assert linking.calls("sub:use") == {getter, setter}
    assert linking.references("sub:Sub.get") == set()
    # One of another make may be what was assigned, or still run.
    assert linking.calls("sub:Sub.kept") == {"property typed base:Base.late"}
    assert linking.references("sub:Sub.kept") == {"read>sub:Sub.late typed"}
    # What a class body binds to something else gives way to what is in the instance.
    assert linking.references("sub:Sub.get_plain") == {"read>sub:Sub.plain typed"}
    overrides = linking.edges(EdgeKind.OVERRIDES)
    assert not any("Sub.level" in text for text in overrides)
    assert "sub:Sub.plain base:Base.plain exact" in overrides


def test_functions_handed_over_and_defined_inside():
    linking = Linking(
        m="""
            def callback(): pass
            class K:
                def __init__(self): pass
            HANDLERS = {"a": callback}
            def f(register):
                register(callback)
                register(K)
                isinstance(f, K)
                def inner(): callback()
                return inner
            """
    )
    assert linking.calls("m:f") == {
        "handed over exact m:callback",
        "handed over exact m:K+m:K.__init__",
        "handed over exact m:f.<locals>.inner",
    }
    assert linking.calls("m:HANDLERS") == {"handed over exact m:callback"}
    assert linking.references("m:f") == {"read>m:K exact"}
    assert linking.calls("m:f.<locals>.inner") == {"plain exact m:callback"}


def test_what_runs_at_import_belongs_to_what_it_binds():
    linking = Linking(
        a="Y = 1\ndef f(y): return y\ndef g(): pass\nclass Base: pass\n",
        m="""
            from a import Y, f, g
            import a
            X = f(Y)
            g()
            class C(a.Base):
                z = f(Y)
                g()
                def m(self, d=Y): pass
            @f
            def decorated(d=Y): pass
            @a.f(Y)
            def configured(): pass
            if Y:
                V = 1
            """,
    )
    assert linking.calls("m:X") == {"plain exact a:f"}
    assert linking.references("m:X") == {"read>a:Y exact"}
    assert linking.calls("m:<module>") == {"plain exact a:g"}
    assert linking.references("m:<module>") == set()
    assert linking.calls("m:C.z") == {"plain exact a:f"}
    assert linking.calls("m:C") == {"plain exact a:g"}
    assert linking.references("m:C.m") == {"read>a:Y exact"}
    assert linking.references("m:decorated") == {"read>a:Y exact"}
    assert linking.references("m:V") == {"read>a:Y exact"}
    assert linking.edges(EdgeKind.DECORATES) == {"m:decorated a:f exact", "m:configured a:f exact"}
    assert linking.edges(EdgeKind.INHERITS) == {"m:C a:Base exact"}


def test_reads_and_writes_of_constants_and_attributes():
    linking = Linking(
        config="""
            LIMIT = 1
            TABLE = {}
            NAMES = []
            class Settings:
                debug = False
                def __init__(self): self.level = 1
            settings = Settings()
            """,
        use="""
            import config
            from config import LIMIT, TABLE, NAMES, settings
            NAMES.append("a")
            TABLE["b"] = 1
            config.LIMIT = 3
            def read(): return LIMIT, config.TABLE
            def change():
                TABLE["x"] = 1
                NAMES.extend([])
            def through():
                if settings.debug: return settings.level
            def set_level(s: config.Settings): s.level = 2
            class Own(config.Settings):
                def __init__(self): self.level = 5
                def show(self): return self.level
            local = 0
            def counted():
                global local
                local += 1
            def unrelated():
                local = 5
                return local
            """,
    )
    assert linking.references("use:<module>") == {
        "read>config:NAMES exact",
        "write>config:NAMES exact",
        "write>config:TABLE exact",
        "write>config:LIMIT exact",
    }
    assert linking.references("use:read") == {"read>config:LIMIT exact", "read>config:TABLE exact"}
    assert linking.references("use:change") >= {"write>config:TABLE exact", "write>config:NAMES exact"}
    assert linking.references("use:through") >= {
        "read>config:settings exact",
        "read>config:Settings.debug typed",
        "read>config:Settings.level typed",
    }
    assert "write>config:Settings.level typed" in linking.references("use:set_level")
    assert linking.references("use:Own.__init__") == {
        "write>use:Own.level typed",
        "write>config:Settings.level typed",
    }
    assert linking.references("use:Own.show") == {"read>use:Own.level typed"}
    assert linking.references("use:counted") == {"read>use:local exact", "write>use:local exact"}
    assert linking.references("use:unrelated") == set()
    assert "use:Own.level config:Settings.level exact" in linking.edges(EdgeKind.OVERRIDES)


def test_imports_run_packages_and_modules():
    linking = Linking(
        p____init__="",
        p__q____init__="",
        p__q__m="from . import n\nfrom ..other import x\n",
        p__q__n="",
        p__other="x = 1\n",
        top="import p.q.m\ndef lazy():\n    from p import other\n",
        typed="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import p\n",
    )
    assert linking.edges(EdgeKind.IMPORTS) == {
        "top:<module> p:<module> exact",
        "top:<module> p.q:<module> exact",
        "top:<module> p.q.m:<module> exact",
        "top:lazy p:<module> exact",
        "top:lazy p.other:<module> exact",
        "p.q.m:<module> p.q.n:<module> exact",
        "p.q.m:<module> p.other:<module> exact",
    }


def test_names_alone_tie_calls_weakly_and_never_by_common_names():
    linking = Linking(
        m="""
            class A:
                def only(self): pass
                def get(self): pass
                def shared(self): pass
            class B:
                def shared(self): pass
            def f(x):
                x.only()
                x.get()
                x.shared()
            """
    )
    assert linking.calls("m:f") == {"plain name m:A.only", "plain ambiguous m:A.shared+m:B.shared"}
    reasons = [site.reason for site in linking.sites("m:f") if not site.targets]
    assert reasons == ["a receiver of unknown type"]


def test_alternatives_are_all_followed_as_typed():
    linking = Linking(
        a="def f(): pass\n",
        b="def f(): pass\n",
        m="try:\n    from a import f\nexcept ImportError:\n    from b import f\ndef g(): f()\n",
    )
    assert linking.calls("m:g") == {"plain typed a:f+b:f"}


def test_a_script_block_is_possible_only():
    linking = Linking(m="def main(): pass\nif __name__ == '__main__':\n    main()\n")
    assert linking.calls("m:<module>") == {"plain name m:main"}


def test_overrides_name_the_nearest_base():
    linking = Linking(
        m="""
            class A:
                def f(self): pass
                def g(self): pass
            class B(A):
                def f(self): pass
            class C(B):
                def f(self): pass
                def g(self): pass
                def __private(self): pass
            """
    )
    assert linking.edges(EdgeKind.OVERRIDES) == {
        "m:B.f m:A.f exact",
        "m:C.f m:B.f exact",
        "m:C.g m:A.g exact",
    }


def test_open_attributes_name_the_receiver():
    linking = Linking(m="def f(x):\n    return x.first.second\ndef g(y):\n    y.z = 1\n")
    found = {(item.name, item.written, tuple(item.receiver)) for item in linking.linked.open_attributes}
    assert found == {
        ("first", False, (2, 11, 2, 12)),
        ("second", False, (2, 11, 2, 18)),
        ("z", True, (4, 4, 4, 5)),
    }


def test_comprehensions_lambdas_and_class_bodies_have_scopes_of_their_own():
    linking = Linking(
        m="""
            def x(): pass
            class A:
                def x(self): return x()
            def f(items: "list[A]"):
                [x() for x in items]
                (lambda x: x())(1)
                return [item.x() for item in items]
            """
    )
    assert linking.calls("m:A.x") == {"plain exact m:x"}
    assert linking.calls("m:f") == {"plain typed m:A.x"}


def test_context_managers_give_what_they_yield():
    linking = Linking(
        m="""
            from contextlib import contextmanager
            class Session:
                def __enter__(self): return self
                def __exit__(self, *rest): pass
                def query(self): pass
            @contextmanager
            def session():
                yield Session()
            def f():
                with session() as s:
                    s.query()
                with Session() as t:
                    t.query()
            """
    )
    assert linking.calls("m:f") == {
        "plain exact m:session",
        "constructor exact m:Session",
        "plain typed m:Session.query",
        "implicit typed m:Session.__enter__",
        "implicit typed m:Session.__exit__",
    }


def test_every_call_is_told_once_with_its_span():
    linking = Linking(m="def f(): pass\ndef g():\n    return f(\n    )\n")
    (site,) = linking.sites("m:g")
    assert tuple(site.site) == (3, 11, 4, 5)
    assert (site.form, site.tier) == (Form.PLAIN, Tier.EXACT)
