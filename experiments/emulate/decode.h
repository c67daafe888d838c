/* What kind of instruction a 32-bit word of A64 code is, and how many bytes it moves.
 *
 * The bit fields are those of the Arm Architecture Reference Manual for A-profile (DDI 0487), chapter C4,
 * "A64 instruction set encoding".
 */
#ifndef TOPFORMER_DECODE_H
#define TOPFORMER_DECODE_H

#include <stdint.h>

enum kind {
    KIND_FMA,    /* FMLA or FMLS on vectors, by vector or by element */
    KIND_NEON,   /* any other data processing on SIMD and floating-point registers */
    KIND_LOAD,   /* reads memory; atomic instructions, which also write, stand here */
    KIND_STORE,  /* writes memory */
    KIND_BRANCH, /* may go elsewhere than to the next instruction */
    KIND_OTHER,  /* integer arithmetic, moves, addresses, prefetches, system */
    KINDS
};

struct decoded {
    uint32_t kind;
    uint32_t loaded; /* bytes read */
    uint32_t stored; /* bytes written */
};

/* Never fails: a word that is no instruction is KIND_OTHER. */
void decode(uint32_t word, struct decoded *out);

#endif
