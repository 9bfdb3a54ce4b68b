/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * In-process export of this very process: real runtime, real drain thread.
 */
#include "session/inprocess.h"

#include <dirent.h>
#include <fcntl.h>
#include <oriel/propagation.h>
#include <oriel/oriel.h>
#include <oriel/processor.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "rec/rec.h"
#include "session/figures.h"
#include "session/session.h"
#include "session/test_reload.h"
#include "source/region_io.h"

static char dir[512];

static struct oriel_options options(const char *outlets)
{
    snprintf(dir, sizeof dir, "%s/traces", test_tmpdir());
    setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
    return (struct oriel_options){.size = sizeof(struct oriel_options),
                                  .outlets = outlets,
                                  .directory = dir,
                                  .ring_bytes = 1 << 20};
}

/* Path of the one file with this suffix; fails the test otherwise. */
static const char *file_with(const char *suffix)
{
    static char path[1024];
    int n = 0;
    DIR *d = opendir(dir);
    REQUIRE(d != NULL);
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        size_t len = strlen(e->d_name), s = strlen(suffix);
        if (len > s && strcmp(e->d_name + len - s, suffix) == 0) {
            snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
            n++;
        }
    }
    closedir(d);
    CHECK_EQ(n, 1);
    test_stop_if_failed();
    return path;
}

static uint64_t spans_in_capture(void)
{
    struct session *s;
    struct session_counts c;
    struct oriel_err err = {0};
    REQUIRE(session_new(&s, "file", file_with(".oriel"), NULL, &err) == 0);
    CHECK_EQ(session_run(s, &err), SOURCE_END);
    session_get_counts(s, &c);
    session_free(s);
    return c.by_type[ORIEL_REC_BEGIN];
}

static void emit(int n)
{
    for (int i = 0; i < n; i++) {
        ORIEL_SPAN("inprocess.work", "i", i);
    }
}

static char attached_to[512];

static int keep_path(const char *ring_path)
{
    snprintf(attached_to, sizeof attached_to, "%s", ring_path);
    return oriel_attach(ring_path);
}

static void *emit_thread(void *n)
{
    emit((int)(intptr_t)n);
    return NULL;
}

TEST(inprocess_writes_everything_that_was_said_before_stop)
{
    struct oriel_options o = options("capture");
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, emit_thread, (void *)(intptr_t)1000) == 0);
    emit(500);
    pthread_join(t, NULL);
    CHECK_EQ(oriel_inprocess_stop(600000), 0);
    CHECK_EQ(spans_in_capture(), 1500);
}

TEST(inprocess_writes_a_chrome_trace_by_default)
{
    struct oriel_options o = options(NULL);
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
    CHECK_EQ(oriel_inprocess_start(&o, oriel_attach), 0); /* again is fine */
    emit(10);
    CHECK_EQ(oriel_inprocess_stop(600000), 0);
    CHECK_EQ(oriel_inprocess_stop(600000), 0);
    struct stat st;
    CHECK(stat(file_with(".json"), &st) == 0 && st.st_size > 500);
    CHECK_EQ(st.st_mode & 0777, 0600);
    char ignore[600];
    snprintf(ignore, sizeof ignore, "%s/.gitignore", dir);
    CHECK(access(ignore, F_OK) == 0);
}

/* How often the system was asked, in the one trace there is. */
static int readings_in_chrome(void)
{
    static char text[1 << 20];
    FILE *f = fopen(file_with(".json"), "r");
    REQUIRE(f);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    int n = 0;
    for (const char *at = text; (at = strstr(at, "\"system metrics\"")); at++)
        n++;
    CHECK_EQ(n > 0, strstr(text, "rss_bytes") != NULL);
    CHECK_EQ(n > 0, strstr(text, "\"process.cpu.time\"") != NULL);
    return n;
}

TEST(inprocess_notes_what_the_system_says_from_its_start_to_its_end)
{
    struct oriel_options o = options(NULL);
    test_skip_emulated("/proc/self/stat is made up");
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
    emit(1);
    CHECK_EQ(oriel_inprocess_stop(600000), 0);
    CHECK(readings_in_chrome() >= 2);
}

