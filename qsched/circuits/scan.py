"""A cheap look at an OpenQASM text before any importer sees it.

The importers of Qiskit do what a text asks for: allocate the qubits that it declares, write out gates that
are broadcast over registers, copy gate definitions into gate definitions. A few hundred bytes can so cost
hours or all memory. The scan goes over the tokens once and refuses a text whose declared sizes, nesting or
written-out operations are over a limit. It understands just enough of both languages for that; what is
wrong with a text in any other way is for the importer to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from qsched.circuits.problems import circuit_error, over_limit
from qsched.circuits.tokens import Token, tokens

if TYPE_CHECKING:
    from qsched.circuits.limits import Limits
    from qsched.errors import CircuitError

LIBRARIES = {2: "qelib1.inc", 3: "stdgates.inc"}

_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_OPERATORS = frozenset("+-*/^%~!&|<>=@") | {"**", "==", "++"}
_SIGNS = _OPENING | _CLOSING | _OPERATORS | frozenset(";,:.#") | {"->"}
# After these the language has text that is not made of its own words and signs.
_OPAQUE = frozenset(["@", "#", "pragma", "cal", "defcal", "defcalgrammar"])
_CEILING = 10**12
_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Source:
    """An OpenQASM text that is safe to import.

    Attributes:
        version: The language, from the text's first statement.
        text: The text, with gate parameters renamed where the importer would confuse them.
    """

    version: Literal[2, 3]
    text: str


def scan(source: str, name: str, limits: Limits) -> Source:
    """Refuse a text that would take an importer too long.

    Args:
        source: OpenQASM 2 or 3.
        name: The circuit's name, for errors.
        limits: What to accept.

    Raises:
        CircuitError: If the text is over a limit, includes a file, or does not say its version.
    """
    if (size := len(source.encode(errors="surrogatepass"))) > limits.source_bytes:
        raise over_limit(name, "bytes of source", size, limits.source_bytes, remedy="split the circuit")
    scanner = _Scanner(name, limits)
    for token in tokens(source):
        scanner.feed(token)
    if scanner.version is None:
        raise _no_version(name)
    return Source(scanner.version, _renamed(source, scanner.renames))


def _no_version(name: str, line: int | None = None) -> CircuitError:
    return circuit_error(name, "the first statement must be 'OPENQASM 2.0;' or 'OPENQASM 3.0;'", line)


def _renamed(source: str, renames: list[tuple[int, str, str]]) -> str:
    """The text with words replaced; ``renames`` holds (offset, old, new) in rising order."""
    parts: list[str] = []
    end = 0
    for start, old, new in renames:
        parts += source[end:start], new
        end = start + len(old)
    return "".join([*parts, source[end:]])


@dataclass(slots=True)
class _Definition:
    """A gate definition: its parameters' new names, and what it costs to write it out."""

    name: str
    nesting: int
    renames: dict[str, str]
    operations: int = 0
    depth: int = 0


