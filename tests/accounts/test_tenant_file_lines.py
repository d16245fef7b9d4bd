"""The line of every key, compared with what tomllib reads."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backoffice.accounts.tenant_file.lines import KeyPath, key_lines

AWKWARD = '''\
# a comment with [brackets] and "quotes"
title = "a # no comment [x] = 1" # a comment
"quoted key" = 'literal \\ "x"'
a.b . "c.d" = 1
text = """
[not.a.table]
key = "in a string" \\
""" # after
other = \'\'\'
x = '' [y]\'\'\'
many = [ # first
  1, # one ] is no end
  [2, "]"],

  { x = 1, y = { z = [3] } },
]
when = 1979-05-27 07:32:00
quotes = """a"b""c"""""
[later.sub] # its parent comes below
k = 1
[later]
k = 2
[[people]]
name = "a"
[people.address]
city = "x"
[[people]]
name = "b"
[[people.phones]]
n = 1
[[people.phones]]
n = 2
'''


def paths(value: Any, at: KeyPath = ()) -> set[KeyPath]:
    found = {at}
    if isinstance(value, dict):
        for key, below in value.items():
            found |= paths(below, (*at, key))
    elif isinstance(value, list):
        for n, below in enumerate(value):
            found |= paths(below, (*at, n))
    return found


def test_every_path_of_an_awkward_file_has_its_line() -> None:
    lines = key_lines(AWKWARD)
    assert set(lines) == paths(tomllib.loads(AWKWARD))
    expected: dict[KeyPath, int] = {
        ("title",): 2,
        ("quoted key",): 3,
        ("a", "b", "c.d"): 4,
        ("text",): 5,
        ("other",): 9,
        ("many", 0): 12,
        ("many", 1, 1): 13,
        ("many", 2, "y", "z", 0): 15,
        ("when",): 17,
        ("quotes",): 18,
        ("later", "sub", "k"): 20,
        ("later",): 21,
        ("later", "k"): 22,
        ("people", 0, "address", "city"): 26,
        ("people", 1): 27,
        ("people", 1, "phones", 1, "n"): 32,
    }
    assert {path: lines[path] for path in expected} == expected


KEYS = st.sampled_from(["a", "b-1", '"c d"', "'e.f'", '"#"', "0"])
SCALARS = st.sampled_from(
    ['"x"', "'[y]'", "1", "-0.5", "true", "2026-11-09", '"""\n[z]\n#"""', "'''\n'a'\n'''", '"\\"#"', "07:32:00"]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[\n" + ", # ]\n".join(items) + "\n]"),
        st.lists(st.tuples(st.sampled_from("pqr"), inner), max_size=3, unique_by=lambda pair: pair[0]).map(
            lambda pairs: "{ " + ", ".join(f"{key} = {value}" for key, value in pairs) + " }"
        ),
    ),
    max_leaves=6,
)
TABLES = st.lists(
    st.tuples(
        st.sampled_from(["[t1]", '[t1."s.s"]', "[[list]]", "[[list.inner]]", "[ list.one ]", "[t2.deep.er]"]),
        st.lists(st.tuples(KEYS, VALUES), max_size=3, unique_by=lambda pair: pair[0].strip("\"'")),
    ),
    max_size=5,
)


@given(TABLES)
def test_paths_agree_with_tomllib_and_lines_hold_the_key(tables: list[tuple[str, list[tuple[str, str]]]]) -> None:
    text = "".join(
        f"{header} # [no]\n" + "".join(f"{key} = {value}\n\n" for key, value in pairs) for header, pairs in tables
    )
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # a table twice, or an inline table over lines: not this scanner's business
    lines = key_lines(text)
    assert set(lines) == paths(data)
    written = text.split("\n")
    for path, line in lines.items():
        if path and isinstance(path[-1], str):
            assert path[-1] in written[line - 1]


@pytest.mark.parametrize("text", ["", "\n\n# nothing\n", "x = 1"])
def test_small_files(text: str) -> None:
    assert set(key_lines(text)) == paths(tomllib.loads(text))


@pytest.mark.parametrize(
    "text", ["a = 1\nb = [", "a = 1\n= 2", "a = 1\n[b", "a = 1\nb = [ , ]", "a = 1\nb = { , }", "a = 1\n?"]
)
def test_a_text_that_is_no_toml_ends_the_scan(text: str) -> None:
    assert key_lines(text)["a",] == 1
