"""Whether the size of a tensor in an exported program is arithmetic and nothing else.

Sizes are kept as text and evaluated as Python with sympy's names, so that any text could run.
"""

from __future__ import annotations

import ast
import re

SYMBOLIC = frozenset(
    {
        *("Symbol", "Integer", "Float", "Rational", "Add", "Mul", "Pow", "Mod", "Min", "Max"),
        *("FloorDiv", "ModularIndexing", "PythonMod", "CleanDiv", "CeilDiv", "CeilToInt"),
        *("FloorToInt", "TruncToInt", "RoundToInt", "ToFloat", "IntTrueDiv", "FloatTrueDiv"),
        *("Identity", "Where", "Eq", "Ne", "Lt", "Le", "Gt", "Ge", "And", "Or", "Not"),
        *("Equality", "Unequality", "StrictLessThan", "LessThan", "StrictGreaterThan"),
        *("GreaterThan", "floor", "ceiling", "true", "false", "oo", "int_oo"),
    }
)
SYMBOL = re.compile(r"[A-Za-z]{1,4}\d{1,9}")
ASSUMPTIONS = frozenset(
    {"positive", "negative", "nonnegative", "integer", "real", "zero", "finite"}
)
HARMLESS = (
    *(ast.Expression, ast.Load, ast.BinOp, ast.UnaryOp, ast.Compare, ast.unaryop, ast.cmpop),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow),
    *(ast.BitAnd, ast.BitOr),
)
LONGEST_EXPRESSION = 2000  # characters
HIGHEST_POWER, MOST_POWERS, LARGEST_NUMBER = 4, 4, 1 << 63


class Objection(Exception):  # noqa: N818 - it is no error of the program's
    """What stands against loading a file."""


def vet_size(text: str) -> None:
    """Let symbolic arithmetic pass.

    Raises:
        Objection: it is anything else, or could grow without bounds.
    """
    if len(text) > LONGEST_EXPRESSION:
        raise Objection("a size that is too long an expression")
    try:
        nodes = list(ast.walk(ast.parse(text, mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Objection(f"the size {text[:80]!r}") from error
    powers = sum(_is_power(node) for node in nodes)
    # Text stands for the name of a symbol and for nothing else.
    names = [name for node in nodes if (name := _symbol(node)) is not None]
    rest = [node for node in nodes if not any(node is name for name in names)]
    if powers > MOST_POWERS or not all(map(_is_arithmetic, rest)):
        raise Objection(f"the size {text[:80]!r}")


def _symbol(node: ast.AST) -> ast.AST | None:
    """The name in ``Symbol('s0', ...)``, when it is one."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
        name = node.args[0]
        if node.func.id == "Symbol" and isinstance(name, ast.Constant):
            plain = isinstance(name.value, str) and SYMBOL.fullmatch(name.value)
            return name if plain else None
    return None


def _is_power(node: ast.AST) -> bool:
    return isinstance(node, ast.Pow) or (isinstance(node, ast.Name) and node.id == "Pow")


def _is_arithmetic(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return node.id in SYMBOLIC or SYMBOL.fullmatch(node.id) is not None
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (int, float)) and abs(node.value) <= LARGEST_NUMBER
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return _is_small(node.right)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and (
            node.func.id != "Pow" or (len(node.args) == 2 and _is_small(node.args[1]))
        )
    if isinstance(node, ast.keyword):
        return node.arg in ASSUMPTIONS and isinstance(node.value, ast.Constant)
    return isinstance(node, HARMLESS)


def _is_small(node: ast.AST) -> bool:
    """An exponent such as 2, -1 or ``Integer(2)``."""
    if isinstance(node, ast.Call) and len(node.args) == 1:
        node = node.args[0]
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, int)
        and node.value <= HIGHEST_POWER
    )