TEST(inprocess_asks_the_system_never_where_that_is_wanted)
{
    struct oriel_options o = options(NULL);
    setenv("ORIEL_SYSTEM_METRICS_INTERVAL_SECS", "5", 1);
    o.system_metrics_interval_secs = ORIEL_METRICS_NEVER;
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
    emit(1);
    CHECK_EQ(oriel_inprocess_stop(600000), 0);
    CHECK_EQ(readings_in_chrome(), 0);
}

TEST(inprocess_reads_the_interval_of_the_system_from_the_environment)
{
    struct oriel_options o = options(NULL);
    setenv("ORIEL_SYSTEM_METRICS_INTERVAL_SECS", "0", 1);
    o.size = offsetof(struct oriel_options, system_metrics_interval_secs); /* an older caller */
    o.system_metrics_interval_secs = 5;
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
    emit(1);
    CHECK_EQ(oriel_inprocess_stop(600000), 0);
    CHECK_EQ(readings_in_chrome(), 0);
}

TEST(inprocess_stays_legal_after_stop)
{
    struct oriel_options o = options("capture");
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
    emit(3);
    CHECK_EQ(oriel_inprocess_stop(600000), 0);
    emit(1000);
    CHECK_EQ(spans_in_capture(), 3);
}

TEST(inprocess_takes_wishes_from_the_environment)
{
    struct oriel_options o = options(NULL);
    setenv("ORIEL_TO", "capture", 1);
    setenv("ORIEL_TRACE_DIR", dir, 1);
    o.directory = NULL;
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
    emit(7);
    CHECK_EQ(oriel_inprocess_stop(600000), 0);
    CHECK_EQ(spans_in_capture(), 7);
}

static void write_config(const char *text)
{
    char path[600];
    snprintf(path, sizeof path, "%s/own.toml", test_tmpdir());
    FILE *f = fopen(path, "w");
    REQUIRE(f);
    fputs(text, f);
    fclose(f);
    CHECK_EQ(chmod(path, 0600), 0);
    setenv("ORIEL_CONFIG", path, 1);
}

/* The form "object" of a Chrome trace begins with a brace, the default with a bracket. */
TEST(inprocess_takes_outlets_and_their_options_from_a_file)
{
    struct oriel_options o = options(NULL);
    write_config("[telemetry]\noutlets = ['capture', 'chrome']\n[telemetry.chrome]\n"
                 "form = 'object'\n");
    REQUIRE(oriel_inprocess_start(&o, keep_path) == 0);
    emit(5);
    CHECK_EQ(oriel_inprocess_stop(60000), 0);
    CHECK_EQ(spans_in_capture(), 5);
    FILE *f = fopen(file_with(".json"), "r");
    REQUIRE(f);
    CHECK_EQ(fgetc(f), '{');
    fclose(f);
}

TEST(inprocess_does_not_start_with_a_configuration_that_cannot_take_effect)
{
    struct oriel_options o = options("capture");
    write_config("[telemetry]\npyroscope_endpoint = 'http://p'\n");
    CHECK_EQ(oriel_inprocess_start(&o, keep_path), ORIEL_EINVAL);
    CHECK(access(dir, F_OK) != 0);
    write_config("[telemetry]\nunknown = 1\n");
    CHECK_EQ(oriel_inprocess_start(&o, keep_path), 0); /* a warning stops nothing */
    CHECK_EQ(oriel_inprocess_stop(60000), 0);
    setenv("ORIEL_CONFIG", "/nonexistent/own.toml", 1);
    CHECK_EQ(oriel_inprocess_start(&o, keep_path), ORIEL_ENOTFOUND);
}

