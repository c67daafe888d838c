"""The decoder of A64 instructions, on words put together from the fields of the Arm manual (DDI 0487, C4, C6, C7)."""

import ctypes
import shutil
import subprocess

import pytest

from experiments.emulate.counts import KINDS
from experiments.emulate.folder import SOURCES


class Decoded(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_uint32), ("loaded", ctypes.c_uint32), ("stored", ctypes.c_uint32))


@pytest.fixture(scope="module")
def decode(tmp_path_factory):
    """Word to (kind, bytes loaded, bytes stored), as the plugin sees it."""
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed, and the decoder is C")
    library = tmp_path_factory.mktemp("decode") / "decode.so"
    source = next(path for path in SOURCES if path.name == "decode.c")
    subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library, source], check=True)
    function = ctypes.CDLL(str(library)).decode

    def decoded(word: int) -> tuple[str, int, int]:
        out = Decoded()
        function(ctypes.c_uint32(word), ctypes.byref(out))
        return KINDS[out.kind], out.loaded, out.stored

    return decoded


def fields(text: str) -> int:
    """A word from its bit fields, written from bit 31 down."""
    digits = text.replace(" ", "")
    assert len(digits) == 32
    return int(digits, 2)


# 0 Q U 01110 size 1 Rm opcode 1 Rn Rd, by element 0 Q U 01111 size L M Rm opcode H 0 Rn Rd.
FMA = {
    "fmla v0.4s, v1.4s, v2.4s": "0 1 0 01110 0 0 1 00010 11001 1 00001 00000",
    "fmla v0.2s, v1.2s, v2.2s": "0 0 0 01110 0 0 1 00010 11001 1 00001 00000",
    "fmla v0.2d, v1.2d, v2.2d": "0 1 0 01110 0 1 1 00010 11001 1 00001 00000",
    "fmls v31.4s, v30.4s, v29.4s": "0 1 0 01110 1 0 1 11101 11001 1 11110 11111",
    "fmla v0.8h, v1.8h, v2.8h": "0 1 0 01110 0 10 00010 00 001 1 00001 00000",
    "fmla v16.4s, v8.4s, v0.s[0]": "0 1 0 01111 10 0 0 0000 0001 0 0 01000 10000",
    "fmla v16.4s, v8.4s, v31.s[3]": "0 1 0 01111 10 1 1 1111 0001 1 0 01000 10000",
    "fmls v16.4s, v8.4s, v1.s[1]": "0 1 0 01111 10 1 0 0001 0101 0 0 01000 10000",
    "fmla v16.8h, v8.8h, v1.h[0]": "0 1 0 01111 00 0 0 0001 0001 0 0 01000 10000",
}
NEON = {
    "fadd v0.4s, v1.4s, v2.4s": "0 1 0 01110 0 0 1 00010 11010 1 00001 00000",
    "fmul v0.4s, v1.4s, v2.4s": "0 1 1 01110 0 0 1 00010 11011 1 00001 00000",
    "fmul v0.4s, v1.4s, v2.s[0]": "0 1 0 01111 10 0 0 0010 1001 0 0 00001 00000",
    "mla v0.4s, v1.4s, v2.s[0]": "0 1 1 01111 10 0 0 0010 0000 0 0 00001 00000",
    "fmadd s0, s1, s2, s3": "0 0 0 11111 00 0 00010 0 00011 00001 00000",
    "dup v0.4s, w1": "0 1 0 01110000 00100 0 0001 1 00001 00000",
    "fmov s0, w1": "0 0 0 11110 00 1 00 111 000000 00001 00000",
}
BRANCHES = {
    "b": "0 00101 00000000000000000000000100",
    "bl": "1 00101 00000000000000000000000100",
    "b.ne": "0101010 0 0000000000000000100 0 0001",
    "cbz w0": "0 011010 0 0000000000000000100 00000",
    "cbnz x0": "1 011010 1 0000000000000000100 00000",
    "tbnz x3, #63": "1 011011 1 11111 00000000000100 00011",
    "ret": "1101011 0 0 10 11111 0000 0 0 11110 00000",
    "blr x1": "1101011 0 0 01 11111 0000 0 0 00001 00000",
}
OTHER = {
    "nop": "1101010100 0 00 011 0010 0000 000 11111",
    "svc #0": "11010100 000 0000000000000000 000 01",
    "add x0, x1, #1": "1 0 0 100010 0 000000000001 00001 00000",
    "subs x0, x1, x2": "1 1 1 01011 00 0 00010 000000 00001 00000",
    "madd x0, x1, x2, x3": "1 00 11011 000 00010 0 00011 00001 00000",
    "prfm pldl1keep, [x0, #256]": "11 111 0 01 10 000000100000 00000 00000",
    "prfm pldl1keep, [x0, x1]": "11 111 0 00 10 1 00001 011 0 10 00000 00000",
    "prfum pldl1keep, [x0]": "11 111 0 00 10 0 000000000 00 00000 00000",
    "prfm literal": "11 011 0 00 0000000000000000001 00000",
    "no instruction": "0000 0000 0000 0000 0000 0000 0000 0000",
}
LOADS = {
    "ldrb w0, [x1]": ("00 111 0 01 01 000000000000 00001 00000", 1),
    "ldrsh x0, [x1]": ("01 111 0 01 10 000000000000 00001 00000", 2),
    "ldrsw x0, [x1]": ("10 111 0 01 10 000000000000 00001 00000", 4),
    "ldr w0, [x1]": ("10 111 0 01 01 000000000000 00001 00000", 4),
    "ldr x0, [x1], #8": ("11 111 0 00 01 0 000001000 01 00001 00000", 8),
    "ldr x0, [x1, x2]": ("11 111 0 00 01 1 00010 011 0 10 00001 00000", 8),
    "ldr b0, [x1]": ("00 111 1 01 01 000000000000 00001 00000", 1),
    "ldr s0, [x1]": ("10 111 1 01 01 000000000000 00001 00000", 4),
    "ldr d0, [x1]": ("11 111 1 01 01 000000000000 00001 00000", 8),
    "ldr q0, [x1]": ("00 111 1 01 11 000000000000 00001 00000", 16),
    "ldur q0, [x1, #-16]": ("00 111 1 00 11 0 111110000 00 00001 00000", 16),
    "ldr q0, [x1, x2]": ("00 111 1 00 11 1 00010 011 0 10 00001 00000", 16),
    "ldr x0, literal": ("01 011 0 00 0000000000000000001 00000", 8),
    "ldr q0, literal": ("10 011 1 00 0000000000000000001 00000", 16),
    "ldp w0, w1, [x2]": ("00 101 0 010 1 0000000 00001 00010 00000", 8),
    "ldpsw x0, x1, [x2]": ("01 101 0 010 1 0000000 00001 00010 00000", 8),
    "ldp x0, x1, [sp], #16": ("10 101 0 001 1 0000010 00001 11111 00000", 16),
    "ldp s0, s1, [x2]": ("00 101 1 010 1 0000000 00001 00010 00000", 8),
    "ldnp d0, d1, [x2]": ("01 101 1 000 1 0000000 00001 00010 00000", 16),
    "ldp q0, q1, [x2]": ("10 101 1 010 1 0000000 00001 00010 00000", 32),
    "ld1 {v0.4s}, [x1]": ("0 1 0011000 1 000000 0111 10 00001 00000", 16),
    "ld1 {v0.2s}, [x1]": ("0 0 0011000 1 000000 0111 10 00001 00000", 8),
    "ld1 {v0.4s-v3.4s}, [x1], #64": ("0 1 0011001 1 0 11111 0010 10 00001 00000", 64),
    "ld1 {v0.4s-v2.4s}, [x1]": ("0 1 0011000 1 000000 0110 10 00001 00000", 48),
    "ld1 {v0.4s-v1.4s}, [x1]": ("0 1 0011000 1 000000 1010 10 00001 00000", 32),
    "ld4 {v0.4s-v3.4s}, [x1]": ("0 1 0011000 1 000000 0000 10 00001 00000", 64),
    "ld3 {v0.8b-v2.8b}, [x1]": ("0 0 0011000 1 000000 0100 00 00001 00000", 24),
    "ld2 {v0.4s-v1.4s}, [x1]": ("0 1 0011000 1 000000 1000 10 00001 00000", 32),
    "ld1 {v0.s}[1], [x1]": ("0 0 0011010 1 0 00000 100 1 00 00001 00000", 4),
    "ld1 {v0.d}[1], [x1]": ("0 1 0011010 1 0 00000 100 0 01 00001 00000", 8),
    "ld1 {v0.b}[0], [x1]": ("0 0 0011010 1 0 00000 000 0 00 00001 00000", 1),
    "ld1r {v0.4s}, [x1]": ("0 1 0011010 1 0 00000 110 0 10 00001 00000", 4),
    "ld4r {v0.4s-v3.4s}, [x1], #16": ("0 1 0011011 1 1 11111 111 0 10 00001 00000", 16),
    "ldaxr x0, [x1]": ("11 001000 0 1 0 11111 1 11111 00001 00000", 8),
    "ldxp x0, x1, [x2]": ("11 001000 0 1 1 11111 0 00001 00010 00000", 16),
    "ldar w0, [x1]": ("10 001000 1 1 0 11111 1 11111 00001 00000", 4),
    "ldapr x0, [x1]": ("11 111 0 00 1 0 1 11111 1 100 00 00001 00000", 8),
}
STORES = {
    "strb w0, [x1]": ("00 111 0 01 00 000000000000 00001 00000", 1),
    "str x0, [x1, #-16]!": ("11 111 0 00 00 0 111110000 11 00001 00000", 8),
    "str s0, [x1]": ("10 111 1 01 00 000000000000 00001 00000", 4),
    "str q0, [x1]": ("00 111 1 01 10 000000000000 00001 00000", 16),
    "stp x29, x30, [sp, #-16]!": ("10 101 0 011 0 1111110 11110 11111 11101", 16),
    "stp q0, q1, [x2]": ("10 101 1 010 0 0000000 00001 00010 00000", 32),
    "st1 {v0.4s-v3.4s}, [x1], #64": ("0 1 0011001 0 0 11111 0010 10 00001 00000", 64),
    "st1 {v0.s}[3], [x1]": ("0 1 0011010 0 0 00000 100 1 00 00001 00000", 4),
    "stlr w0, [x1]": ("10 001000 1 0 0 11111 1 11111 00001 00000", 4),
    "stxr w2, x0, [x1]": ("11 001000 0 0 0 00010 0 11111 00001 00000", 8),
}
BOTH = {
    "ldadd w0, w1, [x2]": ("10 111 0 00 0 0 1 00000 0 000 00 00010 00001", 4),
    "swp x0, x1, [x2]": ("11 111 0 00 0 0 1 00000 1 000 00 00010 00001", 8),
    "cas x0, x1, [x2]": ("11 001000 1 0 1 00000 0 11111 00010 00001", 8),
    "casp x0, x1, x2, x3, [x4]": ("01 001000 0 0 1 00000 0 11111 00100 00010", 16),
}


