"""Run every measurement of this package and exit 1 if a limit is not kept."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

from tests.bench import Figure


def main() -> int:
    """Print one line per figure."""
    figures: list[Figure] = []
    for found in pkgutil.iter_modules([str(Path(__file__).parent)]):
        module = None if found.name == "__main__" else importlib.import_module(f"tests.bench.{found.name}")
        if measure := getattr(module, "run", None):
            figures += measure()
    for figure in figures:
        state = "ok  " if figure.kept else "OVER"
        print(f"{state} {figure.name}: {figure.value:.2f} {figure.unit} (at most {figure.limit:g})")
    return 0 if all(figure.kept for figure in figures) else 1


sys.exit(main())
