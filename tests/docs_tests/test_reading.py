"""The page that leads through the code names files that are there."""

import re

from tests import ROOT


def test_every_file_that_the_page_names_exists() -> None:
    names = set(re.findall(r"`([\w/.]+/[\w/.]+)`", (ROOT / "docs" / "reading.md").read_text("utf-8")))
    assert len(names) > 20
    assert {name for name in names if not (ROOT / name).exists()} == set()


def test_every_package_and_folder_of_the_drawing_exists() -> None:
    drawing = re.findall(
        r"^ {4}(\w*) +([a-z, ]+?) {2,}", (ROOT / "docs" / "reading.md").read_text("utf-8"), re.MULTILINE
    )
    package, folders = "", []
    for name, words in drawing:
        package = name or package
        folders += [f"{package}/{word.strip()}" for word in words.split(",")]
    assert len(folders) > 15
    missing = {name for name in folders if not ((ROOT / name).is_dir() or (ROOT / f"{name}.py").is_file())}
    assert missing == set()