TEST(inprocess_takes_any_key_from_the_program_above_the_file)
{
    static const char *const good[] = {"outlets=capture", "exit_ms=5000", NULL};
    static const char *const bad[] = {"outlets", NULL}, *const unknown[] = {"outlet=a", NULL};
    struct oriel_options o = options(NULL);
    write_config("[telemetry]\noutlets = ['chrome']\n");
    o.settings = good;
    REQUIRE(oriel_inprocess_start(&o, keep_path) == 0);
    emit(3);
    CHECK_EQ(oriel_inprocess_stop(60000), 0);
    CHECK_EQ(spans_in_capture(), 3);
    o.settings = bad;
    CHECK_EQ(oriel_inprocess_start(&o, keep_path), ORIEL_EINVAL);
    o.settings = unknown;
    CHECK_EQ(oriel_inprocess_start(&o, keep_path), ORIEL_EINVAL);
}

/* What a start says on standard error. */
static const char *said_at_start(struct oriel_options *o, int *out_rc)
{
    static char text[2000];
    int ends[2], before = dup(2);
    REQUIRE(pipe(ends) == 0 && before >= 0);
    REQUIRE(dup2(ends[1], 2) == 2);
    *out_rc = oriel_inprocess_start(o, keep_path);
    REQUIRE(dup2(before, 2) == 2);
    close(ends[1]);
    ssize_t n = read(ends[0], text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    close(ends[0]);
    close(before);
    return text;
}

#define WORK "\"name\":\"inprocess.work\""
/* In the one file of OTLP there is. */
static unsigned count_sent(const char *what)
{
    unsigned spans = 0;
    char *line = NULL;
    size_t room = 0;
    FILE *f = fopen(file_with(".jsonl"), "r");
    REQUIRE(f != NULL);
    while (getline(&line, &room, f) > 0)
        for (const char *p = line; (p = strstr(p, what)); p++)
            spans++;
    free(line);
    fclose(f);
    return spans;
}

TEST(inprocess_samples_what_the_outlets_of_items_get_and_a_capture_has_all)
{
    struct oriel_options o = options("otlp,capture");
    setenv("ORIEL_SAMPLE_RATE", "0.25", 1);
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
    unsetenv("ORIEL_SAMPLE_RATE");
    emit(4000);
    CHECK_EQ(oriel_inprocess_stop(600000), 0);
    CHECK_EQ(spans_in_capture(), 4000);
    const unsigned spans = count_sent(WORK);
    CHECK(spans > 700 && spans < 1300); /* 1000 +- 27 */
}

static void count_sampled(void *user, const struct oriel_context *parent,
                          const struct oriel_span *span, const struct oriel_site *site)
{
    struct oriel_context c;
    unsigned *counts = user;
    counts[0]++;
    counts[1] += oriel_context_of(span, &c) && c.flags & ORIEL_TRACE_SAMPLED;
}

TEST(inprocess_of_always_record_tells_processors_and_a_capture_what_no_receiver_gets)
{
    char path[600];
    unsigned heard[2] = {0, 0};
    struct oriel_options o = options("otlp,capture");
    snprintf(path, sizeof path, "%s/o.yaml", test_tmpdir());
    FILE *f = fopen(path, "w");
    REQUIRE(f &&
            fputs("file_format: '1.0'\n"
                  "tracer_provider: {sampler: {always_record: {root: "
                  "{trace_id_ratio_based: {ratio: 0.25}}}}}\n",
                  f) >= 0 &&
            fclose(f) == 0);
    setenv("OTEL_CONFIG_FILE", path, 1);
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
    const struct oriel_span_processor counts = {
        .size = sizeof counts, .user = heard, .on_start = count_sampled};
    CHECK(oriel_span_processor_add(&counts) > 0);
    emit(4000);
    CHECK_EQ(oriel_inprocess_stop(600000), 0);
    CHECK_EQ(heard[0], 4000);
    CHECK(heard[1] > 700 && heard[1] < 1300); /* the others are recorded, and not sampled */
    CHECK_EQ(count_sent(WORK), heard[1]);
    CHECK_EQ(spans_in_capture(), 4000);
}

TEST(inprocess_leaves_out_logs_of_traces_that_are_not_sampled_where_that_is_wanted)
{
    struct oriel_options o = options("otlp,capture");
    write_config("[telemetry]\nsample_rate = 0.25\nsampling.trace_based_logs = true\n");
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
    for (int i = 0; i < 1000; i++) {
        ORIEL_SPAN("inprocess.work");
        ORIEL_INFO("inprocess.said");
    }
    ORIEL_INFO("inprocess.alone");
    CHECK_EQ(oriel_inprocess_stop(600000), 0);
    CHECK(count_sent(WORK) > 100 && count_sent(WORK) < 450);
    CHECK_EQ(count_sent("\"body\":{\"stringValue\":\"inprocess.said\"}"), count_sent(WORK));
    CHECK_EQ(count_sent("\"body\":{\"stringValue\":\"inprocess.alone\"}"), 1);
}

/* As oriel_stop and oriel_start do it, without loading a library. */
static void stop_and_leave(void)
{
    CHECK(rec_region_leave(600000));
    CHECK_EQ(oriel_inprocess_stop(600000), 0);
    rec_region_drop();
}

TEST(inprocess_says_as_much_as_the_log_level_wants)
{
    struct oriel_options o = options("capture");
    int rc;
    write_config("[telemetry]\nnone = 1\n");
    const char *said = said_at_start(&o, &rc);
    CHECK(strncmp(said, "oriel: warning: ", 16) == 0 && strchr(said, '\n')[1] == 0);
    CHECK(strstr(said, "own.toml:2: there is no key telemetry.none\n") != NULL);
    CHECK_EQ(rc, 0);
    stop_and_leave();
    setenv("OTEL_LOG_LEVEL", "error", 1);
    CHECK_STR(said_at_start(&o, &rc), "");
    stop_and_leave();
    setenv("OTEL_LOG_LEVEL", "Warn", 1);
    CHECK(strstr(said_at_start(&o, &rc), "oriel: warning: ") != NULL && rc == 0);
    stop_and_leave();
    write_config("[telemetry]\nexit_ms = 'x'\n");
    setenv("OTEL_LOG_LEVEL", "none", 1);
    CHECK_STR(said_at_start(&o, &rc), "");
    CHECK_EQ(rc, ORIEL_EINVAL);
    setenv("OTEL_LOG_LEVEL", "", 1);
    CHECK(strstr(said_at_start(&o, &rc), "oriel: telemetry does not start: ") != NULL);
}

TEST(inprocess_tells_the_mistakes_of_a_changed_file)
{
    struct oriel_options o = options("capture");
    char text[400] = "";
    int ends[2], before = dup(2);
    write_config("[telemetry]\n");
    REQUIRE(oriel_inprocess_start(&o, keep_path) == 0);
    REQUIRE(pipe(ends) == 0 && before >= 0 && dup2(ends[1], 2) == 2);
    write_config("[telemetry]\nsampel_rate = 0.5\n");
    CHECK_EQ(reload(), 0);
    REQUIRE(dup2(before, 2) == 2);
    CHECK_EQ(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    CHECK(read(ends[0], text, sizeof text - 1) > 0);
    CHECK(strstr(text, "there is no key telemetry.sampel_rate; did you mean sample_rate?\n"));
    CHECK_EQ(oriel_inprocess_stop(60000), 0);
    for (int i = 0; i < 2; i++)
        close(ends[i]);
    close(before);
}

TEST(inprocess_tells_so_many_mistakes_that_somebody_reads_them)
{
    struct oriel_options o = options("capture");
    int rc;
    unsigned lines = 0;
    write_config("[telemetry]\na1=1\na2=1\na3=1\na4=1\na5=1\na6=1\na7=1\na8=1\na9=1\n");
    const char *said = said_at_start(&o, &rc);
    for (const char *p = said; (p = strchr(p, '\n')); p++)
        lines++;
    CHECK_EQ(lines, 9);
    CHECK(strstr(said, "oriel: warning: 1 more: oriel config check tells it\n") != NULL);
    CHECK_EQ(oriel_inprocess_stop(60000), 0);
}

TEST(inprocess_does_not_start_by_a_filter_that_is_none)
{
    struct oriel_options o = options("capture");
    int rc;
    setenv("ORIEL_FILTER", "nope=chatty,=,,==", 1);
    CHECK_STR(
        said_at_start(&o, &rc),
        "oriel: telemetry does not start: $ORIEL_FILTER: telemetry.filter: \"nope=chatty\" is "
        "no filter directive: LEVEL or target=LEVEL, with trace, debug, info, warn, error, "
        "fatal or off\n");
    CHECK_EQ(rc, ORIEL_EINVAL);
    unsetenv("ORIEL_FILTER");
    o.filter = "chatty";
    CHECK(strstr(said_at_start(&o, &rc), "\"chatty\" is no filter directive") != NULL);
    CHECK_EQ(rc, ORIEL_EINVAL);
}

TEST(inprocess_tells_its_own_figures_while_it_runs_and_in_the_capture)
{
    struct oriel_options o = options("capture");
    struct wire_figures f = {.count = 0};
    struct session *s;
    REQUIRE(oriel_inprocess_start(&o, keep_path) == 0);
    emit(11);
    while (f.values[FIGURE_SPAN_STARTED] != 11) { /* until the drain thread has come by */
        (void)usleep(1000);                       /* and leave it the processor */
        (void)region_read_figures(attached_to, &f);
    }
    CHECK_EQ(f.count, FIGURES);
    CHECK_EQ(f.values[FIGURE_SPAN_LIVE], 0);
    CHECK_EQ(oriel_inprocess_stop(60000), 0);
    REQUIRE(session_new(&s, "file", file_with(".oriel"), NULL, NULL) == 0);
    CHECK_EQ(session_run(s, NULL), SOURCE_END);
    CHECK_STR(model_catalog_resource(session_catalog(s), "otel.sdk.span.started").p, "11");
    session_free(s);
}

/* What is said of the process in the recording. */
TEST(inprocess_tells_who_it_is)
{
    struct oriel_options o = options("capture");
    struct session *s;
    char name[200];
    setenv("OTEL_RESOURCE_ATTRIBUTES", "host.id=mine,team=a%20b", 1);
    setenv("OTEL_SERVICE_NAME", "", 1);
    REQUIRE(oriel_inprocess_start(&o, keep_path) == 0);
    CHECK_EQ(oriel_inprocess_stop(60000), 0);
    REQUIRE(session_new(&s, "file", file_with(".oriel"), NULL, NULL) == 0);
    CHECK_EQ(session_run(s, NULL), SOURCE_END);
    const struct model_catalog *c = session_catalog(s);
    CHECK_STR(model_catalog_resource(c, "host.id").p, "mine");
    CHECK_STR(model_catalog_resource(c, "team").p, "a b");
    snprintf(name, sizeof name, "unknown_service:%s",
             model_catalog_resource(c, "process.executable.name").p);
    CHECK_STR(model_catalog_resource(c, "service.name").p, name);
    session_free(s);
}

TEST(a_program_can_ask_for_its_resource)
{
    struct oriel_options o = options("capture");
    char text[64], little[4];
    setenv("OTEL_RESOURCE_ATTRIBUTES", "team=a%20b", 1);
    setenv("OTEL_SERVICE_NAME", "shop", 1);
    CHECK_EQ(oriel_inprocess_resource("team", text, sizeof text), ORIEL_ENOTFOUND);
    REQUIRE(oriel_inprocess_start(&o, keep_path) == 0);
    CHECK_EQ(oriel_inprocess_resource("team", text, sizeof text), 3);
    CHECK_STR(text, "a b");
    CHECK(oriel_inprocess_resource("service.name", text, sizeof text) > 0);
    CHECK(oriel_inprocess_resource("process.executable.name", text, sizeof text) > 0);
    CHECK_EQ(oriel_inprocess_resource("no.such.key", text, sizeof text), ORIEL_ENOTFOUND);
    CHECK_EQ(oriel_inprocess_resource("team", NULL, 0), 3);
    CHECK(oriel_inprocess_resource("process.executable.name", little, sizeof little) > 4);
    CHECK_EQ(strlen(little), 3);
    CHECK_EQ(oriel_inprocess_stop(60000), 0);
    CHECK_EQ(oriel_inprocess_resource("team", text, sizeof text), ORIEL_ENOTFOUND);
}

/* A line that every filter here lets through brings the switch to its thread. */
static void emit_loudly(int n)
{
    ORIEL_ERROR("inprocess.loud");
    emit(n);
}

/* A wrong file and a key that cannot change in place leave everything as it was. */
TEST(inprocess_takes_levels_and_rates_out_of_a_changed_file_whole_or_not_at_all)
{
    struct oriel_options o = options("capture");
    struct session *s;
    write_config("[telemetry]\nfilter = 'error'\n");
    REQUIRE(oriel_inprocess_start(&o, keep_path) == 0);
    CHECK_EQ(reload(), 0); /* nothing is different */
    emit_loudly(1);
    write_config("[telemetry]\nfilter = 'trace'\nexit_ms = 'x'\n");
    CHECK_EQ(reload(), ORIEL_EINVAL);
    write_config("[telemetry]\nfilter = 'trace'\ntrace_dir = 'else'\noutlets = ['log']\n");
    CHECK_EQ(reload(), 0); /* both are said by the program, above the file */
    emit_loudly(2);
    write_config("[telemetry]\nfilter = 'error'\nservice_name = 'x'\n");
    CHECK_EQ(reload(), ORIEL_EUNSUPPORTED);
    emit_loudly(4);
    write_config("[telemetry]\nfilter = 'error'\nsample_rate = 0.5\n");
    CHECK_EQ(reload(), 0);
    emit_loudly(8);
    CHECK_EQ(oriel_inprocess_stop(60000), 0);
    CHECK_EQ(reload(), ORIEL_ENOTFOUND);
    REQUIRE(session_new(&s, "file", file_with(".oriel"), NULL, NULL) == 0);
    CHECK_EQ(session_run(s, NULL), SOURCE_END);
    CHECK_STR(model_catalog_resource(session_catalog(s), "oriel.reload.1").p,
              "filter: \"error\" -> \"trace\"");
    CHECK_STR(model_catalog_resource(session_catalog(s), "oriel.reload.2").p,
              "sample_rate: \"1\" -> \"0.5\", filter: \"trace\" -> \"error\"");
    session_free(s);
    CHECK_EQ(spans_in_capture(), 6);
}

TEST(inprocess_sees_by_itself_that_its_file_was_changed)
{
    struct oriel_options o = options("capture");
    write_config("[telemetry]\nfilter = 'error'\n");
    REQUIRE(oriel_inprocess_start(&o, keep_path) == 0);
    /* Of another size: two writes within one tick of the kernel's clock have one time. */
    write_config("[telemetry]\nfilter = 'trace' # now\n");
    struct wire_figures f = {.count = 0};
    while (f.values[FIGURE_SPAN_STARTED] == 0) { /* until the drain thread has looked */
        emit_loudly(1);
        (void)usleep(1000);
        (void)region_read_figures(attached_to, &f);
    }
    CHECK_EQ(oriel_inprocess_stop(60000), 0);
}

TEST(inprocess_without_a_file_has_nothing_to_read_again)
{
    struct oriel_options o = options("capture");
    REQUIRE(chdir(test_tmpdir()) == 0);
    unsetenv("ORIEL_CONFIG");
    REQUIRE(oriel_inprocess_start(&o, keep_path) == 0);
    CHECK_EQ(reload(), ORIEL_ENOTFOUND);
    CHECK_EQ(oriel_inprocess_stop(60000), 0);
}

TEST(inprocess_refuses_nonsense_and_leaves_nothing_behind)
{
    struct oriel_options o = options("capture,telepathy");
    CHECK_EQ(oriel_inprocess_start(&o, oriel_attach), ORIEL_EINVAL);
    o.outlets = ",";
    CHECK_EQ(oriel_inprocess_start(&o, oriel_attach), ORIEL_EINVAL);
    CHECK_EQ(oriel_inprocess_start(NULL, NULL), ORIEL_EINVAL);
    CHECK_EQ(oriel_inprocess_stop(0), 0);
}

static int refuse(const char *ring_path)
{
    CHECK(access(ring_path, F_OK) == 0);
    return ORIEL_ESTATE;
}

TEST(inprocess_start_fails_when_the_runtime_does_not_attach)
{
    struct oriel_options o = options("capture");
    CHECK_EQ(oriel_inprocess_start(&o, refuse), ORIEL_ESTATE);
    CHECK_EQ(oriel_inprocess_start(&o, oriel_attach), 0);
    CHECK_EQ(oriel_inprocess_stop(600000), 0);
}

TEST(inprocess_drain_thread_takes_no_signals)
{
    struct oriel_options o = options("capture");
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
    int drains = 0;
    DIR *d = opendir("/proc/self/task");
    REQUIRE(d != NULL);
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        char path[400], text[4096] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/status", e->d_name);
        FILE *f = fopen(path, "r");
        if (!f)
            continue;
        size_t n = fread(text, 1, sizeof text - 1, f);
        fclose(f);
        text[n] = 0;
        if (!strstr(text, "oriel-drain"))
            continue;
        drains++;
        unsigned long long blocked = 0;
        char *line = strstr(text, "SigBlk:");
        REQUIRE(line && sscanf(line, "SigBlk: %llx", &blocked) == 1);
        CHECK(blocked & (1ull << (SIGTERM - 1)));
        CHECK(blocked & (1ull << (SIGPROF - 1)));
    }
    closedir(d);
    /* It names itself a moment after start returned. */
    CHECK(drains <= 1);
    CHECK_EQ(oriel_inprocess_stop(600000), 0);
}

TEST(inprocess_fork_child_records_through_its_parent_and_exits_at_once)
{
    struct oriel_options o = options("capture");
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
    emit(5);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        emit(20);
        /* A child that waited would do so for longer than this test may last. */
        bool ok = oriel_inprocess_start(NULL, oriel_attach) == ORIEL_ESTATE &&
                  oriel_inprocess_stop(3600000) == 0;
        _exit(ok ? 0 : 1);
    }
    int status;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_EQ(oriel_inprocess_stop(600000), 0);
    CHECK_EQ(spans_in_capture(), 25);
}

