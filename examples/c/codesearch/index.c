/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Building the index: starts the threads, joins them, reports.
 */
#define ORIEL_TARGET "codesearch.index"
#include "codesearch.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <oriel/oriel.h>
#include <oriel/unit.h>

enum { PATHS = 256, DOCUMENTS = 64, FILES_PER_COMMIT = 2000 };

struct pipeline {
    const char *directory;
    unsigned detail; /* lines per span inside a file; 0: none */
    struct queue paths, documents;
    struct sqlite3 *db;
    uint64_t files, bytes, skipped;
    struct oriel_context run; /* of the span "index", for the threads that work for it */
    int walk_result, write_result;
};

static void document_free(struct document *doc)
{
    free(doc->path);
    free(doc->tokens);
    free(doc);
}

/* The whole file; NULL with errno. */
static char *read_file(const struct document *doc, size_t *out_size)
{
    ORIEL_SPAN("read", "bytes", doc->file_bytes);
    int fd = open(doc->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    char *text = malloc(doc->file_bytes + 1);
    size_t used = 0;
    for (ssize_t n; text && used < doc->file_bytes; used += (size_t)n)
        if ((n = read(fd, text + used, doc->file_bytes - used)) <= 0)
            break;
    close(fd);
    *out_size = used;
    return text;
}

static bool is_binary(const char *text, size_t size)
{
    return memchr(text, 0, size < 4096 ? size : 4096) != NULL;
}

/* One file: read, tokenise. False when it is not worth indexing. */
static bool prepare(struct document *doc, unsigned detail)
{
    ORIEL_SPAN("index.file", "file.path", doc->path, "file.size", doc->file_bytes);
    size_t size = 0;
    char *text = read_file(doc, &size);
    if (!text) {
        ORIEL_WARN("cannot read file", "path", doc->path, "error", strerror(errno));
        return false;
    }
    if (is_binary(text, size)) {
        ORIEL_DEBUG("binary file skipped", "path", doc->path);
        free(text);
        return false;
    }
    {
        ORIEL_SPAN("tokenize");
        doc->tokens = tokenize(text, size, detail, &doc->token_bytes, &doc->token_count);
        ORIEL_SPAN_SET("tokens", doc->token_count);
    }
    free(text);
    return doc->tokens != NULL;
}

static void *work(void *arg)
{
    struct pipeline *p = arg;
    oriel_thread_name("worker");
    ORIEL_CONTEXT(&p->run); /* one run, one trace */
    for (struct document *doc; (doc = queue_pop(&p->paths));) {
        ORIEL_TASK(ORIEL_TASK_RESUME, "index.file", doc->task, 0);
        if (prepare(doc, p->detail)) {
            ORIEL_TASK(ORIEL_TASK_YIELD, "for the writer", doc->task, 0);
            queue_push(&p->documents, doc);
        } else {
            ORIEL_TASK(ORIEL_TASK_COMPLETE, "index.file", doc->task, 0);
            __atomic_fetch_add(&p->skipped, 1, __ATOMIC_RELAXED);
            document_free(doc);
        }
    }
    queue_close(&p->documents);
    return NULL;
}

static int write_all(struct pipeline *p, struct inserter *in)
{
    int rc = db_begin(p->db);
    for (struct document *doc; (doc = queue_pop(&p->documents)); document_free(doc)) {
        ORIEL_TASK(ORIEL_TASK_RESUME, "index.file", doc->task, 0);
        if (rc == 0)
            rc = inserter_add(in, doc);
        ORIEL_TASK(ORIEL_TASK_COMPLETE, "index.file", doc->task, 0);
        p->bytes += doc->file_bytes;
        if (++p->files % FILES_PER_COMMIT == 0 && rc == 0) {
            ORIEL_EVENT("batch.written", "files", p->files, "bytes", p->bytes);
            rc = db_commit(p->db) == 0 ? db_begin(p->db) : -1;
        }
    }
    return rc == 0 ? db_commit(p->db) : rc;
}

static void *write_documents(void *arg)
{
    struct pipeline *p = arg;
    oriel_thread_name("writer");
    ORIEL_CONTEXT(&p->run);
    struct inserter *in = inserter_new(p->db);
    p->write_result = in ? write_all(p, in) : -1;
    inserter_free(in);
    return NULL;
}

static void *walk_tree(void *arg)
{
    struct pipeline *p = arg;
    oriel_thread_name("walker");
    ORIEL_CONTEXT(&p->run);
    p->walk_result = walk(p->directory, &p->paths);
    queue_close(&p->paths);
    return NULL;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run_threads(struct pipeline *p, unsigned workers)
{
    pthread_t walker, writer, *pool = calloc(workers, sizeof *pool);
    unsigned started = 0;
    (void)oriel_context_carry(&p->run); /* none while nothing is recorded, which is as good */
    if (pthread_create(&walker, NULL, walk_tree, p) != 0)
        abort();
    if (pthread_create(&writer, NULL, write_documents, p) != 0)
        abort();
    while (pool && started < workers && pthread_create(&pool[started], NULL, work, p) == 0)
        started++;
    for (unsigned i = started; i < workers; i++)
        queue_close(&p->documents);
    for (unsigned i = 0; i < started; i++)
        pthread_join(pool[i], NULL);
    pthread_join(walker, NULL);
    pthread_join(writer, NULL);
    free(pool);
}

int index_directory(const char *db_path, const char *directory, unsigned workers, unsigned detail)
{
    struct pipeline p = {.directory = directory, .detail = detail};
    double start = seconds();
    ORIEL_SPAN("index", "directory", directory, "workers", workers);
    p.db = db_open(db_path, true);
    if (!p.db || queue_init(&p.paths, "paths", PATHS, 1) != 0 ||
        queue_init(&p.documents, "documents", DOCUMENTS, workers) != 0)
        return -1;
    run_threads(&p, workers);
    sqlite3_close(p.db);
    queue_done(&p.paths);
    queue_done(&p.documents);
    if (p.walk_result != 0 || p.write_result != 0)
        return -1;
    printf("indexed %llu files, %.0f MB in %.1f s\n", (unsigned long long)p.files,
           (double)p.bytes / 1e6, seconds() - start);
    return 0;
}
