"""What an app of pm2 runs: its script, the interpreter of that, and arguments."""

from __future__ import annotations

import posixpath
import shlex
from typing import Any

from pmon3.converting import values
from pmon3.converting.drafts import Draft
from pmon3.converting.relaxed_json import in_javascript
from pmon3.converting.settings import Section, Setting
from pmon3.converting.sources import InputFiles

_INTERPRETERS = {
    ".js": "node", ".cjs": "node", ".mjs": "node", ".py": "python3", ".sh": "bash", ".rb": "ruby",
    ".pl": "perl",
    ".php": "php", ".coffee": "coffee", ".ls": "lsc", ".ts": "bun", ".tsx": "bun", ".bash": "bash",
}  # fmt: skip
_PROGRAMS = frozenset(_INTERPRETERS.values()) | {
    "npm",
    "npx",
    "yarn",
    "pnpm",
    "python",
    "serve",
    "java",
    "deno",
    "go",
}


def interpreter_of(section: Section, script: str) -> str:
    """What runs a script: none for a program, empty where only its content could tell."""
    given = section.read("interpreter", values.text, "")
    if given:
        return given
    ending = posixpath.splitext(script)[1]
    if ending in _INTERPRETERS:
        return _INTERPRETERS[ending]
    if "/" not in script and not ending and script in _PROGRAMS:
        return "none"
    return "" if not ending else "none"


def carry_program(draft: Draft, section: Section, script: Setting, cwd: str, sources: InputFiles) -> None:
    """File and arguments of an app; `cwd` as the manifest has it."""
    line = script.value
    if " " in line.strip():
        draft.put("file", "bash", script)
        draft.put("args", ["-c", values.with_exec(line.strip())], script)
        section.lose(
            "args",
            "pm2 does not use them where the script is a command line",
            "write them into the script",
        )
        return
    interpreter = interpreter_of(section, line)
    path = line
    if interpreter == "" and "/" not in line:
        interpreter = "none"  # a program on PATH, unless a file of that name lies there
    elif interpreter == "":
        interpreter = "node"  # what pm2 takes for a script without an ending
        section.books.differs(
            draft.name,
            f"{line} is taken for a script of node; where it is a program, set interpreter: none",
        )
    is_path = "/" in line or interpreter != "none" or posixpath.splitext(line)[1] != ""
    if is_path:
        path = sources.seen_from_home(line, cwd, sources.home)
    arguments = _words(section, "args")
    if interpreter == "none":
        draft.put("file", path, script)
        draft.put("args", arguments, section.take("args"))
        section.lose("node_args", "there is no interpreter that would take them", "see `args`")
        return
    # An argument counts from the working folder, `file` from that of the manifest.
    argument = line if not line.startswith("~") else path
    draft.put("file", _interpreter(section, interpreter, cwd, sources), section.take("interpreter") or script)
    draft.put("args", [*_words(section, "node_args"), argument, *arguments], script)


def _interpreter(section: Section, interpreter: str, cwd: str, sources: InputFiles) -> str:
    if "@" in interpreter:
        setting = section.take("interpreter")
        if setting is not None:
            section.books.lose(setting, "versions of node are not looked up", "write the path of that node")
        return interpreter.partition("@")[0]
    return sources.seen_from_home(interpreter, cwd, sources.home) if "/" in interpreter else interpreter


def _words(section: Section, key: str) -> list[str]:
    def read(value: Any) -> list[str]:
        if isinstance(value, list):
            return [in_javascript(word) for word in value]
        return shlex.split(values.text(value))

    setting = section.take(key)
    try:
        return read(setting.value) if setting is not None else []
    except ValueError as error:
        assert setting is not None
        section.books.lose(setting, f"its quotes cannot be read: {str(error).lower()}", "close the quote")
        return []