static uint64_t emitted;
static int emit_on;

static void *emit_flat_out(void *unused)
{
    (void)unused;
    while (__atomic_load_n(&emit_on, __ATOMIC_RELAXED)) {
        ORIEL_SPAN("outer");
        emit(3);
        __atomic_fetch_add(&emitted, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void wait_for_emits(void)
{
    uint64_t enough = __atomic_load_n(&emitted, __ATOMIC_RELAXED) + 1000;
    while (__atomic_load_n(&emitted, __ATOMIC_RELAXED) < enough)
        sched_yield();
}

TEST_T(inprocess_starts_again_and_again_while_threads_record, 120)
{
    enum { THREADS = 4, ROUNDS = 20 };
    pthread_t t[THREADS];
    struct oriel_options o = options("capture");
    emit_on = 1;
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&t[i], NULL, emit_flat_out, NULL) == 0);
    for (int round = 0; round < ROUNDS; round++) {
        REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
        CHECK(oriel_enabled());
        wait_for_emits();
        stop_and_leave();
        CHECK(!oriel_enabled());
        wait_for_emits(); /* nobody is there, and nobody minds */
        CHECK(spans_in_capture() > 100);
        unlink(file_with(".oriel"));
    }
    __atomic_store_n(&emit_on, 0, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
}

TEST(inprocess_second_recording_holds_what_was_said_in_it_and_no_more)
{
    struct oriel_options o = options("capture");
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
    {
        ORIEL_SPAN("open.all.the.time");
        emit(11);
        stop_and_leave();
        emit(500);
        CHECK_EQ(spans_in_capture(), 12);
        unlink(file_with(".oriel"));
        REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
        emit(22);
        CHECK_EQ(oriel_tls.thread->stack_bytes,
                 ORIEL_STACK_ENTRY); /* the span above is still open */
    }
    CHECK_EQ(oriel_tls.thread->stack_bytes, 0);
    stop_and_leave();
    CHECK_EQ(spans_in_capture(), 22);
}

#ifndef __SANITIZE_THREAD__ /* which has no threads after a fork */
TEST(inprocess_fork_child_may_start_an_export_of_its_own)
{
    struct oriel_options o = options("capture");
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
    emit(5);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        snprintf(dir, sizeof dir, "%s/child", test_tmpdir());
        bool ok = rec_region_leave(600000);
        rec_region_drop();
        ok = ok && oriel_inprocess_start(&o, oriel_attach) == 0;
        emit(40);
        stop_and_leave();
        _exit(ok && spans_in_capture() == 40 ? 0 : 1);
    }
    int status;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    emit(6);
    CHECK_EQ(oriel_inprocess_stop(600000), 0);
    CHECK_EQ(spans_in_capture(), 11);
}
#endif

TEST(inprocess_ring_stays_while_children_record_into_it)
{
    struct oriel_options o = options("capture");
    int go[2], said[2];
    char byte = 0, path[512];
    REQUIRE(pipe(go) == 0 && pipe(said) == 0);
    REQUIRE(oriel_inprocess_start(&o, keep_path) == 0);
    emit(5);
    snprintf(path, sizeof path, "%s", attached_to);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        emit(20);
        bool ok = write(said[1], &byte, 1) == 1 && read(go[0], &byte, 1) == 1;
        emit(30);
        _exit(ok ? 0 : 1);
    }
    REQUIRE(read(said[0], &byte, 1) == 1);
    CHECK_EQ(oriel_inprocess_stop(600000), 0);
    CHECK_EQ(spans_in_capture(), 25);
    int status = 1;
    REQUIRE(write(go[1], &byte, 1) == 1 && waitpid(pid, &status, 0) == pid);
    CHECK_EQ(status, 0);
    struct region_info info;
    REQUIRE(region_inspect(path, &info, NULL) == 0); /* for oriel recover */
    CHECK(info.unread_bytes > 0);
    CHECK_EQ(region_unlink(path, NULL), 0);
}

