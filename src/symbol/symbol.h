/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Addresses of modules to functions, inlined calls and source lines. Foreign
 * files are read by a confined child (see docs/SYMBOLS.md): whatever they do
 * costs their own symbols only. What was learned is kept on disk by build-id.
 *
 * One thread at a time per `struct symbols`. Forks, so call it where fork is
 * welcome: in the command and in viewers, never in the observed program.
 */
#ifndef ORIEL_SYMBOL_SYMBOL_H
#define ORIEL_SYMBOL_SYMBOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/intern.h"
#include "base/vec.h"

struct symbols_options {
    size_t size;                   /* of this struct; zero members mean the default */
    const char *cache_dir;         /* NULL: nothing is kept; see symbols_cache_dir */
    uint64_t cache_max_bytes;      /* of all files there together; 256 MiB */
    const char *const *debug_dirs; /* NULL-terminated; /usr/lib/debug */
    const char *debuginfod_urls;   /* NULL or "": no server is asked */
    const char *debuginfod_find;   /* the client to run; "debuginfod-find" of the PATH */
    uint32_t debuginfod_ms;        /* for all answers together; 2,000 */
    uint32_t timeout_ms;           /* for one module; 10,000 */
    uint64_t memory_bytes;         /* for one module, beyond the file's size; 2 GiB */
};

struct symbols;

/* Copies the options. 0, ORIEL_EINVAL (size), ORIEL_ENOMEM. A cache that cannot be
 * written is no error: nothing is kept then. */
int symbols_open(const struct symbols_options *options, struct symbols **out);
void symbols_close(struct symbols *s); /* takes NULL */

/* "$XDG_CACHE_HOME/oriel/symbols", or "$HOME/.cache/oriel/symbols"; either may be
 * NULL or relative (then it does not count). False: neither will do, or no room. */
bool symbols_cache_dir(const char *xdg_cache_home, const char *home, char *out, size_t n);

/* What is asked of one module. */
struct symbols_module {
    const char *path;        /* as the process mapped it; of code made at run time: jit.h */
    const uint8_t *build_id; /* of what ran; NULL when unknown */
    size_t build_id_bytes;
    const uint64_t *addresses; /* sorted; as in the ELF file: pc minus load bias, and
                                * minus 1 already where it is a return address */
    size_t count;
    /* Code made at run time: addresses are those of the process, and nothing is
     * kept. A file that was last written before this time (unix) is another's. */
    bool jit;
    uint64_t not_before_ns;
};

/* One source line of an address. Strings are ids of the result's table, 0 = "". */
struct symbols_line {
    uint32_t name;    /* readable: demangled, without parameters of our own making */
    uint32_t linkage; /* as the linker knows it */
    uint32_t file;    /* full path */
    uint32_t line, column;
    uint32_t start_line; /* where the function begins */
    bool inlined;        /* into the line that follows in the list */
};

/* BY_START: nobody knows what it is called, only where it begins: the name is "+0x1a2b0", that
 * address in the file. */
enum symbols_how { SYMBOLS_UNKNOWN, SYMBOLS_BY_SYMBOL, SYMBOLS_BY_DWARF, SYMBOLS_BY_START };

/* lines[first] is the innermost inlined call, lines[first + count - 1] the
 * function itself. Addresses that say the same share their lines. */
struct symbols_answer {
    uint32_t first, count;
    enum symbols_how how;
};

struct symbols_answers {
    struct symbols_answer *items; /* one per address asked */
    size_t count;
    int code;       /* 0, or why (parts of) the module could not be read */
    char text[512]; /* one line about it for a person, module named; "" all well */
};

struct symbols_result {
    struct intern strings;
    VEC(struct symbols_line) lines;
    struct symbols_answers *modules; /* in the order asked */
    size_t module_count;
};

/* Answer all. 0, also when modules could not be read (see their code and text);
 * ORIEL_EINVAL (addresses not sorted); ORIEL_ENOMEM. *out is untouched on failure,
 * else to be ended with symbols_result_done. Bounded in time by timeout_ms per
 * module, and by debuginfod_ms. */
int symbols_resolve(struct symbols *s, const struct symbols_module *modules, size_t count,
                    struct symbols_result *out);
void symbols_result_done(struct symbols_result *r);

/* Sums over all calls. */
struct symbols_stats {
    uint64_t addresses, by_dwarf, by_symbol, unknown;
    uint64_t modules, from_cache; /* answered without reading the module */
    uint64_t missing, mismatched; /* modules whose file is gone, or another build */
    uint64_t failed;              /* modules whose reader crashed, hung or refused */
    uint64_t unconfined;          /* read without system call filter: the kernel has none */
    uint64_t asked_servers;
};
const struct symbols_stats *symbols_stats(const struct symbols *s);

#endif
