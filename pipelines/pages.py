"""Pages that need nothing beside them: templates with their styles, scripts and data inside, every text escaped."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipelines.pictures import percent

__all__ = ["page_environment"]

HERE = Path(__file__).parent
LEGEND = (
    ("sub", "sales", "sails", "substituted"),
    ("del", "please", "–", "deleted"),
    ("ins", "–", "uh", "inserted"),
)


def page_environment(*scripts: str) -> Environment:
    """Return the environment of pages: text is escaped, JSON has no ``<``, styles and script are inside.

    The page's policy forbids a browser to load anything but recordings, and to run any script but the page's own.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    script = "".join((HERE / name).read_text(encoding="utf-8") for name in scripts)
    style = (HERE / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment.globals |= {
        "percent": percent,
        "count": "{:,}".format,
        "plural": lambda number, name: f"{number:,} {name}{'' if number == 1 else 's'}",
        "hours": _hours,
        "legend": LEGEND,
        "css": Markup(style),
        "script": Markup(script),
        "policy": f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "media-src 'self' file:",
    }
    return environment


def _hours(seconds: float) -> str:
    """Return a length of time as people say it.

    >>> _hours(90), _hours(5400)
    ('1.5 min', '1.5 h')
    """
    return f"{seconds / 60:,.1f} min" if seconds < 3600 else f"{seconds / 3600:,.1f} h"