TEST(inprocess_flight_recorder_writes_on_a_trigger_only)
{
    struct oriel_options o = options("capture");
    o.flags = ORIEL_START_FLIGHT_RECORDER;
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
    emit(9);
    CHECK_EQ(oriel_inprocess_stop(600000), 0);
    CHECK_EQ(spans_in_capture(), 0);
}

TEST(inprocess_flight_recorder_keeps_the_last_of_everything)
{
    struct oriel_options o = options("capture");
    o.flags = ORIEL_START_FLIGHT_RECORDER;
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
    emit(200000); /* several times the ring */
    oriel_trigger("enough");
    CHECK_EQ(oriel_inprocess_stop(600000), 0);
    uint64_t spans = spans_in_capture();
    if (spans <= 5000 || spans >= 200000)
        test_fail(__FILE__, __LINE__, "%llu spans", (unsigned long long)spans);
}

TEST(inprocess_flight_recorder_misses_no_trigger_that_comes_before_its_thread_runs)
{
    struct oriel_options o = options("capture");
    o.flags = ORIEL_START_FLIGHT_RECORDER;
    for (int round = 0; round < 20; round++) {
        REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
        emit(9);
        oriel_trigger("at once");
        stop_and_leave();
        CHECK_EQ(spans_in_capture(), 9);
        unlink(file_with(".oriel"));
    }
}

TEST(inprocess_stop_is_over_at_its_deadline)
{
    struct oriel_options o = options("capture");
    REQUIRE(oriel_inprocess_start(&o, oriel_attach) == 0);
    emit(1000);
    int rc = oriel_inprocess_stop(0);
    CHECK(rc == ORIEL_EBUSY || rc == 0);
    CHECK_EQ(oriel_inprocess_stop(600000), 0);
}

TEST_MAIN()
