"""Where the text of an SQL statement comes from: a small proof that no value from outside is written into it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeGuard

Function = ast.FunctionDef | ast.AsyncFunctionDef

RUNS_SQL = {"fetch": 1, "fetch_one": 1, "fetch_value": 1, "execute": 1, "text": 0}
"""Function → which argument is SQL. As a method of a connection it is the first one."""

_PASSES_ON = {"format", "join", "replace", "items", "values", "strip"}
_COPIES = {"enumerate", "sorted", "zip", "list", "tuple", "reversed"}
_NUMBERS = {"len", "range"}


@dataclass
class Module:
    """One file; other modules of its folder can be looked into."""

    tree: ast.Module
    file: Path | None = None

    def function(self, name: str) -> Function | None:
        found = (node for node in self.tree.body if isinstance(node, Function) and node.name == name)
        return next(found, None)

    def sibling(self, name: str) -> "Module | None":
        file = self.file.with_name(f"{name}.py") if self.file else None
        return Module(ast.parse(file.read_text()), file) if file and file.exists() else None

    def foreign(self) -> Iterator[tuple[int, str]]:
        """SQL with something in it that may come from outside: line and text."""
        for node in self.tree.body:
            if is_made_constant(node) and not Scope(self, None).ours(node.value):
                yield node.lineno, ast.unparse(node.value)
        for function in ast.walk(self.tree):
            if isinstance(function, Function):
                scope = Scope(self, function)
                statements = [statement_of(call) for call in ast.walk(function) if isinstance(call, ast.Call)]
                for sql in statements:
                    if sql is not None and not scope.ours(sql):
                        yield sql.lineno, ast.unparse(sql)


def is_made_constant(node: ast.stmt) -> TypeGuard[ast.Assign]:
    """A constant that is put together from others."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.JoinedStr | ast.BinOp):
        return False
    return all(isinstance(target, ast.Name) and target.id.isupper() for target in node.targets)


def statement_of(call: ast.Call) -> ast.expr | None:
    """The SQL of a call that runs some."""
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if name not in RUNS_SQL:
        return None
    at = RUNS_SQL[name]
    if isinstance(call.func, ast.Attribute) and name != "text":
        if ast.unparse(call.func.value) not in {"connection", "op"}:
            return None
        at = 0
    return call.args[at] if len(call.args) > at else None


@dataclass
class Scope:
    """What the names in one function stand for. Text is *ours* when only this repository can have written it."""

    module: Module
    function: Function | None
    _given: dict[str, list[ast.expr]] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for node in ast.walk(self.function) if self.function else []:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    self._bind(target, node.value)
            elif isinstance(node, ast.AnnAssign | ast.AugAssign) and node.value is not None:
                self._bind(node.target, node.value)
            elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
                self._bind(node.target, node.iter)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "append":
                self._bind(node.func.value, node.args[0])

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._given.setdefault(target.id, []).append(value)
        elif isinstance(target, ast.Tuple):
            for index, part in enumerate(target.elts):
                self._bind(part, ast.Subscript(value, ast.Constant(index)) if isinstance(value, ast.Call) else value)

    def ours(self, node: ast.expr) -> bool:
        """True when no value from outside can be in it."""
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) if name.isupper():
                return True
            case ast.Name(id=name):
                return self._variable(name)
            case ast.Subscript(value=ast.Call() as call, slice=ast.Constant(value=int(index))):
                return self._call(call, index)
            case ast.Call():
                return self._call(node, None)
            case ast.Attribute():
                # Numbers out of the settings, such as a time-out, for which no placeholder may stand.
                return ast.unparse(node).startswith("context.limits.")
        return isinstance(node, ast.Constant) or self._made_of_ours(node)

    def _made_of_ours(self, node: ast.expr) -> bool:
        match node:
            case ast.JoinedStr(values=parts) | ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Dict(values=parts):
                return all(self.ours(part) for part in parts)
            case ast.BinOp(left=first, right=second) | ast.IfExp(body=first, orelse=second):
                return self.ours(first) and self.ours(second)
            case ast.FormattedValue(value=value) | ast.Subscript(value=value) | ast.Starred(value=value):
                return self.ours(value)
            case ast.GeneratorExp(elt=value) | ast.ListComp(elt=value):
                return self.ours(value)
        return False

    def _variable(self, name: str) -> bool:
        if name in self._asked:
            return True
        self._asked.add(name)
        values = self._given.get(name, [])
        return (bool(values) or self._is_given_ours(name)) and all(self.ours(value) for value in values)

    def _is_given_ours(self, name: str) -> bool:
        """A parameter that is a number, or of a private function to which every caller gives text of ours."""
        parameters = self.function.args.args if self.function else []
        names = [one.arg for one in parameters]
        if self.function is None or name not in names:
            return False
        annotation = parameters[names.index(name)].annotation
        if isinstance(annotation, ast.Name) and annotation.id == "int":
            return True
        if not self.function.name.startswith("_"):
            return False
        found = []
        for caller in (node for node in ast.walk(self.module.tree) if isinstance(node, Function)):
            for call in (node for node in ast.walk(caller) if isinstance(node, ast.Call)):
                if isinstance(call.func, ast.Name) and call.func.id == self.function.name:
                    at = names.index(name)
                    given = call.args[at : at + 1] or [one.value for one in call.keywords if one.arg == name]
                    found.append(bool(given) and Scope(self.module, caller).ours(given[0]))
        return bool(found) and all(found)

    def _call(self, node: ast.Call, index: int | None) -> bool:
        """The call's result, or its part `index` when it is a tuple."""
        given = [*node.args, *(one.value for one in node.keywords)]
        match node.func:
            case ast.Name(id=name) if name in _NUMBERS:
                return True
            case ast.Name(id=name) if name in _COPIES:
                return all(self.ours(one) for one in given)
            case ast.Name(id=name):
                return returns_ours(self.module, name, index)
            case ast.Attribute(attr=name, value=owner) if name in _PASSES_ON:
                return self.ours(owner) and all(self.ours(one) for one in given)
            case ast.Attribute(attr=name, value=ast.Name(id=owner_name)):
                return returns_ours(self.module.sibling(owner_name), name, index)
        return False


def returns_ours(module: Module | None, name: str, index: int | None) -> bool:
    """Everything that a function returns, or part `index` of its tuples, is ours."""
    function = module.function(name) if module else None
    if module is None or function is None:
        return False
    returned = [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value]
    if index is not None:
        returned = [value.elts[index] if isinstance(value, ast.Tuple) else value for value in returned]
    return bool(returned) and all(Scope(module, function).ours(value) for value in returned)
