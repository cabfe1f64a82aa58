"""The `pmon3` command: looks at the verb, runs it, turns whatever happens into an exit code.

Theory of operation: the plain `ls` goes to `quick`; every other verb to `application`, which
imports Typer. This is the only place that prints errors and that knows about Ctrl-C and about a
reader that went away.
"""

from __future__ import annotations

import errno
import os
import sys

from pmon3 import exit_codes, output, quick
from pmon3.host_variable import HOST
from pmon3_schema.errors import ErrorCode, PmonError

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What was printed is still waiting to be written then, and cannot be."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command line; gives the exit code (see `exit_codes`)."""
    words = sys.argv[1:] if arguments is None else arguments
    _open_what_is_closed()
    _tolerate_narrow_encodings()
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except PmonError as error:
        return _fail(error, words)
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
    except (BrokenPipeError, output.ReaderGone):
        _silence_stdout()
        return exit_codes.BROKEN_PIPE
    except OSError as error:
        if error.errno in _DISK_FULL:
            _silence_stdout()
        return _fail(_of_the_system(error), words)
    except Exception as error:
        return _fail(_mistake_of_ours(error), words)


def _run(words: list[str]) -> int:
    if words[:1] == ["__complete"]:
        from pmon3 import completing

        completing.print_candidates(words[1:])
        return exit_codes.DONE
    if any(word.partition("=")[0] in ("--host", "--on") for word in words) or os.environ.get(HOST):
        from pmon3.hosts import elsewhere

        return elsewhere.run(words, _here)
    return _here(words)


def _here(words: list[str]) -> int:
    if words in ([], ["help"]) or words[0] in ("-h", "--help"):
        from pmon3.overview import overview

        output.write(overview(output.style().columns))
        return exit_codes.DONE
    plain = quick.parse(words)
    if plain is not None:
        references, shape = plain
        quick.list_processes(references, shape)
        return exit_codes.DONE
    # Imported here: Typer and pydantic take longer than a whole `ls`.
    from pmon3 import application

    return application.run(words)


def _fail(error: PmonError, words: list[str]) -> int:
    try:
        sys.stdout.flush()
        output.report(error, output.wants_json(words))
    except (BrokenPipeError, output.ReaderGone):
        _silence_stdout()
    return exit_codes.exit_code(error.code)


def _of_the_system(error: OSError) -> PmonError:
    if isinstance(error, FileNotFoundError) and not _is_somewhere():
        why = "cannot use relative paths: the current folder does not exist any more"
        return PmonError(ErrorCode.BAD_REQUEST, why, "cd to another, or write full paths")
    what = f"use {error.filename}" if error.filename else "go on"
    if error.errno in _DISK_FULL and not error.filename:
        what = "write what is to be shown"
    return PmonError(ErrorCode.BAD_REQUEST, f"cannot {what}: {(error.strerror or str(error)).lower()}")


def _is_somewhere() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - pathlib takes as long as all the rest
    except FileNotFoundError:
        return False
    return True


def _mistake_of_ours(error: Exception) -> PmonError:
    if os.environ.get("PMON3_DEBUG"):
        import traceback

        traceback.print_exception(error)
    message = f"cannot go on: {type(error).__name__}: {error}"
    return PmonError(ErrorCode.INTERNAL, message, "a mistake in pmon3; PMON3_DEBUG=true shows where")


def _open_what_is_closed() -> None:
    """Give a standard stream that the caller has closed (`>&-`) to /dev/null.

    Else the next file or socket that is opened gets its number, and what is printed goes there.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def _tolerate_narrow_encodings() -> None:
    # A table in a terminal that cannot show its borders is better than a traceback.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="replace")


def _silence_stdout() -> None:
    # The interpreter flushes stdout once more at its end and would complain.
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError:
        return
