/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * relay PROGRAM [ARG]...
 *
 * Runs a worker and gives it work, in the three ways in which a trace goes on in
 * another process: in its environment, in the headers of a request, in a message.
 *
 *   oriel record -o run.oriel -- relay worker && oriel report -t run.oriel
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ORIEL_TARGET "relay"
#include <oriel/oriel.h>
#include <oriel/propagation.h>

enum { ENVIRONMENT_MAX = 1024, TEXT_MAX = 12 * 1024 };

extern char **environ;

/* In the environment: made before the fork, set nowhere here. */
static pid_t start(char *const argv[], int in)
{
    static char *environment[ENVIRONMENT_MAX], text[TEXT_MAX];
    if (oriel_environment_make(NULL, NULL, environ, environment, ENVIRONMENT_MAX, text,
                               sizeof text) != 0)
        return -1;
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    if (dup2(in, 0) == 0)
        execve(argv[0], argv, environment);
    _exit(127);
}

/* In headers, as an HTTP request has them. */
static int put_header(void *carrier, const char *name, const char *value, size_t bytes)
{
    return fprintf(carrier, "%s: %.*s\n", name, (int)bytes, value) < 0 ? -1 : 0;
}

static void request(FILE *to, const char *path)
{
    static const struct oriel_setter setter = {put_header};
    ORIEL_SPAN("request", "otel.kind", "client", "url.path", path);
    fprintf(to, "GET %s\n", path);
    oriel_inject(NULL, NULL, &setter, to);
    fprintf(to, "\n");
}

/* In front of a message, always as many bytes. */
static void message(FILE *to, const char *body)
{
    uint8_t packed[ORIEL_CONTEXT_PACKED];
    struct oriel_context here;
    ORIEL_SPAN("send", "otel.kind", "producer");
    oriel_context_current(&here);
    oriel_context_pack(&here, packed);
    fprintf(to, "MESSAGE\n");
    fwrite(packed, 1, sizeof packed, to);
    fprintf(to, "%s\n", body);
}

static int relay(char *const argv[])
{
    int ends[2], status = -1;
    struct oriel_baggage baggage;
    struct oriel_context here;
    ORIEL_SPAN("job", "worker", argv[0]);
    /* What all of it is about goes along, too. */
    oriel_context_current(&here);
    oriel_baggage_set(here.baggage, "tenant", "acme", NULL, &baggage);
    here.baggage = &baggage;
    ORIEL_CONTEXT(&here);
    if (pipe2(ends, O_CLOEXEC) != 0) /* the worker reads to its end: it keeps none open */
        return -1;
    FILE *to = fdopen(ends[1], "w");
    pid_t pid = to ? start(argv, ends[0]) : -1;
    close(ends[0]);
    if (pid > 0) {
        request(to, "/one");
        message(to, "two");
    }
    if (to)
        fclose(to);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    ORIEL_SPAN_SET("status", status);
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: relay PROGRAM [ARG]...\n");
        return 2;
    }
    return relay(argv + 1) == 0 ? 0 : 1;
}
