/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a start inside a program goes by: the program's options, its environment and
 * file, read and told about. Writes to standard error, one line at a time. Any thread.
 */
#include "session/start_config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "secret/scrub.h"
#include "session/headers.h"
#include "session/program_config.h"
#include "session/settings.h"
#include "session/start_code.h"

#define WARNINGS_MAX 8u /* of a configuration, where nobody has asked for them */

/* Who read standard error at the start. */
static struct {
    bool known, strict;
    dev_t dev;
    ino_t ino;
} listener;

void start_say_strictly(void)
{
    listener.strict = true;
}

static void note_listener(void)
{
    struct stat now;
    listener.strict = false;
    listener.known = fstat(2, &now) == 0;
    listener.dev = listener.known ? now.st_dev : 0;
    listener.ino = listener.known ? now.st_ino : 0;
}

/* What this side says unasked: that a start that was asked for cannot be, once, and mistakes of
 * its configuration. Without it nobody would know why there is nothing, or something else. */
void start_say(const char *what, const char *text)
{
    char line[700];
    struct stat now;
    if (listener.strict && (!listener.known || fstat(2, &now) != 0 || now.st_dev != listener.dev ||
                            now.st_ino != listener.ino))
        return;
    snprintf(line, sizeof line, "oriel: %s%s\n", what, text);
    scrub_line(line); /* a value that is quoted may be a URL with a password */
    if (write(2, line, strlen(line)) < 0)
        errno = 0; /* nobody listens */
}

static void say_why(const char *text)
{
    start_say("telemetry does not start: ", text);
}

/* Those that keep nothing from starting: of a configuration that says nothing of log_level, too. */
static bool tells_mistakes(const struct config *c)
{
    struct config_origin from;
    return config_telemetry(c)->log_level >= CONFIG_LOG_WARN ||
           (config_origin(c, "log_level", &from) && from.layer == CONFIG_DEFAULT);
}

void start_tell_warnings(const struct config *c)
{
    const bool all = config_telemetry(c)->log_level >= CONFIG_LOG_WARN;
    const struct config_message *m;
    const size_t n = tells_mistakes(c) ? config_messages(c, &m) : 0;
    unsigned said = 0;
    for (size_t i = 0; i < n; i++) {
        const bool tells =
            m[i].severity == CONFIG_WARNING || (all && m[i].severity == CONFIG_REMARK);
        if (tells && (said++ < WARNINGS_MAX || all))
            start_say("warning: ", m[i].text);
    }
    if (said > WARNINGS_MAX && !all) {
        char rest[64];
        snprintf(rest, sizeof rest, "%u more: oriel config check tells %s", said - WARNINGS_MAX,
                 said - WARNINGS_MAX == 1 ? "it" : "them");
        start_say("warning: ", rest);
    }
}

/* The first error, or NULL; told as OTEL_LOG_LEVEL wants it. */
static const char *tell_messages(const struct config *c)
{
    const struct config_message *m;
    const size_t n = config_messages(c, &m);
    const char *error = NULL;
    for (size_t i = 0; i < n && !error; i++)
        if (m[i].severity == CONFIG_ERROR)
            error = m[i].text;
    if (config_choose(c).telemetry)
        start_tell_warnings(c);
    if (error && config_telemetry(c)->log_level >= CONFIG_LOG_ERROR)
        say_why(error);
    return error;
}

/* From here on no text that leaves has what must not be in it. */
static int keep_secrets(const struct config *c)
{
    struct oriel_err err = {0};
    scrub_set_guessing(config_telemetry(c)->redaction == CONFIG_REDACT_ALL);
    int rc = session_know_headers(c, &err);
    if (rc < 0)
        say_why(err.text);
    return rc;
}

/* A set-uid program takes orders from neither environment nor files. */
void start_say_delivery(void *unused, const char *line)
{
    (void)unused;
    start_say("", line);
}

void start_say_headers(void *config, bool bad, const char *line)
{
    if (bad ? config_telemetry(config)->log_level >= CONFIG_LOG_ERROR : tells_mistakes(config))
        start_say(bad ? "" : "warning: ", line);
}

int start_config_load(const struct oriel_options *o, struct config **out)
{
    note_listener();
    struct start_code code;
    struct oriel_err err = {0};
    if (!start_code_of(o, &code)) {
        say_why("the program: settings are at most 50 texts like \"sample_rate=0.1\"");
        return ORIEL_EINVAL;
    }
    bool secure = getauxval(AT_SECURE) != 0;
    const struct settings_input in = {.size = sizeof in,
                                      .careful = true,
                                      .model = o->config ? o->config->root : NULL,
                                      .preset = secure ? "private" : NULL,
                                      .environment = secure ? NULL : (const char *const *)environ,
                                      .code = code.sets,
                                      .code_count = code.count};
    int rc = settings_load(out, &in, &err);
    if (rc < 0) {
        say_why(err.text);
        return rc;
    }
    rc = tell_messages(*out) ? ORIEL_EINVAL : keep_secrets(*out);
    if (rc < 0)
        config_free(*out);
    return rc;
}
