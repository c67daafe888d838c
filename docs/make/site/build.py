"""The site as a folder: pages are gathered, links rewritten, and zensical makes the rest.

Everything is in the folder: no page asks another host for fonts, scripts or pictures.
"""

import json
import shutil
import subprocess
import sys
from collections import deque
from pathlib import Path
from tempfile import TemporaryDirectory

from docs.make.site.navigation import ROOT, navigation
from docs.make.site.pages import KEPT, page, place, source_page, title
from docs.make.site.python import python_pages
from topformer.errors import InputError
from topformer.files import write_text

SITE = "site"
"""Folder that it is built into."""


def stage(folder: Path, root: Path = ROOT) -> Path:
    """Gather the pages with what they link, and write the settings of zensical.

    Args:
        folder: Empty folder for both.
        root: The repository.

    Returns:
        The file of settings.

    Raises:
        InputError: A page is in no section, or a link leads nowhere.
    """
    listed = navigation(root)
    _copy(root, folder / "pages", [path for paths in listed.values() for path in paths])
    sections = [{section: [{title(root, path): place(path)} for path in paths]} for section, paths in listed.items()]
    made = python_pages(root)
    for path, text in made.items():
        _write(folder / "pages" / path, text)
    sections.append({"Python": [{_heading(text): path} for path, text in made.items()]})
    settings = folder / "zensical.toml"
    write_text(settings, _settings(sections, root))
    return settings


def build(out: Path, root: Path = ROOT) -> None:
    """Build the site into a folder, which is replaced.

    Raises:
        InputError: As `stage`.
        InputError: zensical is not installed, or it finds something wrong, such as a link to a heading
            that is not there; what it says is shown.
    """
    with TemporaryDirectory() as folder:
        settings = stage(Path(folder), root)
        command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", str(settings)]
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, check=False, cwd=folder
        )
        if done.returncode:
            raise InputError(f"the site cannot be built:\n{done.stdout}{done.stderr}".rstrip())
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(Path(folder) / SITE, out)


def _copy(root: Path, pages: Path, first: list[str]) -> None:
    """Copy pages and everything that they link, one after the other."""
    waiting, done = deque(first), set(first)
    while waiting:
        path = waiting.popleft()
        target = pages / place(path)
        if Path(path).suffix in KEPT:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / path, target)
            continue
        text, linked = page(root, path) if path.endswith(".md") else source_page(root, path)
        _write(target, text)
        fresh = [one for one in dict.fromkeys(linked) if one not in done]
        done.update(fresh)
        waiting.extend(fresh)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def _heading(text: str) -> str:
    return text.partition("\n")[0].removeprefix("# ")


def _settings(sections: list[dict[str, list[dict[str, str]]]], root: Path) -> str:
    return _SETTINGS.format(nav=_toml(sections), root=_toml(str(root)))


def _toml(value: object) -> str:
    """Tables, lists and texts in one line of TOML, whose texts are those of JSON."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_toml(name)} = {_toml(item)}' for name, item in value.items())} }}"
    return f"[{', '.join(map(_toml, value))}]" if isinstance(value, list) else json.dumps(value)


_SETTINGS = """
[project]
site_name = "TopFormer Explorer"
docs_dir = "pages"
site_dir = "site"
# So that links work when index.html is opened from a disk.
use_directory_urls = false
nav = {nav}

[project.theme]
font = false
features = [
    "content.code.copy", "navigation.sections", "navigation.indexes", "navigation.top", "navigation.footer",
    "search.highlight",
]

[[project.theme.palette]]
media = "(prefers-color-scheme: light)"
scheme = "default"
toggle.icon = "lucide/sun"
toggle.name = "dark"

[[project.theme.palette]]
media = "(prefers-color-scheme: dark)"
scheme = "slate"
toggle.icon = "lucide/moon"
toggle.name = "light"

[project.plugins.mkdocstrings.handlers.python]
paths = [{root}]

[project.plugins.mkdocstrings.handlers.python.options]
docstring_style = "google"
show_source = false
show_root_heading = true
show_root_full_path = true
heading_level = 2
members_order = "source"
"""
