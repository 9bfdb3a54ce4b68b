/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * For tests of a session inside a program: a receiver that counts spans, what is said to it, a
 * vault that answers when the test wants it to, and what stands on standard error. Include it in
 * one test file; any one thread.
 */
#ifndef ORIEL_SESSION_TEST_RECEIVER_H
#define ORIEL_SESSION_TEST_RECEIVER_H

#include <fcntl.h>
#include <oriel/oriel.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "receiver.h"
#include "test.h"
#include "util/pb.h"

enum { LONG_MS = 600000 };

struct counted {
    atomic_int spans, status, authorized; /* authorized: requests with the vault's header */
    atomic_bool silent;
};

static inline int spans_in(const struct receiver_request *r)
{
    int n = 0;
    struct pb_reader request = pb_read(r->body, r->body_n);
    for (struct pb_field resource; pb_next(&request, &resource);) {
        struct pb_reader of_resource = pb_read_nested(&resource);
        for (struct pb_field scope; pb_next(&of_resource, &scope);) {
            struct pb_reader of_scope = pb_read_nested(&scope);
            for (struct pb_field span; scope.number == 2 && pb_next(&of_scope, &span);)
                n += span.number == 2;
        }
    }
    return n;
}

static inline void count_spans(struct receiver_request *r, struct receiver_answer *a, void *arg)
{
    struct counted *c = arg;
    const char *key = r->header(r, "x-key");
    c->authorized += key && strcmp(key, "v4ult-c4n4ry") == 0;
    a->silent = c->silent;
    if (c->status)
        a->status = c->status;
    else if (!c->silent && strstr(r->path, "/v1/traces"))
        c->spans += spans_in(r);
}

static inline void emit(int n)
{
    for (int i = 0; i < n; i++) {
        ORIEL_SPAN("send.work", "i", i);
    }
}

/* A helper that answers with what is written into a pipe of a name. */
static inline const char *helper(const char *name)
{
    static char argv[500];
    char path[300];
    snprintf(path, sizeof path, "%s/%s", test_tmpdir(), name);
    REQUIRE(mkfifo(path, 0600) == 0);
    snprintf(argv, sizeof argv, "vault.command_argv=cat,%s", path);
    return argv;
}

static inline int open_helper(const char *name, int flags)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", test_tmpdir(), name);
    return open(path, O_WRONLY | O_CLOEXEC | flags);
}

static int usual_errors;

/* What is said on standard error from now on goes into a file. */
static inline void listen_to_errors(void)
{
    char path[300];
    usual_errors = fcntl(2, F_DUPFD_CLOEXEC, 3);
    snprintf(path, sizeof path, "%s/errors", test_tmpdir());
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0 && dup2(fd, 2) == 2);
    close(fd);
}

/* All of it, and the end of that; how many lines. */
static inline int errors(char *out, size_t n)
{
    int lines = 0;
    ssize_t size = pread(2, out, n - 1, 0);
    REQUIRE(dup2(usual_errors, 2) == 2 && size >= 0);
    close(usual_errors);
    out[size] = 0;
    for (const char *p = out; *p; p++)
        lines += *p == '\n';
    return lines;
}

#endif
