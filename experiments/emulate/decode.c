/* Decoding of A64 instructions into kinds; see decode.h. */
#include "decode.h"

/* Bits high to low of a word, both included. */
static uint32_t bits(uint32_t word, int high, int low) {
    return (word >> low) & ((1u << (high - low + 1)) - 1u);
}

static void moves(struct decoded *out, int is_load, uint32_t bytes) {
    out->kind = is_load ? KIND_LOAD : KIND_STORE;
    out->loaded = is_load ? bytes : 0;
    out->stored = is_load ? 0 : bytes;
}

static void moves_both(struct decoded *out, uint32_t bytes) {
    out->kind = KIND_LOAD;
    out->loaded = bytes;
    out->stored = bytes;
}

/* LD1-LD4 and ST1-ST4 of whole registers: 0 Q 001100 post L ... opcode(15:12) size. */
static void multiple_structures(uint32_t word, struct decoded *out) {
    static const uint8_t registers[16] = {[0] = 4, [2] = 4, [4] = 3, [6] = 3, [7] = 1, [8] = 2, [10] = 2};
    uint32_t count = registers[bits(word, 15, 12)];
    if (count)
        moves(out, bits(word, 22, 22), count * (bits(word, 30, 30) ? 16 : 8));
}

/* LD1-LD4 and ST1-ST4 of one lane, and LD1R-LD4R: 0 Q 001101 post L R ... opcode(15:13) S size. */
static void single_structure(uint32_t word, struct decoded *out) {
    uint32_t scale = bits(word, 15, 14), size = bits(word, 11, 10);
    uint32_t count = (bits(word, 13, 13) << 1 | bits(word, 21, 21)) + 1;
    if (scale == 3) /* LDnR: one element for all lanes */
        scale = size;
    else if (scale == 2 && (size & 1))
        scale = 3;
    moves(out, bits(word, 22, 22), count << scale);
}

/* Exclusive, ordered, compare and swap: size 001000 o2 L o1 Rs o0. */
static void exclusive(uint32_t word, struct decoded *out) {
    uint32_t size = bits(word, 31, 30), o2 = bits(word, 23, 23), o1 = bits(word, 21, 21);
    if (o1 && o2) /* CAS */
        moves_both(out, 1u << size);
    else if (o1 && size < 2) /* CASP */
        moves_both(out, 8u << size);
    else
        moves(out, bits(word, 22, 22), o1 ? 8u << (size & 1) : 1u << size);
}

/* LDR (literal): opc 011 V 00. */
static void literal(uint32_t word, struct decoded *out) {
    static const uint8_t integer[4] = {4, 8, 4, 0}; /* the last is PRFM */
    uint32_t opc = bits(word, 31, 30);
    uint32_t bytes = bits(word, 26, 26) ? 4u << opc : integer[opc];
    if (bytes)
        moves(out, 1, bytes);
}

/* LDP, STP, LDNP, STNP, LDPSW: opc 101 V 0 xx L. */
static void pair(uint32_t word, struct decoded *out) {
    uint32_t opc = bits(word, 31, 30);
    uint32_t each = bits(word, 26, 26) ? 4u << opc : (opc == 2 ? 8 : 4);
    moves(out, bits(word, 22, 22), 2 * each);
}

/* LDADD, SWP, ... : size 111000 A R 1 Rs o3 opc 00; LDAPR only reads. */
static void atomic(uint32_t word, struct decoded *out) {
    uint32_t bytes = 1u << bits(word, 31, 30);
    if (bits(word, 15, 12) == 0xc)
        moves(out, 1, bytes);
    else
        moves_both(out, bytes);
}

/* LDR and STR with any addressing: size 111 V 0x opc. */
static void one_register(uint32_t word, struct decoded *out) {
    uint32_t size = bits(word, 31, 30), opc = bits(word, 23, 22), simd = bits(word, 26, 26);
    int unscaled = !bits(word, 24, 24);
    if (unscaled && bits(word, 21, 21) && !simd && bits(word, 11, 10) == 0)
        atomic(word, out);
    else if (unscaled && bits(word, 21, 21) && (word & (1u << 10))) {
        if (!simd && size == 3) /* LDRAA, LDRAB */
            moves(out, 1, 8);
    } else if (simd)
        moves(out, opc & 1, 1u << ((opc & 2) << 1 | size));
    else if (size != 3 || opc < 2) /* the rest is PRFM */
        moves(out, opc != 0, 1u << size);
}

/* Words with bit 27 set and bit 25 clear. */
static void load_or_store(uint32_t word, struct decoded *out) {
    uint32_t group = bits(word, 29, 24);
    if (group == 0x0c && !bits(word, 31, 31))
        multiple_structures(word, out);
    else if (group == 0x0d && !bits(word, 31, 31))
        single_structure(word, out);
    else if (group == 0x08)
        exclusive(word, out);
    else if ((group & 0x3b) == 0x18)
        literal(word, out);
    else if (group == 0x19 && !bits(word, 21, 21) && bits(word, 11, 10) == 0) /* LDAPUR, STLUR */
        moves(out, bits(word, 23, 22) != 0, 1u << bits(word, 31, 30));
    else if (bits(word, 29, 27) == 5)
        pair(word, out);
    else if (bits(word, 29, 27) == 7)
        one_register(word, out);
}

/* FMLA and FMLS on vectors; bit 23 or, by element, bit 14 tells one from the other. */
static int is_fma(uint32_t word) {
    return (word & 0xbf20fc00u) == 0x0e20cc00u     /* vector, single and double */
           || (word & 0xbf60fc00u) == 0x0e400c00u  /* vector, half */
           || (word & 0xbf80b400u) == 0x0f801000u  /* by element, single and double */
           || (word & 0xbfc0b400u) == 0x0f001000u; /* by element, half */
}

static int is_branch(uint32_t word) {
    return (word & 0x7c000000u) == 0x14000000u     /* B, BL */
           || (word & 0xfe000000u) == 0x54000000u  /* B.cond */
           || (word & 0x7c000000u) == 0x34000000u  /* CBZ, CBNZ, TBZ, TBNZ */
           || (word & 0xfe000000u) == 0xd6000000u; /* BR, BLR, RET */
}

void decode(uint32_t word, struct decoded *out) {
    out->kind = KIND_OTHER;
    out->loaded = out->stored = 0;
    if (bits(word, 27, 27) && !bits(word, 25, 25))
        load_or_store(word, out);
    else if (bits(word, 27, 25) == 7)
        out->kind = is_fma(word) ? KIND_FMA : KIND_NEON;
    else if (is_branch(word))
        out->kind = KIND_BRANCH;
}
