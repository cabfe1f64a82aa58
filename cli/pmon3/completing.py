"""What the word under the cursor can become, for the shells: `pmon3 __complete [WORD]...`.

Theory of operation: the words after `pmon3` come as they are typed, the last one up to the
cursor. Each candidate is printed as `WORD TAB TEXT`; a line `:files` or `:folders` leaves it to the
shell. Without flags the tables of `verbs` decide and Typer is never imported; with a flag, or for a
verb whose words pmond does not know, `completing_flags` does. There is nobody to tell an error to:
whatever goes wrong, there are no candidates.
"""

from __future__ import annotations

from collections.abc import Iterator

from pmon3 import output
from pmon3.candidates import Candidate, matching, of_kind
from pmon3.table import visible
from pmon3.verbs import ALIASES, POSITIONALS, PROCESS, SCALED, SUBCOMMAND_OF, VERB_OF
from pmon3_schema.errors import PmonError


def print_candidates(words: list[str]) -> None:
    """Print what the last of these words can become; `--line LINE` instead of words is split here."""
    if words[:1] == ["--line"]:
        words = split(words[1] if len(words) > 1 else "")
    try:
        for candidate in complete(words or [""]):
            text = f"\t{visible(candidate.text)}" if candidate.text else ""
            output.write(f"{visible(candidate.word)}{text}\n")
    except (PmonError, OSError):
        return  # pmond is not there or refuses, or a file cannot be read: no candidates


def split(line: str) -> list[str]:
    """The words after the command of a line that ends at the cursor, as a shell would see them."""
    # Imported here: only bash sends a line.
    import shlex

    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        words = list(lexer)
    except ValueError:  # a quote that is still open
        words = line.split()
    return words[1:] + ([""] if not line or line[-1].isspace() else [])


def complete(words: list[str]) -> Iterator[Candidate]:
    """Candidates for the last word. Raises PmonError when pmond cannot be asked."""
    *before, typed = words
    if before[:1] == ["help"]:
        before = before[1:]
    if not before:
        return matching(typed, _verbs(bool(typed)))
    verb = VERB_OF.get(before[0])
    if verb is None:
        return iter(())
    kinds = _kinds_without_flags(verb, before[1:], typed)
    if kinds is None:
        # Imported here: Typer alone takes longer than asking pmond for its processes.
        from pmon3 import completing_flags

        return completing_flags.complete(verb, before[1:], typed)
    repeated = kinds in ((PROCESS,), (SCALED,))
    given = before[1:] if repeated else []
    place = 0 if repeated else len(before) - 2
    return of_kind(kinds[place], typed, given) if place < len(kinds) else iter(())


def _kinds_without_flags(verb: str, before: list[str], typed: str) -> tuple[str, ...] | None:
    if any(word.startswith("-") for word in (*before, typed)):
        return None
    if verb == "group" and before:
        return POSITIONALS.get(f"group {SUBCOMMAND_OF.get(before[0], before[0])}")
    return POSITIONALS.get(verb)


def _verbs(with_aliases: bool) -> Iterator[Candidate]:
    """All verbs, and their other names where something is typed of one: a whole list needs none twice."""
    for verb, others in ALIASES.items():
        yield Candidate(verb, f"also: {', '.join(others)}" if others else "")
        if with_aliases:
            yield from (Candidate(other, f"the same as {verb}") for other in others)
