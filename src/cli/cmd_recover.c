/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * oriel recover: what is left in the rings of recorders that died, saved into
 * their captures. A ring is removed only after its content is safe.
 */
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/reading.h"
#include "session/artifact.h"
#include "session/crash.h"
#include "session/session.h"
#include "source/region_io.h"
#include "source/region_left.h"
#include "util/json.h"
#include "util/num.h"
#include "util/table.h"

struct recover_options {
    bool list, json;
    const char *output;
};

#define AT(member) .offset = offsetof(struct recover_options, member)
static const struct option_def options[] = {
    {.name = "list",
     .type = OPTION_BOOL,
     AT(list),
     .letter = 'l',
     .help = "tell which rings there are and touch nothing"},
    {.name = "json", .type = OPTION_BOOL, AT(json), .letter = 'j', .help = "the list as JSON"},
    {.name = "output",
     .type = OPTION_STRING,
     AT(output),
     .arg = "FILE",
     .letter = 'o',
     .help = "write into this capture instead of the one that was begun"},
    OPTION_END,
};

/* ---- telling ---- */

static void state_text(const struct region_info *i, char *out, size_t n)
{
    if (region_is_orphan(i))
        snprintf(out, n, "%s", i->same_boot ? "left behind" : "left behind before the last boot");
    else if (i->reader_pid)
        snprintf(out, n, "being recorded by process %d", (int)i->reader_pid);
    else if (i->processes_alive)
        snprintf(out, n, "still used by %u %s", i->processes_alive,
                 i->processes_alive == 1 ? "process" : "processes");
    else
        snprintf(out, n, "held by process %d", (int)i->creator_pid);
}

static const char *program_of(const struct region_info *i)
{
    const char *slash = strrchr(i->exe, '/');
    return slash && slash[1] ? slash + 1 : i->exe[0] ? i->exe : "?";
}

static void list_text(struct buf *b, const struct region_info *info, size_t count)
{
    static const struct table_column columns[] = {{"ring", TABLE_TEXT},    {"since", TABLE_TEXT},
                                                  {"program", TABLE_TEXT}, {"unread", TABLE_NUMBER},
                                                  {"state", TABLE_TEXT},   {"capture", TABLE_TEXT}};
    struct table t;
    table_init(&t, columns, sizeof columns / sizeof columns[0]);
    for (size_t k = 0; k < count; k++) {
        const struct region_info *i = &info[k];
        char state[96], unread[NUM_TEXT_MAX], when[CLI_TIME_BYTES];
        state_text(i, state, sizeof state);
        table_cell(&t, i->path);
        table_cell(&t, cli_time(when, (int64_t)i->created_unix_ns));
        table_cell(&t, program_of(i));
        table_cell(&t, num_bytes(unread, i->unread_bytes));
        table_cell(&t, state);
        table_cell(&t, i->capture_path);
    }
    if (count)
        table_put(&t, 0, 0, false, b);
    table_done(&t);
}

static void list_json(struct buf *b, const struct region_info *info, size_t count)
{
    struct json j;
    json_init(&j, b);
    json_object(&j);
    json_key(&j, "rings");
    json_array(&j);
    for (size_t k = 0; k < count; k++) {
        const struct region_info *i = &info[k];
        json_object(&j);
        json_key(&j, "path");
        json_string(&j, i->path);
        json_key(&j, "session_id");
        json_hex(&j, i->session_id, sizeof i->session_id);
        json_key(&j, "created_unix_ns");
        json_u64(&j, i->created_unix_ns);
        json_key(&j, "program");
        json_string(&j, i->exe[0] ? i->exe : NULL);
        json_key(&j, "capture");
        json_string(&j, i->capture_path[0] ? i->capture_path : NULL);
        json_key(&j, "bytes");
        json_u64(&j, i->bytes);
        json_key(&j, "memory_bytes");
        json_u64(&j, i->memory_bytes);
        json_key(&j, "unread_bytes");
        json_u64(&j, i->unread_bytes);
        json_key(&j, "processes_alive");
        json_u64(&j, i->processes_alive);
        json_key(&j, "reader_pid");
        json_i64(&j, i->reader_pid);
        json_key(&j, "orphan");
        json_bool(&j, region_is_orphan(i));
        json_object_end(&j);
    }
    json_array_end(&j);
    struct region_removed removed;
    (void)region_removed_read(NULL, &removed);
    json_key(&j, "removed");
    json_object(&j);
    json_key(&j, "rings");
    json_u64(&j, removed.rings);
    json_key(&j, "unread_bytes");
    json_u64(&j, removed.unread_bytes);
    json_object_end(&j);
    json_object_end(&j);
    buf_putc(b, '\n');
}

