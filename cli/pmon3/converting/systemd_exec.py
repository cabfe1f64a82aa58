"""`Exec…=` lines of a unit: prefixes, words, variables, as commands that do the same here."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from msgspec import Struct

from pmon3.converting.settings import Books, NotCarried, Setting
from pmon3.converting.specifiers import Specifiers
from pmon3.converting.unit_values import split

_PREFIXES = "-@+!:|"
_VARIABLE = re.compile(r"\$\$|\$\{[A-Za-z_]\w*\}")
_KILL = re.compile(r"(?:/usr)?(?:/bin/)?kill\s+-(?:s\s+)?(?:SIG)?([A-Z0-9]+)\s+\$\{?MAINPID\}?\Z")


class ExecLine(Struct, frozen=True):
    """One command of a unit."""

    words: tuple[str, ...]
    argv0: str
    prefixes: str
    needs_shell: bool
    """It has variables that are known only where it runs."""

    def command(self) -> list[str]:
        """Words that do the same here; `/bin/sh -c` with `exec` where there are variables."""
        if not self.needs_shell:
            return list(self.words)
        return ["/bin/sh", "-c", f"exec {self.shell_text()}"]

    def shell_text(self) -> str:
        """The command in the words of a shell. A variable that stands alone may be several words,
        as there."""
        return " ".join(_for_shell(word) if self.needs_shell else shlex.quote(word) for word in self.words)


def read_exec(setting: Setting, specifiers: Specifiers) -> ExecLine:
    """A command of a unit. Raises NotCarried."""
    text = setting.value
    line = text.lstrip(_PREFIXES)
    prefixes = text[: len(text) - len(line)]
    words = [_without_percent(word, specifiers) for word in split(line)]
    argv0 = ""
    if "@" in prefixes:
        if len(words) < 2:
            raise NotCarried("after `@` there is no name for the program")
        argv0 = words.pop(1)
    if not words or not words[0]:
        raise NotCarried("it is empty")
    literal = ":" in prefixes
    variables = not literal and any(_has_variable(word) for word in words)
    argv0 = argv0 if literal else argv0.replace("$$", "$")
    if not literal and not variables:
        words = [word.replace("$$", "$") for word in words]
    return ExecLine(tuple(words), argv0, prefixes, variables)


def tell_prefixes(line: ExecLine, setting: Setting, books: Books, *, is_main: bool) -> None:
    """Tell what a prefix means and cannot be said."""
    if "|" in line.prefixes:
        books.lose(
            setting, "`|` runs it by the shell of the user", "write sh -c yourself", key=f"{setting.key} |"
        )
    if "+" in line.prefixes or "!" in line.prefixes:
        why = "`+` and `!` run it with more rights than the rest of the unit has"
        books.lose(setting, why, "here all of a process runs as `user`", key=f"{setting.key} +")
    if "-" in line.prefixes and is_main:
        why = "`-` makes a success of any end"
        books.lose(setting, why, "see `restart.success_exit_codes`", key=f"{setting.key} -")


def chained(lines: Sequence[ExecLine]) -> list[str]:
    """Commands of a one-shot that run one after the other, each only if those before it succeeded."""
    if len(lines) == 1:
        return lines[0].command()
    parts = [
        f"{line.shell_text()} || true" if "-" in line.prefixes else line.shell_text() for line in lines[:-1]
    ]
    grouped = [f"{{ {part}; }}" if part.endswith("|| true") else part for part in parts]
    return ["/bin/sh", "-c", " && ".join([*grouped, f"exec {lines[-1].shell_text()}"])]


def signal_of(setting: Setting) -> str:
    """The signal that a command such as `/bin/kill -HUP $MAINPID` sends; empty for any other command."""
    found = _KILL.fullmatch(setting.value.lstrip(_PREFIXES).strip())
    return found[1] if found else ""


def hook(line: ExecLine) -> list[str]:
    """A command beside the program, whose failure `-` forgives."""
    if "-" not in line.prefixes:
        return line.command()
    return ["/bin/sh", "-c", f"{line.shell_text()} || true"]


def _has_variable(word: str) -> bool:
    return bool(re.fullmatch(r"\$[A-Za-z_]\w*", word) or re.search(r"\$\{[A-Za-z_]\w*\}", word))


def _for_shell(word: str) -> str:
    if re.fullmatch(r"\$[A-Za-z_]\w*", word):
        return word
    if not re.search(r"\$\{[A-Za-z_]\w*\}", word):
        return shlex.quote(word.replace("$$", "$"))
    parts, at = [], 0
    for found in _VARIABLE.finditer(word):
        parts += [_in_double_quotes(word[at : found.start()]), "\\$" if found[0] == "$$" else found[0]]
        at = found.end()
    return f'"{"".join([*parts, _in_double_quotes(word[at:])])}"'


def _in_double_quotes(text: str) -> str:
    return re.sub(r'([\\"$`])', r"\\\1", text)


def _without_percent(word: str, specifiers: Specifiers) -> str:
    return specifiers.expand(word)
