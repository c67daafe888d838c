"""The cards of the page of a run, one per file; each has `PLACE`, its place in the page, and `compute`.

A new card is one more file here.
"""

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules

from analysis.reports.run_page.card import Card
from analysis.reports.run_page.facts import Facts

Compute = Callable[[Facts], Card | None]
"""What an analysis shows of a run; None where it has nothing to say of it."""


def cards() -> list[Compute]:
    """The analyses, in the order of the page."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    return [module.compute for module in sorted(modules, key=lambda module: (module.PLACE, module.__name__))]
