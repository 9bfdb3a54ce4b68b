/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * codesearch: an indexer and searcher for source code. Threads:
 *
 *   walker --paths--> workers (read, tokenise) --documents--> writer (SQLite)
 *
 * The queues are bounded, so memory is too. Annotated with Oriel as any user
 * would: a span where time may go, a log where something was decided.
 */
#ifndef CODESEARCH_H
#define CODESEARCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sqlite3;

/* One file on its way through the program. `task` names it in traces. */
struct document {
    char *path;
    char *tokens; /* separated by spaces, NUL-terminated */
    size_t token_bytes, file_bytes;
    uint64_t task;
    uint32_t token_count;
};

/* A bounded queue of pointers; closed by the last producer. */
struct queue {
    pthread_mutex_t lock;
    pthread_cond_t not_empty, not_full;
    void **items;
    size_t capacity, head, count;
    unsigned producers;
    const char *name;
};
int queue_init(struct queue *q, const char *name, size_t capacity, unsigned producers);
void queue_push(struct queue *q, void *item); /* waits while full */
void *queue_pop(struct queue *q);             /* NULL once closed and empty */
void queue_close(struct queue *q);            /* by each producer, once */
void queue_done(struct queue *q);

/* Split source text into lower-case words of 2 to 64 characters; identifiers
 * also into their parts (parseHttpHeader -> parsehttpheader parse http header).
 * detail: lines per trace-level span, 0 for no spans in here. Returns a malloc'ed text, NULL when
 * out of memory. */
char *tokenize(const char *text, size_t size, unsigned detail, size_t *out_bytes,
               uint32_t *out_count);

/* 0, or -1 with a line on stderr. */
int walk(const char *directory, struct queue *paths);
int index_directory(const char *db_path, const char *directory, unsigned workers, unsigned detail);
int query(const char *db_path, char **words, int count, int limit);

struct sqlite3 *db_open(const char *path, bool create);
int db_begin(struct sqlite3 *db);
int db_commit(struct sqlite3 *db);
/* Prepared once per writer. */
struct inserter;
struct inserter *inserter_new(struct sqlite3 *db);
int inserter_add(struct inserter *in, const struct document *doc);
void inserter_free(struct inserter *in);

#endif