@pytest.mark.parametrize(
    ("kind", "words"),
    [("fma", FMA), ("neon", NEON), ("branches", BRANCHES), ("other", OTHER)],
    ids=["fma", "neon", "branches", "other"],
)
def test_instructions_that_move_nothing(decode, kind, words):
    found = {name: decode(fields(text)) for name, text in words.items()}
    assert found == dict.fromkeys(words, (kind, 0, 0))


@pytest.mark.parametrize("name", LOADS)
def test_loads(decode, name):
    text, count = LOADS[name]
    assert decode(fields(text)) == ("loads", count, 0)


@pytest.mark.parametrize("name", STORES)
def test_stores(decode, name):
    text, count = STORES[name]
    assert decode(fields(text)) == ("stores", 0, count)


@pytest.mark.parametrize("name", BOTH)
def test_atomic_instructions_read_and_write(decode, name):
    text, count = BOTH[name]
    assert decode(fields(text)) == ("loads", count, count)


def test_the_words_that_an_assembler_gives(decode):
    # Words as assemblers print them, which pin the fields above as well.
    assert fields(OTHER["nop"]) == 0xD503201F
    assert fields(BRANCHES["ret"]) == 0xD65F03C0
    assert fields(STORES["stp x29, x30, [sp, #-16]!"][0]) == 0xA9BF7BFD
    assert fields(FMA["fmla v0.4s, v1.4s, v2.4s"]) == 0x4E22CC20