/* Of a program that is started and killed over and over. `forget`: it is not told again. */
static void tell_removed(bool forget)
{
    struct region_removed r;
    char n[NUM_TEXT_MAX], unread[NUM_TEXT_MAX], when[CLI_TIME_BYTES];
    if ((forget ? region_removed_take : region_removed_read)(NULL, &r) != 0 || r.rings == 0)
        return;
    cli_note("%s older %s removed to make room, with %s unread, the last at %s",
             num_count(n, r.rings), num_noun(r.rings, "ring was", "rings were"),
             num_bytes(unread, r.unread_bytes), cli_time(when, r.unix_s * 1000000000));
}

static int print_list(const struct recover_options *o, const struct region_info *info, size_t n)
{
    struct buf b;
    buf_init(&b);
    if (o->json)
        list_json(&b, info, n);
    else
        list_text(&b, info, n);
    if (n == 0 && !o->json)
        cli_note("no ring was left behind");
    if (!o->json)
        tell_removed(false);
    int status = cli_print(&b);
    buf_done(&b);
    return status;
}

/* ---- saving ---- */

/* Where the content goes: -o, else the capture that was begun, else a name
 * after the session in this directory. */
static void target_of(const struct recover_options *o, const struct region_info *i, char *out,
                      size_t n)
{
    struct stat st;
    char dir[WIRE_PATH_BYTES];
    memcpy(dir, i->capture_path, sizeof dir);
    char *slash = strrchr(dir, '/');
    if (slash)
        *slash = 0;
    if (o->output && o->output[0])
        snprintf(out, n, "%s", o->output);
    else if (slash && (slash == dir || (stat(dir, &st) == 0 && S_ISDIR(st.st_mode))))
        snprintf(out, n, "%s", i->capture_path);
    else
        snprintf(out, n, "recovered-%02x%02x%02x%02x.oriel", i->session_id[0], i->session_id[1],
                 i->session_id[2], i->session_id[3]);
}

/* A fresh capture has no artifact header yet; one that is continued has. */
static void describe(struct session *s, const struct region_info *i)
{
    struct model_catalog *c = session_catalog(s);
    char exe[sizeof i->exe];
    memcpy(exe, i->exe, sizeof exe);
    char *argv[] = {exe, NULL};
    (void)artifact_host(c);
    if (exe[0])
        (void)artifact_command(c, exe, argv);
    (void)artifact_set(c, "oriel.recovered", "true");
    (void)crash_describe(c, i->path, 0, 0);
}

static int add_capture(struct session *s, const char *path, bool *out_fresh, struct oriel_err *err)
{
    const struct exporter *e = export_find("capture");
    assert(e && e->options);
    struct out *out;
    void *how = mem_calloc(1, e->options_size);
    if (!how)
        return err_set(err, ORIEL_ENOMEM, "out of memory");
    int rc = option_defaults(e->options, how);
    if (rc == 0)
        rc = option_set(option_find(e->options, "append", 6), how, "true", err);
    if (rc == 0)
        rc = out_file_open(&out, path, true, err);
    if (rc == 0) {
        *out_fresh = out->bytes == 0;
        rc = session_add_outlet(s, e, how, out, err);
    }
    option_done(e->options, how);
    mem_free(how);
    return rc;
}

/* Another session's capture, or no capture at all, is not touched. */
static int open_target(struct session *s, char *path, size_t n, bool *out_fresh,
                       struct oriel_err *err)
{
    int rc = add_capture(s, path, out_fresh, err);
    if (rc != ORIEL_EINVAL && rc != ORIEL_EFORMAT && rc != ORIEL_EVERSION)
        return rc;
    size_t len = strlen(path);
    if (len > 6 && strcmp(path + len - 6, ".oriel") == 0)
        len -= 6;
    if (len + sizeof "-recovered.oriel" > n)
        return rc;
    cli_note("%s; writing beside it", err->text);
    memcpy(path + len, "-recovered.oriel", sizeof "-recovered.oriel");
    return add_capture(s, path, out_fresh, err);
}

static int drain(struct session *s, const char *ring, struct oriel_err *err)
{
    int result;
    do
        result = session_step(s, err);
    while (result == SOURCE_DATA);
    if (result == SOURCE_IDLE)
        return err_set(err, ORIEL_EBUSY, "%s: somebody still writes into it", ring);
    return result < 0 ? result : session_finish(s, err);
}

