/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The configuration of this build, put together from the lists of outlets.
 * Reads one file; one thread per call.
 */
#include "session/settings.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "export/exporter.h"
#include "session/programs.h"
#include "session/sending.h"
#include "source/region_io.h"
#include "util/left_out.h"
#include "vault/vault.h"

enum { ABSENT_MAX = 64 };
/* What is configured by these keys is not part of this build. */
struct absences {
    struct config_absent rows[ABSENT_MAX];
    size_t count;
    /* of outlets that are left out: their section, their place in a list, why */
    struct absent_text {
        char section[40], item[40], why[LEFT_OUT_WHY_BYTES];
    } texts[SETTINGS_SECTIONS_MAX];
};

static void put_absent(struct absences *a, const char *key, const char *why, bool refused)
{
    assert(a->count < ABSENT_MAX);
    a->rows[a->count++] = (struct config_absent){key, why, refused};
}

/* A row of the first two goes when its outlet comes. */
static void find_absences(struct absences *a)
{
    const struct config_absent *sending;
    const size_t sending_n = sending_absent(&sending);
    struct absent_text *t = a->texts;
    a->count = 0;
    put_absent(a, "pyroscope_endpoint", "this version has no Pyroscope outlet yet", false);
    put_absent(a, "tracy", "this version has no Tracy outlet yet", true);
    for (size_t i = 0; i < sending_n; i++)
        put_absent(a, sending[i].key, sending[i].why, sending[i].refused);
    for (const struct left_out *r = left_out_rows; r->list; r++) {
        if (!left_out_find("EXPORTER", r->name, strlen(r->name), t->why) ||
            strcmp(r->list, "EXPORTER") != 0)
            continue;
        assert(t < a->texts + SETTINGS_SECTIONS_MAX);
        snprintf(t->section, sizeof t->section, "%s.*", r->name);
        snprintf(t->item, sizeof t->item, "outlets=%s", r->name);
        put_absent(a, t->section, t->why, false);
        put_absent(a, t->item, t->why, true);
        t++;
    }
}

size_t settings_sections(struct config_section out[SETTINGS_SECTIONS_MAX])
{
    size_t n = 0;
    for (const struct exporter *e; (e = export_registry[n]); n++) {
        assert(n < SETTINGS_SECTIONS_MAX);
        out[n] = (struct config_section){e->name, e->options, e->options_size};
    }
    assert(n < SETTINGS_SECTIONS_MAX);
    out[n++] = (struct config_section){"vault", vault_option_table(), vault_options_size()};
    return n;
}

static const char *variable_of(const struct settings_input *in, const char *name)
{
    size_t n = strlen(name);
    for (const char *const *e = in->environment; e && *e; e++)
        if (strncmp(*e, name, n) == 0 && (*e)[n] == '=' && (*e)[n + 1])
            return *e + n + 1;
    return NULL;
}

static const char *named(const struct settings_input *in)
{
    return in->file ? in->file : variable_of(in, CONFIG_FILE_VARIABLE);
}

const char *settings_declarative(const struct settings_input *in)
{
    return variable_of(in, CONFIG_DECLARATIVE_VARIABLE);
}

const char *settings_file(const struct settings_input *in)
{
    const char *name = named(in);
    if (name)
        return name;
    return access(CONFIG_FILE_NAME, F_OK) == 0 ? CONFIG_FILE_NAME : NULL;
}

int settings_load(struct config **out, const struct settings_input *in, struct oriel_err *err)
{
    if (in->size != sizeof *in)
        return err_set(err, ORIEL_EINVAL, "settings input of another size");
    bool is_private = in->preset && strcmp(in->preset, "private") == 0;
    const char *path = is_private ? NULL : settings_file(in);
    const char *other = is_private || in->model ? NULL : settings_declarative(in);
    struct config_section sections[SETTINGS_SECTIONS_MAX];
    struct absences absent;
    struct buf text, declarative;
    find_absences(&absent);
    buf_init(&text);
    buf_init(&declarative);
    int rc = path ? config_read_file(path, in->careful, &text, err) : 0;
    if (rc == 0 && other)
        rc = config_read_file(other, in->careful, &declarative, err);
    struct config_input input = {.size = sizeof input,
                                 .sections = sections,
                                 .section_count = settings_sections(sections),
                                 .absent = absent.rows,
                                 .absent_count = absent.count,
                                 .file_name = path,
                                 .file_text = path ? buf_cstr(&text) : NULL,
                                 .file_bytes = text.size,
                                 .declarative_name = other,
                                 .declarative_text = other ? buf_cstr(&declarative) : NULL,
                                 .declarative_bytes = declarative.size,
                                 .model = in->model,
                                 .known_component = programs_known,
                                 .registers = in->registers,
                                 .check_filter = region_check_directives,
                                 .environment = in->environment,
                                 .preset = in->preset,
                                 .code = in->code,
                                 .code_count = in->code_count};
    if (rc == 0)
        rc = config_load(out, &input, err);
    if (rc == 0 && !in->in_part && (rc = config_check_effects(*out)) < 0) {
        config_free(*out);
        err_set(err, rc, "out of memory reading the configuration");
    }
    buf_done(&text);
    buf_done(&declarative);
    return rc;
}
