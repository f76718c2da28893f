"""The README's picture: a real answer about a real repository, as a terminal shows it.

    python -m scripts.picture CLONE QUESTION      writes docs/impact.svg

It indexes the clone into the store that the settings name, and asks. Nothing in it is made up; it is
renewed when the answer's look changes.
"""

from __future__ import annotations

import io
import os
import re
import sys
from pathlib import Path

import anyio
from rich.console import Console
from rich.text import Text

from api import documents
from api.console import THEME
from api.listing import print_indexed
from api.questions import Question, subject_of
from api.rendering import print_impact
from api.service import Service
from api.settings import read_settings

PLACE = Path(__file__).resolve().parent.parent / "docs" / "impact.svg"
WIDTH = 100


async def ask(clone: Path, asked: str) -> tuple[documents.Indexed, documents.Impact]:
    """Index and ask."""
    async with Service.open(read_settings(os.environ)) as service:
        indexed = await service.index(clone)
        question = Question(subject_of(asked), asked, repository=indexed.repository)
        await service.impact(question)  # so that the time shown is that of a question, not of the first one
        return indexed, await service.impact(question)


def draw(indexed: documents.Indexed, impact: documents.Impact) -> str:
    """The session as SVG, without the fonts that the format would fetch from elsewhere."""
    console = Console(
        file=io.StringIO(),
        record=True,
        width=WIDTH,
        theme=THEME,
        highlight=False,
        markup=False,
        force_terminal=True,
    )
    for command, show in (
        (f"maestro index ~/src/{indexed.repository}", lambda: print_indexed(console, indexed)),
        (f"maestro impact {impact.asked}", lambda: print_impact(console, impact)),
    ):
        console.print(Text.assemble(("$ ", "good"), (command, "bold")))
        show()
        console.print()
    picture = console.export_svg(title="maestro", unique_id="impact")
    return re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL)


def main() -> None:
    """Draw the answer to the command line's question."""
    clone, asked = sys.argv[1:3]
    PLACE.write_text(draw(*anyio.run(ask, Path(clone), asked)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