static void say_saved(struct session *s, const char *ring, const char *path)
{
    struct session_counts c;
    char n[NUM_TEXT_MAX], spans[NUM_TEXT_MAX], events[NUM_TEXT_MAX], lost[NUM_TEXT_MAX];
    char crash[256];
    uint64_t sum = 0;
    session_get_counts(s, &c);
    for (unsigned i = 0; i < ORIEL_LOST_CAUSES; i++)
        sum += c.lost[i];
    cli_note("%s: %s %s (%s %s, %s %s) found, %s lost when it ran; saved in %s", ring,
             num_count(n, c.records), num_noun(c.records, "record", "records"),
             num_count(spans, reading_spans(&c)), num_noun(reading_spans(&c), "span", "spans"),
             num_count(events, reading_events(&c)), num_noun(reading_events(&c), "event", "events"),
             num_count(lost, sum), path);
    crash_line(session_catalog(s), crash, sizeof crash);
    if (crash[0])
        cli_note("%s: the program was killed by %s", ring, crash);
    if (c.damage.bytes_skipped || c.damage.records)
        cli_note("%s: %s damaged %s and %s skipped", ring, num_count(n, c.damage.records),
                 num_noun(c.damage.records, "record", "records"),
                 num_bytes(lost, c.damage.bytes_skipped));
}

static int save(const struct recover_options *o, const struct region_info *i, struct oriel_err *err)
{
    char path[WIRE_PATH_BYTES + 64];
    struct session *s;
    bool fresh = false;
    target_of(o, i, path, sizeof path);
    int rc = session_new(&s, "ring", i->path, NULL, err);
    if (rc < 0)
        return rc;
    describe(s, i);
    rc = open_target(s, path, sizeof path, &fresh, err);
    if (rc == 0)
        rc = drain(s, i->path, err);
    if (rc == 0)
        say_saved(s, i->path, path);
    session_free(s);
    return rc;
}

static int recover_one(const struct recover_options *o, const struct region_info *i)
{
    struct oriel_err err = {0};
    int rc = 0;
    if (i->processes == 0 && i->unread_bytes == 0)
        cli_note("%s: nothing in it", i->path);
    else
        rc = save(o, i, &err);
    if (rc == 0)
        rc = region_unlink(i->path, &err);
    return rc < 0 ? cli_fail("%s; the ring is kept", err.text) : CLI_OK;
}

static int recover_all(const struct recover_options *o, const struct region_info *info, size_t n)
{
    int status = CLI_OK;
    size_t done = 0;
    for (size_t i = 0; i < n; i++) {
        if (!region_is_orphan(&info[i]))
            continue;
        done++;
        int one = recover_one(o, &info[i]);
        status = one ? one : status;
    }
    if (done == 0)
        cli_note("no ring was left behind%s",
                 n ? "; oriel recover --list tells who uses the others" : "");
    tell_removed(true);
    return status;
}

static int recover_file(const struct recover_options *o, const char *path)
{
    struct region_info info;
    struct oriel_err err = {0};
    char state[96];
    if (region_inspect(path, &info, &err) < 0)
        return cli_fail("%s", err.text);
    if (o->list)
        return print_list(o, &info, 1);
    if (region_is_orphan(&info))
        return recover_one(o, &info);
    state_text(&info, state, sizeof state);
    return cli_fail("%s: %s; nothing to recover yet", path, state);
}

static int run(const struct cli_call *call)
{
    const struct recover_options *o = call->options;
    struct region_info *info = NULL;
    struct oriel_err err = {0};
    size_t n = 0;
    if (call->arg_count)
        return recover_file(o, call->args[0]);
    if (region_list(NULL, &info, &n, &err) < 0)
        return cli_fail("%s", err.text);
    int status = o->list || o->json ? print_list(o, info, n) : recover_all(o, info, n);
    mem_free(info);
    return status;
}

const struct cli_command cli_command_recover = {
    .name = "recover",
    .summary = "save what a killed recorder or a dead program left in memory",
    .args = "[RING]",
    .description = "Looks for rings that nobody writes or reads any more and appends what they "
                   "hold to the capture that was begun, without doubling what it has already; "
                   "writes a new capture where there is none. A ring is removed once its content "
                   "is safe.",
    .examples = "oriel recover --list\noriel recover -o saved.oriel",
    .options = options,
    .options_size = sizeof(struct recover_options),
    .max_args = 1,
    .run = run,
};
