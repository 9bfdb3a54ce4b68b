/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * oriel doctor: the probe table as text or JSON.
 */
#include <stddef.h>

#include "cli/cli.h"
#include "cli/doctor.h"
#include "cli/spooled.h"
#include "source/probe_options.h"
#include "util/json.h"

struct doctor_options {
    bool json;
    int64_t live;
    const char *spool;
};

static const struct option_def options[] = {
    {.name = "json",
     .type = OPTION_BOOL,
     .offset = offsetof(struct doctor_options, json),
     .help = "as JSON",
     .letter = 'j'},
    {.name = "live",
     .type = OPTION_INT,
     .offset = offsetof(struct doctor_options, live),
     .max = INT32_MAX,
     .arg = "PID",
     .help = "instead: what the recorder of this process says of its own work"},
    {.name = "spool",
     .type = OPTION_STRING,
     .offset = offsetof(struct doctor_options, spool),
     .arg = "DIR",
     .help = "instead: what programs left in DIR for receivers that were away"},
    OPTION_END,
};

static void as_text(struct buf *b, const struct doctor_probe *p, const struct doctor_finding *f)
{
    buf_printf(b, "%-8s %-18s %s\n", doctor_state_text(f->state), p->name, f->text);
    if (f->state != DOCTOR_OK)
        buf_printf(b, "%-8s %-18s   for: %s\n", "", "", p->gives);
    if (f->remedy[0])
        buf_printf(b, "%-8s %-18s   do:  %s\n", "", "", f->remedy);
}

static void as_json(struct json *j, const struct doctor_probe *p, const struct doctor_finding *f)
{
    json_object(j);
    json_key(j, "name");
    json_string(j, p->name);
    json_key(j, "state");
    json_string(j, doctor_state_text(f->state));
    json_key(j, "found");
    json_string(j, f->text);
    json_key(j, "gives");
    json_string(j, p->gives);
    json_key(j, "remedy");
    json_string(j, f->remedy[0] ? f->remedy : NULL);
    json_object_end(j);
}

static int run(const struct cli_call *call)
{
    const struct doctor_options *o = call->options;
    struct buf b;
    struct json j;
    if (o->live)
        return doctor_live((int32_t)o->live, o->json);
    if (o->spool && o->spool[0])
        return spooled_show(o->spool, o->json);
    probe_sweep(); /* what a recorder that was killed left behind */
    buf_init(&b);
    json_init(&j, &b);
    if (o->json) {
        json_object(&j);
        json_key(&j, "probes");
        json_array(&j);
    }
    for (const struct doctor_probe *p = doctor_probes; p->name; p++) {
        struct doctor_finding f = {0};
        p->ask(&f);
        if (o->json)
            as_json(&j, p, &f);
        else
            as_text(&b, p, &f);
    }
    if (o->json) {
        json_array_end(&j);
        json_object_end(&j);
        buf_putc(&b, '\n');
    }
    int status = cli_print(&b);
    buf_done(&b);
    return status;
}

const struct cli_command cli_command_doctor = {
    .name = "doctor",
    .summary = "tell what this machine and this user permit, and the remedy where they do not",
    .args = "",
    .options = options,
    .options_size = sizeof(struct doctor_options),
    .run = run,
};
