"""Says by its exit status whether a libclang loads and parses C: libclang_parses.py LIBRARY [CLANG_ARGUMENT ...]

A library that loads may still lack the compiler's own headers (`stddef.h` and its like), and then bindgen fails minutes later.
"""

import ctypes
import sys

PROBE = b"#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n#include <stdio.h>\n"
ERROR = 3  # CXDiagnostic_Error; Fatal is above


class UnsavedFile(ctypes.Structure):
    """CXUnsavedFile: a source file that exists in memory only."""

    _fields_ = [("name", ctypes.c_char_p), ("contents", ctypes.c_char_p), ("length", ctypes.c_ulong)]


def errors(library, arguments):
    """How many of the probe's diagnostics are errors."""
    clang = ctypes.CDLL(library)
    for name in ("clang_createIndex", "clang_parseTranslationUnit", "clang_getDiagnostic"):
        getattr(clang, name).restype = ctypes.c_void_p
    index = ctypes.c_void_p(clang.clang_createIndex(0, 0))
    argv = (ctypes.c_char_p * len(arguments))(*(argument.encode() for argument in arguments))
    probe = UnsavedFile(b"probe.c", PROBE, len(PROBE))
    unit = clang.clang_parseTranslationUnit(index, b"probe.c", argv, len(arguments), ctypes.byref(probe), 1, 0)
    if not unit:
        return 1
    unit = ctypes.c_void_p(unit)
    found = (ctypes.c_void_p(clang.clang_getDiagnostic(unit, i)) for i in range(clang.clang_getNumDiagnostics(unit)))
    return sum(clang.clang_getDiagnosticSeverity(diagnostic) >= ERROR for diagnostic in found)


if __name__ == "__main__":
    sys.exit(1 if errors(sys.argv[1], sys.argv[2:]) else 0)