@dataclass(slots=True)
class _Scanner:
    name: str
    limits: Limits
    version: Literal[2, 3] | None = None
    renames: list[tuple[int, str, str]] = field(default_factory=list)
    _statement: list[Token] = field(default_factory=list)
    _definition: _Definition | None = None
    _gates: dict[str, _Definition] = field(default_factory=dict)
    _registers: dict[str, int] = field(default_factory=dict)
    _qubits: int = 0
    _clbits: int = 0
    _tokens: int = 0
    _nesting: int = 0
    _operators: int = 0
    _operations: int = 0
    _copies: int = 0

    def feed(self, token: Token) -> None:
        """Take the next token."""
        self._tokens += 1
        if self._tokens == 1 and token.text != "OPENQASM":
            raise _no_version(self.name, token.line)
        if self.version == 3 and self._tokens > self.limits.qasm3_tokens:
            what, remedy = (
                "or more words and signs of OpenQASM 3",
                "its importer is slow: give OpenQASM 2 or QPY",
            )
            raise self._over(what, self._tokens, self.limits.qasm3_tokens, remedy, token.line)
        if not self._statement and token.text in _OPAQUE:
            message = f"'{token.text}': annotations, pragmas and calibrations are not read; leave them out"
            raise circuit_error(self.name, message, token.line)
        if token.kind == "sign":
            self._read_sign(token)
            if token.text in ";{}":
                self._end_statement(token)
                return
        elif token.kind == "number" and len(token.text) > _DIGITS and token.text.isdecimal():
            message = f"a whole number of {len(token.text):,} digits; write it with a decimal point"
            raise circuit_error(self.name, message, token.line)
        elif token.text[0] == "$":
            self._read_hardware_qubit(token)
        if self._definition and (new := self._definition.renames.get(token.text)):
            self.renames.append((token.start, token.text, new))
        self._statement.append(token)

    def _over(self, what: str, value: int, limit: int, remedy: str, line: int) -> CircuitError:
        return over_limit(self.name, what, value, limit, remedy=remedy, line=line)

    def _read_sign(self, token: Token) -> None:
        if token.text not in _SIGNS:
            raise circuit_error(self.name, f"unexpected character {token.text!r}", token.line)
        if token.text in _OPENING:
            self._nesting += 1
            if self._nesting > self.limits.nesting:
                remedy = "flatten the expression or block"
                raise self._over("nested brackets", self._nesting, self.limits.nesting, remedy, token.line)
        elif token.text in _CLOSING:
            self._nesting -= 1
        elif token.text in _OPERATORS:
            self._operators += 1
            if self._operators > self.limits.operators:
                what, remedy = "operators in one argument", "compute the value beforehand"
                raise self._over(what, self._operators, self.limits.operators, remedy, token.line)
        elif token.text in ",;":
            self._operators = 0

    def _read_hardware_qubit(self, token: Token) -> None:
        digits = token.text[1:]
        if not digits.isdecimal() or len(digits) > _DIGITS or int(digits) >= self.limits.qubits:
            message = f"there is no qubit '{token.text[:20]}'; the last is ${self.limits.qubits - 1}"
            raise circuit_error(self.name, message, token.line)

    def _end_statement(self, end: Token) -> None:
        statement, self._statement = self._statement, []
        self._operators = 0
        if statement:
            self._read_statement(statement, end)
        if end.text == "}" and self._definition and self._nesting < self._definition.nesting:
            self._gates[self._definition.name] = self._definition
            self._definition = None

    def _read_statement(self, statement: list[Token], end: Token) -> None:
        first = statement[0]
        if self.version is None:
            self._read_version(statement)
        elif first.text == "include":
            self._read_include(statement)
        elif first.text in ("qreg", "qubit", "creg", "bit"):
            self._read_declaration(statement)
        elif first.text == "let" and len(statement) > 1:
            self._registers[statement[1].text] = max(self._qubits, self._clbits)
        elif first.text == "gate" and end.text == "{":
            self._begin_definition(statement)
        elif first.kind == "word":
            self._read_call(statement)

    def _read_version(self, statement: list[Token]) -> None:
        texts = [token.text for token in statement]
        if len(texts) != 2 or texts[0] != "OPENQASM" or texts[1] not in ("2", "2.0", "3", "3.0", "3.1"):
            raise _no_version(self.name, statement[0].line)
        self.version = 2 if texts[1].startswith("2") else 3

    def _read_include(self, statement: list[Token]) -> None:
        assert self.version is not None
        library = LIBRARIES[self.version]
        if len(statement) != 2 or statement[1].text.strip("\"'") != library:
            message = f"only '{library}' can be included; write the definitions into the circuit"
            raise circuit_error(self.name, message, statement[0].line)

    def _read_declaration(self, statement: list[Token]) -> None:
        """Read ``qreg q[5]``, ``qubit[5] q``, ``qubit q`` and the same of classical bits."""
        keyword, size = statement[0], 1
        texts = [token.text for token in statement]
        if "[" in texts:
            after = texts.index("[") + 1
            if texts[after + 1 : after + 2] != ["]"] or not texts[after].isdecimal():
                message = f"the size of '{keyword.text}' must be a plain number"
                raise circuit_error(self.name, message, keyword.line)
            size = int(texts[after])
        if keyword.text[0] == "q":
            self._qubits += size
            what, value, limit = "qubits", self._qubits, self.limits.qubits
        else:
            self._clbits += size
            what, value, limit = "classical bits", self._clbits, self.limits.clbits
        if value > limit:
            raise self._over(what, value, limit, "declare fewer", keyword.line)
        for token in statement[1:]:
            if token.kind == "word":
                self._registers[token.text] = size
                break

    def _begin_definition(self, statement: list[Token]) -> None:
        texts = [token.text for token in statement]
        renames: dict[str, str] = {}
        if self.version == 3 and "(" in texts and ")" in texts:
            parameters = [token for token in statement[3 : texts.index(")")] if token.kind == "word"]
            names = [token.text for token in parameters]
            # The OpenQASM 3 importer gives arguments to the parameters in alphabetical order, whatever order
            # they were declared in (qiskit-qasm3-import 0.6, GateBuilder).
            if names != sorted(names):
                renames = {old: f"p{index:04}_{old}" for index, old in enumerate(names)}
                self.renames += [(token.start, token.text, renames[token.text]) for token in parameters]
        self._definition = _Definition(texts[1] if len(texts) > 1 else "", self._nesting, renames)

    def _read_call(self, statement: list[Token]) -> None:
        """Count what a gate call, a measurement or any other statement writes out."""
        line = statement[0].line
        texts = [token.text for token in statement]
        operands = _operands(statement)
        if "pow" in texts and len(operands) > self.limits.power_qubits:
            remedy = "write the power out as repeated calls"
            raise self._over("qubits under 'pow'", len(operands), self.limits.power_qubits, remedy, line)
        # Whatever control flow and modifiers stand before it, a defined gate that is named is called.
        callees = [self._gates[text] for text in texts if text in self._gates]
        factor = self._modifier_factor(texts, line)
        operations = factor * (sum(gate.operations for gate in callees) or 1)
        if self._definition is None and texts[0] != "barrier":
            operations *= max([1, *(self._registers.get(operand, 1) for operand in operands)])
        operations = min(operations, _CEILING)
        if self.version == 3 and (callees or factor > 1):
            self._copies += operations
        if self._definition is None:
            self._operations += operations
        else:
            self._definition.operations = min(self._definition.operations + operations, _CEILING)
            self._definition.depth = max([self._definition.depth, *(gate.depth + 1 for gate in callees)])
        self._check_sizes(line)

    def _modifier_factor(self, texts: list[str], line: int) -> int:
        """What ``ctrl @``, ``ctrl(n) @``, ``inv @`` and ``pow(x) @`` multiply the work of a call by."""
        factor = 1
        for text, bracket, argument in zip(texts, texts[1:], texts[2:], strict=False):
            if text in ("ctrl", "negctrl"):
                controls = int(argument) if bracket == "(" and argument.isdecimal() else 1
                if controls > self.limits.qubits:
                    raise self._over("controls", controls, self.limits.qubits, "use fewer", line)
                factor = min(factor * 8 * max(controls, 1), _CEILING)
            elif text in ("inv", "pow"):
                factor = min(factor * 2, _CEILING)
        return factor

    def _check_sizes(self, line: int) -> None:
        limits = self.limits
        written_out, depth = self._operations, 0
        if self._definition:
            written_out, depth = max(written_out, self._definition.operations), self._definition.depth
        if depth > limits.nesting:
            remedy = "define gates in terms of simpler ones"
            raise self._over("gate definitions inside one another", depth, limits.nesting, remedy, line)
        if written_out > limits.operations:
            what, remedy = "operations when written out", "split the circuit"
            raise self._over(what, written_out, limits.operations, remedy, line)
        if self._copies > limits.qasm3_copies:
            what = "operations inside gate definitions"
            remedy = "the importer of OpenQASM 3 is slow: give OpenQASM 2 or QPY"
            raise self._over(what, self._copies, limits.qasm3_copies, remedy, line)


def _operands(statement: list[Token]) -> list[str]:
    """What a call acts on: the words outside brackets after the gate's name.

    An operand with a single index stands for one bit and is called "".
    """
    words: list[str] = []
    depth, inside = 0, 0
    begin = max((index + 1 for index, token in enumerate(statement) if token.text == "@"), default=0)
    for token in statement[begin:]:
        if token.text in _OPENING:
            depth += 1
            inside = 0
        elif token.text in _CLOSING:
            depth -= 1
            if token.text == "]" and depth == 0 and inside == 1 and words:
                words[-1] = ""
        elif depth:
            inside += 1
        elif token.kind == "word":
            words.append(token.text)
    return words[1:]
