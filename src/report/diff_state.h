/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a diff knows, for the files that collect it (diff.c, diff_tree.c) and
 * the ones that tell it (diff_text.c, diff_json.c, diff_page.c).
 */
#ifndef ORIEL_REPORT_DIFF_STATE_H
#define ORIEL_REPORT_DIFF_STATE_H

#include "base/intern.h"
#include "base/map.h"
#include "base/vec.h"
#include "report/compare.h"
#include "report/diff.h"
#include "report/flametree.h"
#include "report/state.h"

/* A function or a span, as the side that was added last calls it. */
struct diff_item {
    struct model_str name, module; /* module: "" the program itself; a span's target */
    struct model_str file;
    uint32_t line;
    bool kernel, resolved, span;
};

enum diff_measure { /* of functions and what spans allocated: the first two; of spans: all */
                    DIFF_SELF = 0,
                    DIFF_TOTAL = 1, /* spans: how often; their memory: blocks */
                    DIFF_P50 = 2,
                    DIFF_P99 = 3,
                    DIFF_MEASURES = 4
};
#define DIFF_COUNT DIFF_TOTAL

/* All that is compared with each other: the functions of one kind of sample, or the spans. */
struct diff_family {
    struct map by_item;                            /* item -> row */
    VEC(uint32_t) items;                           /* by row */
    VEC(struct compare_cell) cells[DIFF_MEASURES]; /* rows times runs */
    struct compare_row *results[DIFF_MEASURES];    /* by row */
    uint32_t *order;                               /* rows, the largest sure change first */
    size_t sure;                                   /* how many of these are sure */
    double noise;                                  /* between runs, of self */
    bool present;
};

/* Functions as they called each other; both sides in one tree, means of the runs. */
struct diff_node {
    uint32_t item; /* UINT32_MAX: the root */
    uint32_t parent, child, sibling, depth;
    bool inlined;
    double self[2], total[2];
};
struct diff_tree {
    VEC(struct diff_node) nodes;
    struct map by_key; /* parent << 32 | item << 1 | inlined */
};

/* What the headers of a side's recordings say; "" where they differ or say nothing. */
struct diff_header {
    struct model_str program, commit, host, cpu, kernel, compiler, rate, first_name;
    bool dirty, mixed_commits;
    size_t runs; /* added so far */
};

/* Families are numbered as kinds of samples are; spans by time stand where no kind does, by what
 * they allocated behind them all. */
#define DIFF_SPANS 0u
#define DIFF_SPAN_MEMORY ((uint8_t)ORIEL_SAMPLE_KINDS)
#define DIFF_FAMILIES (ORIEL_SAMPLE_KINDS + 1)
static inline bool diff_is_of_spans(uint8_t kind)
{
    return kind == DIFF_SPANS || kind == DIFF_SPAN_MEMORY;
}
/* In which order families are told: kinds of samples, spans by time, spans by memory. */
static inline uint8_t diff_told(unsigned i)
{
    return (uint8_t)(i + 1 < ORIEL_SAMPLE_KINDS ? i + 1 : i + 1 == ORIEL_SAMPLE_KINDS ? 0 : i);
}

struct diff {
    struct diff_options options;
    struct intern texts;
    struct map item_by_key; /* text of module and name -> item */
    VEC(struct diff_item) items;
    struct diff_family families[DIFF_FAMILIES];
    struct compare_cell whole_cells[DIFF_FAMILIES][DIFF_RUNS_MAX];
    struct compare_row whole[DIFF_FAMILIES];
    double unit[ORIEL_SAMPLE_KINDS][DIFF_RUNS_MAX]; /* weight of one sample */
    struct diff_tree trees[ORIEL_SAMPLE_KINDS];
    struct diff_header headers[2];
    uint64_t samples[2];
    bool finished;
};

/* "CPU time", "waiting", ...; lower case but for names. */
const char *diff_kind_title(uint8_t kind);
/* The item of a frame, or of a span; UINT32_MAX: no memory. */
uint32_t diff_item_of_frame(struct diff *d, const struct model_catalog *c, const struct frame *f);
/* diff_tree.c: the tree of one run, added. 0 or ORIEL_ENOMEM. */
int diff_tree_add(struct diff *d, enum diff_side side, const struct report *r, struct frames *f,
                  uint8_t kind);
/* Children in the order of names. 0 or ORIEL_ENOMEM. */
int diff_tree_sort(const struct diff *d, struct diff_tree *t);
void diff_tree_done(struct diff_tree *t);
/* The node after this one, depth first; 0: the end. */
uint32_t diff_tree_next(const struct diff_tree *t, uint32_t node);
/* The caller below which `item` changed most in the direction of its own change; UINT32_MAX: it
 * is not called. */
uint32_t diff_tree_caller(const struct diff *d, const struct diff_tree *t, uint32_t item);

/* ---- diff_words.c: what texts of all kinds say ---- */

#define DIFF_TEXT_MAX 64
/* "nanoseconds", "bytes", "count". */
const char *diff_unit(uint8_t kind);
/* "1.2 s", "+310 ms", "-4 KiB"; what a family counts in. */
const char *diff_amount(char out[DIFF_TEXT_MAX], uint8_t kind, double v, bool with_sign);
/* "+31 %"; "new", "gone" where there is nothing to compare with. */
const char *diff_growth(char out[DIFF_TEXT_MAX], double a, double b);
/* "99.2 %", "> 99.9 %"; "noise" below what was asked for. */
const char *diff_sureness(char out[DIFF_TEXT_MAX], const struct compare_row *r);
/* The row that grew (or shrank) most and surely; UINT32_MAX: none did. */
uint32_t diff_worst(const struct diff_family *f, bool grew);
/* Sentences, without their ends. */
void diff_say_side(const struct diff *d, enum diff_side side, struct buf *out);
void diff_say_whole(const struct diff *d, uint8_t kind, struct buf *out);
void diff_say_row(const struct diff *d, uint8_t kind, uint32_t row, struct buf *out);
void diff_say_noise(const struct diff *d, struct buf *out);
/* What makes the sides hard to compare, one after the other; false: no more. */
bool diff_say_doubt(const struct diff *d, unsigned which, struct buf *out);
/* "git log -p A..B -- file" for the guilty function; false: the headers do not tell. */
bool diff_say_history(const struct diff *d, struct buf *out);
void diff_put_name(struct buf *out, struct model_str name);

static inline const struct diff_item *diff_row_item(const struct diff *d,
                                                    const struct diff_family *f, uint32_t row)
{
    return &d->items.items[f->items.items[row]];
}

#endif
