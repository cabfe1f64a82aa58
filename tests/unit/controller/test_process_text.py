"""What is read of processes and files as text, and what is said of a failed start."""

from __future__ import annotations

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmond.core.model import ExitStatus
from pmond.runtime.processes.environment import inheritable, marker, parse_env_file, parse_marker
from pmond.runtime.processes.failures import Attempt, explain
from pmond.runtime.processes.identity import Stat, parse_stat
from pmond.runtime.processes.reaper import decode_wait_status
from pmond.runtime.processes.usage import Row, next_sample

FIELDS = (
    "S 1 77 78 0 -1 4194560 1 0 0 0 11 12 5 6 20 0 1 0 4711 8192 33 18446744073709551615" + " 0" * 26 + " 256"
)


@given(st.binary(min_size=0, max_size=15).filter(lambda name: b"\0" not in name))
def test_stat_is_read_whatever_the_name(name: bytes) -> None:
    stat = parse_stat(b"123 (" + name + b") " + FIELDS.encode() + b"\n")
    assert stat == Stat("S", 1, 77, 78, 23, 4711, 33, 256, 11, 4194560)
    assert not stat.is_kernels


@given(st.integers(0, 60))
def test_stat_that_is_cut_short_is_an_error(length: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_stat(f"123 (name) {FIELDS}".encode()[:length])


@given(st.integers(0, 255))
def test_wait_status_of_codes(code: int) -> None:
    assert decode_wait_status(code << 8) == ExitStatus(code=code)


@given(st.integers(1, 64), st.booleans())
def test_wait_status_of_signals(number: int, core: bool) -> None:
    assert decode_wait_status(number | (0x80 if core else 0)) == ExitStatus(signal=number)


@pytest.mark.parametrize(
    ("line", "variables"),
    [
        ("A=1", {"A": "1"}),
        ("  export A = 1 ", {"A": "1"}),
        ("# A=1", {}),
        ("", {}),
        ("A=", {"A": ""}),
        ("A=b c # comment", {"A": "b c"}),
        ("A=b#c", {"A": "b#c"}),
        ("A=#", {"A": ""}),
        ("A='b # c' # d", {"A": "b # c"}),
        ('A="b \\"c\\" $d"', {"A": 'b "c" $d'}),
        ("A=b='c'", {"A": "b='c'"}),
        ("\ufeffA=1", {"A": "1"}),
        ("A=1\r\nB=2\r\nA=3", {"A": "3", "B": "2"}),
    ],
)
def test_env_file(line: str, variables: dict[str, str]) -> None:
    assert parse_env_file(line) == variables


@pytest.mark.parametrize(
    "line", ["secret", "=secret", "1A=secret", "A secret=1", "A='secret", "A='secret' y", "A=secret\0"]
)
def test_env_file_names_the_bad_line_and_not_its_text(line: str) -> None:
    with pytest.raises(ValueError, match="line 3") as caught:
        parse_env_file(f"OK=1\n\n{line}\n")
    assert "secret" not in str(caught.value)


VALUE = st.text(st.characters(exclude_characters="\0\n\r'", exclude_categories=["Cs"]))


@given(st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True), VALUE))
def test_env_file_in_quotes_comes_back(variables: dict[str, str]) -> None:
    assert parse_env_file("\n".join(f"{name}='{value}'" for name, value in variables.items())) == variables


@given(st.text(min_size=1), st.integers(0, 10**18 - 1))
def test_marker_comes_back(name: str, number: int) -> None:
    assert parse_marker(marker("uuid", name, number)) == ("uuid", name, number)


@pytest.mark.parametrize(
    "text", ["", "a", "a:b", "a:b:", "a:b:c", ":b:1", "a::1", "a:b:01", "a:b:٣", "a:b:" + "9" * 5000]
)
def test_text_that_is_no_marker(text: str) -> None:
    assert parse_marker(text) is None


def test_messages_to_pmond_are_not_passed_on() -> None:
    given_to_pmond = {
        "PATH": "/bin",
        "NOTIFY_SOCKET": "/x",
        "LISTEN_FDS": "1",
        "PMON3_INSTANCE": "a:b:1",
        "PMON3_CONF": "c",
    }
    assert inheritable(given_to_pmond) == {"PATH": "/bin", "PMON3_CONF": "c"}


@given(
    st.sampled_from(["log", "priority", "limits", "user", "cwd", "exec"]),
    st.sampled_from(sorted(errno.errorcode)),
)
def test_every_failure_is_one_word_and_one_sentence(stage: str, number: int) -> None:
    error = explain(Attempt("web {0}", "/no/{text}/file", "/cwd", "somebody", "/log"), stage, number)
    assert error.reason.isalnum()
    assert error.reason[0].isupper()
    assert error.message.startswith("cannot start web {0}: ")
    assert error.message.endswith(")")
    assert error.errno == number


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE])
def test_lack_of_resources_is_transient_at_every_stage(number: int) -> None:
    errors = [
        explain(Attempt("a", "/f", "/", "", ""), stage, number) for stage in ("log", "cwd", "user", "exec")
    ]
    assert all(error.transient for error in errors)
    assert len({error.reason for error in errors}) == 1


def test_missing_loader_is_told_from_a_missing_program() -> None:
    assert explain(Attempt("a", os.devnull, "/", "", ""), "exec", errno.ENOENT).reason == "InterpreterMissing"


def row(cpu: float, age: float = 10.0) -> Row:
    return Row(1, 0, 1, 5, age, cpu, 0)


def test_first_percentage_is_that_of_the_lifetime() -> None:
    assert next_sample(row(5.0), None, 100.0).percent == 50.0
    assert next_sample(row(5.0, age=0.0), None, 100.0).percent == 0.0


def test_next_percentage_is_that_of_the_time_between() -> None:
    first = next_sample(row(5.0), None, 100.0)
    assert next_sample(row(5.5), first, 101.0).percent == 50.0


def test_samples_in_quick_succession_repeat_the_percentage() -> None:
    first = next_sample(row(5.0), None, 100.0)
    assert next_sample(row(5.02), first, 100.1) is first


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e4), st.floats(0, 1e9))
def test_percentage_is_never_negative(before: float, after: float, elapsed: float, age: float) -> None:
    first = next_sample(row(before, age), None, 0.0)
    assert first.percent >= 0
    assert next_sample(row(after, age), first, elapsed).percent >= 0
