/* A TCG plugin that counts the instructions that a program runs, by kind.
 *
 * Written for version 1 of QEMU's plugin interface (QEMU 4.2 to 8.2). The functions of it that are used are declared
 * here, so that no header of QEMU is needed to build it.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"

#define EXPORT __attribute__((visibility("default")))

struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { INLINE_ADD_U64 = 0 };

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *instruction);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *instruction);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*callback)(uint64_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *block, int operation, void *at, uint64_t number);
void qemu_plugin_register_atexit_cb(uint64_t id, void (*callback)(uint64_t, void *), void *data);

EXPORT int qemu_plugin_version = 1;

/* A block that QEMU translated: what it holds, and how often it ran. */
struct block {
    struct block *next;
    uint64_t runs;
    uint64_t kinds[KINDS];
    uint64_t loaded, stored;
};

static struct block *blocks;
static char *path;

/* Instructions are counted once, at translation; running a block then costs one addition. */
static void translated(uint64_t id, struct qemu_plugin_tb *tb) {
    struct block *block = calloc(1, sizeof *block);
    size_t count = qemu_plugin_tb_n_insns(tb);
    (void)id;
    if (!block) {
        fputs("count: out of memory\n", stderr);
        abort();
    }
    for (size_t index = 0; index < count; index++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(tb, index);
        struct decoded found;
        uint32_t word = 0;
        if (qemu_plugin_insn_size(instruction) == sizeof word)
            memcpy(&word, qemu_plugin_insn_data(instruction), sizeof word);
        decode(word, &found);
        block->kinds[found.kind]++;
        block->loaded += found.loaded;
        block->stored += found.stored;
    }
    block->next = __atomic_load_n(&blocks, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&blocks, &block->next, block, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        ;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &block->runs, 1);
}

static void finished(uint64_t id, void *data) {
    static const char *const names[KINDS] = {"fma", "neon", "loads", "stores", "branches", "other"};
    uint64_t kinds[KINDS] = {0}, loaded = 0, stored = 0;
    FILE *file = fopen(path, "w");
    (void)id, (void)data;
    for (struct block *block = blocks; block; block = block->next) {
        for (int kind = 0; kind < KINDS; kind++)
            kinds[kind] += block->runs * block->kinds[kind];
        loaded += block->runs * block->loaded;
        stored += block->runs * block->stored;
    }
    if (!file) {
        perror(path);
        return;
    }
    for (int kind = 0; kind < KINDS; kind++)
        fprintf(file, "%s %" PRIu64 "\n", names[kind], kinds[kind]);
    fprintf(file, "loaded_bytes %" PRIu64 "\nstored_bytes %" PRIu64 "\n", loaded, stored);
    fclose(file);
}

EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv) {
    (void)info;
    if (argc != 1 || strncmp(argv[0], "out=", 4)) {
        fputs("count: takes one argument, out=FILE\n", stderr);
        return -1;
    }
    path = strdup(argv[0] + 4);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, finished, NULL);
    return 0;
}
