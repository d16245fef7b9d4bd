"""The formulas of a derivation, worked out: `+ - * /`, `min`, `max`, `round_half_up(x, to)` and `cut(x, to)`, the
multiple of `to` at or below a number, over named numbers."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from contextlib import suppress
from fractions import Fraction
from functools import lru_cache

Rounding = Callable[[Fraction, Fraction], Fraction]
_OPERATORS: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip


def half_up(number: Fraction, to: Fraction) -> Fraction:
    """The nearest multiple of `to`, a half going up."""
    return (number / to + Fraction(1, 2)).__floor__() * to


def evaluate(formula: str, values: Mapping[str, Fraction], rounding: Rounding = half_up) -> Fraction:
    """The exact value. KeyError for a name without a value, ValueError for anything that is no formula of a step,
    ZeroDivisionError. `rounding` takes the place of `round_half_up`, for who asks what another rounding gives."""
    return _value(_parsed(formula), values, rounding)


@lru_cache(maxsize=4_096)
def _parsed(formula: str) -> ast.expr:
    try:
        return ast.parse(formula, mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"{formula} is no formula") from error


def _value(node: ast.expr, values: Mapping[str, Fraction], rounding: Rounding) -> Fraction:
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.Constant):
        with suppress(ValueError):
            return Fraction(str(node.value))
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.left, values, rounding), _value(node.right, values, rounding))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, values, rounding)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        numbers = [_value(each, values, rounding) for each in node.args]
        if node.func.id in {"min", "max"} and numbers:
            return min(numbers) if node.func.id == "min" else max(numbers)
        if node.func.id == "round_half_up" and len(numbers) == 2:
            return rounding(*numbers)
        if node.func.id == "cut" and len(numbers) == 2:
            return (numbers[0] / numbers[1]).__floor__() * numbers[1]
    raise ValueError(f"{ast.unparse(node)} is no formula of a step")
