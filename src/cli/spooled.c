/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Spools before people. What a living process holds is its own and is told, not
 * sent; what a receiver does not take stays where it is.
 */
#include "cli/spooled.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/vec.h"
#include "cli/cli.h"
#include "cli/stopping.h"
#include "deliver/deliver.h"
#include "deliver/spool.h"
#include "util/json.h"
#include "util/num.h"

#define SECOND UINT64_C(1000000000)
#define SLICE_NS (SECOND / 20)

struct listed {
    VEC(struct spool_listed) items;
    bool failed;
};

static void add(void *user, const struct spool_listed *l)
{
    struct listed *all = user;
    struct spool_listed *item = VEC_PUSH(&all->items);
    if (item)
        *item = *l;
    else
        all->failed = true;
}

static int list(const char *directory, struct listed *out)
{
    struct oriel_err err = {0};
    *out = (struct listed){.failed = false};
    int rc = spool_list(directory, add, out, &err);
    if (rc == 0 && out->failed)
        rc = err_set(&err, ORIEL_ENOMEM, "%s", err_text(ORIEL_ENOMEM));
    if (rc == 0)
        return CLI_OK;
    VEC_DONE(&out->items);
    return cli_fail("%s", err.text);
}

/* ---- sending ---- */

/* Until all is gone, or nothing gets through any more. */
static bool drain(struct deliver *d, uint64_t patience_ns)
{
    struct deliver_counts c;
    uint64_t began = clock_mono_ns(), recovered = 0;
    for (;;) {
        if (deliver_drain(d, clock_mono_ns() + SLICE_NS) == 0)
            return true;
        if (stopping_asked())
            return false;
        deliver_total(d, &c);
        uint64_t now = clock_mono_ns();
        if (c.recovered != recovered)
            began = now;
        else if (now - began > patience_ns)
            return false;
        recovered = c.recovered;
    }
}

static bool send_one(const struct sending *how, const char *directory, const struct spool_listed *l)
{
    const struct spool_options from = {
        .size = sizeof from, .directory = directory, .key = l->key, .label = l->destination};
    struct oriel_err err = {0};
    struct deliver_counts c;
    struct deliver *d;
    char sent[NUM_TEXT_MAX];
    if (sending_spooled(how, &from, &d, &err) < 0) {
        cli_note("%s/%s: %s", directory, l->key, err.text);
        return false;
    }
    bool all = drain(d, sending_patience_ns(how));
    deliver_total(d, &c);
    out_close(deliver_out(d));
    cli_note("%s: %s %s delivered%s", l->destination[0] ? l->destination : l->key,
             num_count(sent, c.recovered), num_noun(c.recovered, "item", "items"),
             all ? "" : ", the rest stays in the spool");
    return all;
}

int spooled_send(const struct sending *how, const char *directory)
{
    struct listed all;
    sigset_t open;
    bool done = true;
    int status = list(directory, &all);
    if (status != CLI_OK)
        return status;
    if (all.items.count == 0)
        cli_note("%s: nothing is left there", directory);
    stopping_catch(0, &open);
    for (size_t i = 0; i < all.items.count; i++) {
        const struct spool_listed *l = &all.items.items[i];
        if (l->files_in_use)
            cli_note("%s: a program that runs holds %u of %u %s itself",
                     l->destination[0] ? l->destination : l->key, l->files_in_use, l->files,
                     num_noun(l->files, "file and sends it", "files and sends them"));
        if (l->files > l->files_in_use)
            done = !stopping_asked() && send_one(how, directory, l) && done;
    }
    stopping_release(&open);
    VEC_DONE(&all.items);
    return done ? CLI_OK : CLI_FAILED;
}

/* ---- telling ---- */

static void as_text(struct buf *b, const struct spool_listed *l, uint64_t now_ns)
{
    char items[NUM_TEXT_MAX], bytes[NUM_TEXT_MAX], age[NUM_TEXT_MAX];
    uint64_t old = l->oldest_ns && l->oldest_ns < now_ns ? now_ns - l->oldest_ns : 0;
    buf_printf(b, "%s\n  %s %s in %s, oldest %s ago", l->destination[0] ? l->destination : l->key,
               num_count(items, l->items), num_noun(l->items, "item", "items"),
               num_bytes(bytes, l->bytes), num_duration(age, old));
    if (l->files_in_use)
        buf_printf(b, ", %u of %u %s in use", l->files_in_use, l->files,
                   num_noun(l->files, "file", "files"));
    if (l->damaged)
        buf_printf(b, ", %u damaged", (unsigned)l->damaged);
    buf_putc(b, '\n');
}

static void as_json(struct json *j, const struct spool_listed *l)
{
    json_object(j);
    json_pair_text(j, "destination", l->destination);
    json_pair_text(j, "key", l->key);
    json_pair_u64(j, "files", l->files);
    json_pair_u64(j, "files_in_use", l->files_in_use);
    json_pair_u64(j, "bytes", l->bytes);
    json_pair_u64(j, "messages", l->messages);
    json_pair_u64(j, "items", l->items);
    json_pair_u64(j, "oldest_unix_ns", l->oldest_ns);
    json_pair_u64(j, "newest_unix_ns", l->newest_ns);
    json_pair_u64(j, "damaged", l->damaged);
    json_object_end(j);
}

int spooled_show(const char *directory, bool json)
{
    struct listed all;
    struct buf b;
    struct json j;
    int status = list(directory, &all);
    if (status != CLI_OK)
        return status;
    buf_init(&b);
    json_init(&j, &b);
    if (json) {
        json_object(&j);
        json_key(&j, "spools");
        json_array(&j);
    }
    for (size_t i = 0; i < all.items.count; i++) {
        if (json)
            as_json(&j, &all.items.items[i]);
        else
            as_text(&b, &all.items.items[i], clock_unix_ns());
    }
    if (json) {
        json_array_end(&j);
        json_object_end(&j);
        buf_putc(&b, '\n');
    } else if (all.items.count == 0) {
        buf_printf(&b, "%s: nothing is left there\n", directory);
    }
    status = cli_print(&b);
    buf_done(&b);
    VEC_DONE(&all.items);
    return status;
}
