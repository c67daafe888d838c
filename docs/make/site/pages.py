"""Pages of the repository as pages of a site: where each stands there, and its links.

Links are written for a reader of the repository. In the site a link to a page leads to that page, one to a picture to
the picture, and one to any other file, such as a study, to a page that shows the file.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from docs.make.site.navigation import FRONT, OTHERS
from topformer.errors import InputError

_LINK = re.compile(r"(\]\()([^)\s]+)(\))")
_FENCE = re.compile(r"^ {0,3}(```|~~~)")
_NAMES = {FRONT: "index.md", **{name: f"{Path(name).stem.lower()}.md" for name in OTHERS}}
KEPT = (".png", ".svg", ".jsonl", ".html", ".gif")
"""Files that are shown or fetched as they are."""
_LANGUAGES = {".toml": "toml", ".json": "json", ".py": "python", ".sh": "bash", ".csv": "text", "": "text"}


def place(path: str) -> str:
    """Where a file of the repository stands in the site, as a path from the site's root."""
    if path in _NAMES:
        return _NAMES[path]
    below = PurePosixPath(path)
    if below.parts[0] == "docs" and below.suffix in (".md", *KEPT):
        below = PurePosixPath(*below.parts[1:])
        return str(below.with_name("index.md") if below.name == FRONT else below)
    return f"files/{path}" if below.suffix in KEPT else f"files/{path}.md"


def title(root: Path, path: str) -> str:
    """The first heading of a page.

    Raises:
        InputError: The page begins otherwise.
    """
    first = (root / path).read_text("utf-8").partition("\n")[0]
    if not first.startswith("# "):
        raise InputError(f"{path} must begin with its title, as in `# Title`, got {first!r}")
    return first.removeprefix("# ").replace("`", "")


def page(root: Path, path: str) -> tuple[str, list[str]]:
    """The text of a page with the links of the site, and the files of the repository that it links.

    Raises:
        InputError: A link leads nowhere.
    """
    linked, lines = [], []
    for number, line, is_code in _lines((root / path).read_text("utf-8")):
        if is_code:
            lines.append(line)
            continue
        linked += [_resolved(root, path, number, target) for target in _targets(line)]
        lines.append(_LINK.sub(lambda match: _rewritten(root, path, match), line))
    return "".join(lines), linked


def source_page(root: Path, path: str) -> tuple[str, list[str]]:
    """A page that shows a file of the repository, or lists a folder, and the files that it links."""
    item = root / path
    if item.is_dir():
        listed = sorted(one.relative_to(root).as_posix() for one in item.iterdir() if one.is_file())
        shown = [one for one in listed if PurePosixPath(one).suffix in _LANGUAGES and not one.endswith("__init__.py")]
        links = [f"- [{PurePosixPath(one).name}]({_relative(path, one)})\n" for one in shown]
        return f"# {path}/\n\n{''.join(links)}", shown
    language = _LANGUAGES.get(item.suffix, "text")
    # Longer than any run of backticks in the file.
    fence = "`" * 6
    return f"# {path}\n\n{fence}{language}\n{item.read_text('utf-8')}{fence}\n", []


def _lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """Number and text of each line, and whether it belongs to a fenced block."""
    inside = False
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        fence = bool(_FENCE.match(line))
        yield number, line, inside or fence
        inside ^= fence


def _targets(line: str) -> Iterable[str]:
    found = (match[2] for match in _LINK.finditer(line))
    return [target for target in found if not _is_elsewhere(target)]


def _is_elsewhere(target: str) -> bool:
    return "://" in target or target.startswith(("#", "mailto:"))


def _resolved(root: Path, path: str, number: int, target: str) -> str:
    """The file that a link of a page means."""
    file = target.partition("#")[0]
    found = os.path.normpath(PurePosixPath(path).parent / file)
    if found.startswith("..") or not (root / found).exists():
        raise InputError(f"{path}, line {number}: the link to {target} leads nowhere")
    return PurePosixPath(found).as_posix()


def _rewritten(root: Path, path: str, match: re.Match[str]) -> str:
    target = match[2]
    if _is_elsewhere(target):
        return match[0]
    _, hash_, anchor = target.partition("#")
    return f"{match[1]}{_relative(path, _resolved(root, path, 0, target))}{hash_}{anchor}{match[3]}"


def _relative(path: str, target: str) -> str:
    return Path(os.path.relpath(place(target), PurePosixPath(place(path)).parent)).as_posix()
