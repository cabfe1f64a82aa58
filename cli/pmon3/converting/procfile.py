"""A Procfile (foreman, honcho, overmind) and the `.env` beside it: lines `name: command`, each for a
shell."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from pmon3.converting import values
from pmon3.converting.drafts import Draft
from pmon3.converting.settings import Books, CannotConvert, Place, Setting
from pmon3.converting.sources import STDIN, InputFiles, text

_LINE = re.compile(r"([A-Za-z0-9_-]+)\s*:\s*(.+)")
_FIRST_PORT, _BETWEEN = 5000, 100  # of process types, in foreman, honcho and overmind
_GRACE = "5s"
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=(.*)")
_MEANING = (
    "the end of one process does not end the others (`exit_on_end: true` on the one that is to end all)",
    "PS, HONCHO_PROCESS_NAME and the like are not set",
    "what all of them write does not go to one screen: `pmon3 logf '*'` shows it",
)


def convert(path: str, content: bytes, sources: InputFiles, books: Books) -> list[Draft]:
    """The processes of a Procfile. Raises CannotConvert."""
    folder = posixpath.dirname(path)
    variables = _variables(folder, path, sources)
    first = variables.get("PORT", str(_FIRST_PORT))
    port = int(first) if re.fullmatch(r"[0-9]{1,5}", first) else _FIRST_PORT
    drafts: list[Draft] = []
    for number, line in enumerate(text(content).splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.fullmatch(line.strip())
        if found is None:
            raise CannotConvert(f"line {number} is not `name: command`")
        setting = Setting(found[1], found[2].strip(), Place(path, number))
        drafts.append(_draft(setting, port + _BETWEEN * len(drafts), variables, folder, sources, books))
    if not drafts:
        raise CannotConvert("it has no line `name: command`")
    for difference in _MEANING:
        books.differs("procfile", difference)
    return drafts


def _draft(
    setting: Setting, port: int, variables: dict[str, str], folder: str, sources: InputFiles, books: Books
) -> Draft:
    draft = Draft(setting.key, books, setting)
    file, arguments = values.command_by_shell(setting.value)
    cwd = sources.seen_from_home(".", folder)
    relative = "/" in file and not file.startswith("/")
    draft.put("file", sources.seen_from_home(file, folder) if relative else file, setting)
    draft.put("args", arguments, setting)
    draft.put("cwd", cwd)
    own = {"PORT": str(port)}
    env_file = posixpath.join(folder, ".env")
    if variables and _is_read_alike(env_file, sources):
        draft.put("env_file", [sources.seen_from_home(".env", folder)])
    else:
        own = {**variables, **own}
    draft.put("env_vars", own)
    draft.put("restart.policy", "never")
    draft.put("stop.timeout", _GRACE)
    return draft


def _variables(folder: str, path: str, sources: InputFiles) -> dict[str, str]:
    """What `.env` says, as honcho and foreman read it."""
    file = posixpath.join(folder, ".env")
    if path == STDIN or not Path(file).is_file():
        return {}
    return variables_in(sources.text_of(file))


def variables_in(written: str) -> dict[str, str]:
    """The variables of a `.env` file."""
    found = {}
    for line in written.splitlines():
        assigned = _ASSIGNMENT.fullmatch(line)
        if assigned and not line.lstrip().startswith("#"):
            found[assigned[1]] = _unquoted(assigned[2].strip())
    return found


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1]
    if len(value) > 1 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]), value[1:-1])
    return re.split(r"\s#", value, maxsplit=1)[0].rstrip()


def _is_read_alike(file: str, sources: InputFiles) -> bool:
    """Whether pmond reads the file as those tools do: nothing but plain lines, and no escapes."""
    for line in sources.text_of(file).splitlines():
        stripped = line.strip()
        if (
            stripped
            and not stripped.startswith("#")
            and not re.fullmatch(
                r"(?:export )?[A-Za-z_][A-Za-z0-9_.-]*\s*=(?:'[^']*'|\"[^\"\\$`]*\"|[^'\"\\#]*)", stripped
            )
        ):
            return False
    return True
