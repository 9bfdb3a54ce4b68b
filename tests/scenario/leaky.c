/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A program that says secrets in every place where a text can stand. Each of them
 * has the mark C4N4RY in it, so that whoever finds it in an output has found a
 * leak. No token here was ever one. leaky [--password P] [--api-key=K] [crash]
 */
#include <oriel/oriel.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How tokens of well-known services are written; %s is the mark with a number. */
static const char *const shapes[] = {
    "sk-proj-%sabcdef0123456789",
    "sk_live_%sabcdef0123456789",
    "sk_test_%sabcdef0123456789",
    "ghp_%sabcdef0123456789abcd",
    "gho_%sabcdef0123456789abcd",
    "github_pat_%sabcdef0123456789",
    "xoxb-123456789012-%sabc",
    "xoxp-123456789012-%sabc",
    "AIza%sabcdef0123456789abcdef",
    "ya29.%s-abcdef0123456789",
    "glpat-%sabcdef0123456789",
    "hf_%sabcdef0123456789",
    "npm_%sabcdef0123456789",
    "dckr_pat_%sabcdef0123456789",
    "AKIA0%s0123456789ABC",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI%s.abcdefghijk",
    "-----BEGIN PRIVATE KEY-----\nMII%s\n-----END PRIVATE KEY-----",
    "Authorization: Bearer %s",
    "Cookie: session=%s; theme=dark",
    "postgres://admin:%s@db.example/x",
    "https://%s@git.example/x",
    "GET /login?user=x&token=%s&next=/",
    "{\"user\": \"x\", \"password\": \"%s\"}",
    "DB_PASSWORD=%s",
    "client_secret: '%s'",
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* The shape with the mark and a number in it, and something around it. */
static void secret(unsigned i, char out[256])
{
    const char *shape = shapes[i % SHAPES], *at = strstr(shape, "%s");
    snprintf(out, 256, "see %.*sC4N4RY%02u%s", (int)(at - shape), shape, i, at + 2);
}

static void say_shapes(void)
{
    for (unsigned i = 0; i < SHAPES; i++) {
        char text[256];
        secret(i, text);
        struct oriel_span s = ORIEL_OPEN("request", ORIEL_CURRENT, "note", text);
        ORIEL_INFO("seen", "text", text);
        ORIEL_LOGF(ORIEL_LEVEL_WARN, "failed: %s (%d)", text, 7);
        oriel_span_status(&s, ORIEL_STATUS_ERROR, text);
        oriel_span_close(&s);
    }
}

static void say_names(void)
{
    ORIEL_SPAN("names", "password", "C4N4RY-a", "x-api-key", "C4N4RY-b", "authorization",
               "C4N4RY-c", "userPassword", "C4N4RY-d", "session.cookie", "C4N4RY-e");
    ORIEL_INFO("named", "access_token", "C4N4RY-f", "db.credentials", "C4N4RY-g");
    ORIEL_INFO("marked", ORIEL_SECRET("pin", "C4N4RY-h"));
    ORIEL_EXTERNAL("outside", 1000000000u, 2000000000u, ORIEL_CURRENT, "passwd", "C4N4RY-i");
    ORIEL_LOGF(ORIEL_LEVEL_INFO, "login with password=%s", "C4N4RY-j");
}

/* In what is written in the source text itself. */
static void say_literals(void)
{
    ORIEL_SPAN("get ghp_C4N4RY00abcdef0123456789");
    ORIEL_INFO("used sk_live_C4N4RY00abcdef0123456789");
    ORIEL_PLOT("left of glpat-C4N4RY00abcdef0123456789", 4);
    ORIEL_FRAME("hf_C4N4RY00abcdef0123456789");
    ORIEL_LOGF(ORIEL_LEVEL_INFO, "posting to https://u:C4N4RY00@h/ %d times", 3);
}

static void *threaded(void *unused)
{
    oriel_thread_name("npm_C4N4RY0123456789abcdef");
    ORIEL_INFO("from a thread");
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t t;
    say_shapes();
    say_names();
    say_literals();
    if (pthread_create(&t, NULL, threaded, NULL) == 0)
        pthread_join(t, NULL);
    oriel_trigger("because token=C4N4RY-k");
    if (argc > 1 && strcmp(argv[argc - 1], "crash") == 0) {
        ORIEL_SPAN("dying", "password", "C4N4RY-l");
        abort();
    }
    puts("done");
    return 0;
}
