/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the program says, before the environment, the file and the defaults. */
#include "session/start_wish.h"

#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/os.h"
#include "session/start_config.h"
#include "source/metrics_options.h"

#define RING_BYTES_DEFAULT (16u << 20)

int start_wish(const struct oriel_options *given, struct wish *out)
{
    struct oriel_options o = {0};
    struct config *c;
    if (given)
        memcpy(&o, given, given->size < sizeof o ? given->size : sizeof o);
    struct reload files = {.looked_ns = 0};
    int rc = 0;
    if (!getauxval(AT_SECURE) && !o.config) /* by a model of the program there is no file */
        rc = reload_init(&files, (const char *const *)environ);
    if (rc == 0 && (rc = start_config_load(&o, &c)) < 0)
        reload_done(&files);
    if (rc < 0)
        return rc;
    const struct config_telemetry *t = config_telemetry(c);
    *out =
        (struct wish){.config = c,
                      .reload = files,
                      .filter = t->filter,
                      .ring_bytes = o.ring_bytes ? o.ring_bytes : RING_BYTES_DEFAULT,
                      .flags = o.flags | (t->include_args ? (unsigned)ORIEL_START_INCLUDE_ARGS : 0),
                      .metrics_ns = (uint64_t)t->system_metrics_interval_secs * 1000000000u,
                      .exit_ms = (unsigned)t->exit_ms};
    return 0;
}

const char *const *start_environment(const struct reload *r, bool inherited)
{
    static const char *const none[] = {NULL};
    if (r->environment)
        return (const char *const *)r->environment;
    return inherited || getauxval(AT_SECURE) ? none : (const char *const *)environ;
}

void start_watching(struct session *s, uint64_t interval_ns)
{
    const struct metrics_options how = {
        .pid = os_getpid(), .running = true, .interval_ns = interval_ns};
    if (interval_ns)
        (void)session_add_source(s, &source_metrics, &how, NULL);
}

int start_thread(pthread_t *out, void *(*run)(void *), void *arg, struct oriel_err *err)
{
    sigset_t all, before;
    sigfillset(&all);
    /* A new thread inherits the mask: the program's handlers never run on it. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(out, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? 0 : err_set(err, ORIEL_ENOMEM, "there is no room for a thread");
}
