"""Reads the LaTeX of a table strictly: what it does not know is an error."""

import re

_TOKEN = re.compile(
    r"(?P<comment>%[^\n]*\n)|\\begin\{(?P<begin>\w+)\}|\\end\{(?P<end>\w+)\}|\\(?P<word>[A-Za-z]+)|(?P<line>\\\\)"
    r"|(?P<sign>\\[&%$#_{}])|(?P<brace>[{}])|(?P<math>\$[-<>|]\$)|(?P<cell>&)|(?P<forbidden>[#_^\\\"|<>$])|(?P<text>.)",
    re.DOTALL,
)
_WORDS = {
    *("centering", "footnotesize", "setlength", "tabcolsep", "renewcommand", "arraystretch", "caption", "label"),
    *("resizebox", "ifdim", "width", "linewidth", "else", "fi", "toprule", "midrule", "bottomrule", "shortstack"),
    *("item", "textbackslash", "textasciitilde", "textasciicircum"),
}


class _Reader:
    """What is open while a text is read, and the columns of the lines so far."""

    def __init__(self) -> None:
        self.tabulars: list[list[int]] = []
        self.environments: list[str] = []
        self.depths: list[int] = [0]
        self.depth = 0

    def read(self, kind: str, token: str) -> None:
        match kind:
            case "begin":
                self.environments.append(token)
                self.depths.append(self.depth)
                self.tabulars += [[1]] if token == "tabular" else []
            case "end":
                assert self.environments.pop() == token
                assert self.depths.pop() == self.depth
            case "word":
                assert token in _WORDS, f"an unknown command {token}"
            case "brace":
                self.depth += 1 if token == "{" else -1
                assert self.depth >= 0, "a brace closes that was never opened"
            case "cell":
                assert self.environments[-1] == "tabular"
                self.tabulars[-1][-1] += 1
            case "line" if self.depth == self.depths[-1]:
                self.tabulars[-1].append(1)
            case "forbidden":
                raise AssertionError(f"{token!r} must be escaped")


def read_tabulars(text: str) -> list[list[int]]:
    """Columns of each line of each `tabular`; an assertion fails where LaTeX would stop or show another character."""
    reader = _Reader()
    # The one place where a sign that text must escape is part of a command.
    for match in _TOKEN.finditer(text.replace(r"\ifdim\width>\linewidth", "")):
        kind = match.lastgroup or ""
        reader.read(kind, match[kind])
    assert (reader.depth, reader.environments) == (0, [])
    # After the last line break there is only the bottom rule.
    return [columns[:-1] for columns in reader.tabulars]
