/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The layer of the file: the table [telemetry], one table per outlet below it,
 * and for one more release the old sections. What is not known is said with
 * the nearest name. One thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/state.h"
#include "util/num.h"

/* ---- reading ---- */

static int check_file(int fd, const char *path, bool careful, struct oriel_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return err_set_errno(err, errno, "%.300s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ORIEL_EPERM, "%.300s: not a regular file", path);
    if (careful && ((st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & S_IWOTH)))
        return err_set(err, ORIEL_EPERM, "%.300s: not read, because others could have written it",
                       path);
    return 0;
}

static int read_all(int fd, const char *path, struct buf *out, struct oriel_err *err)
{
    ssize_t n = 1;
    while (n > 0 && out->size <= CONFIG_FILE_MAX) {
        char *p = buf_reserve(out, 16384);
        if (!p)
            return err_set(err, ORIEL_ENOMEM, "%.300s: out of memory", path);
        n = read(fd, p, 16384);
        if (n > 0)
            out->size += (size_t)n;
        else if (n < 0 && errno != EINTR)
            return err_set_errno(err, errno, "%.300s", path);
        else if (n < 0)
            n = 1;
    }
    if (out->size > CONFIG_FILE_MAX)
        return err_set(err, ORIEL_ELIMIT, "%.300s: more than %zu bytes", path, CONFIG_FILE_MAX);
    return 0;
}

int config_read_file(const char *path, bool careful, struct buf *out, struct oriel_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return err_set_errno(err, errno, "%.300s", path);
    int rc = check_file(fd, path, careful, err);
    if (rc == 0)
        rc = read_all(fd, path, out, err);
    close(fd);
    return rc;
}

/* ---- values ---- */

static bool type_fits(const struct toml_value *v, const struct option_def *d)
{
    enum toml_type t = v->type;
    if (!d)
        return t == TOML_STRING || t == TOML_BOOL || t == TOML_INTEGER || t == TOML_FLOAT;
    switch (d->type) {
    case OPTION_BOOL:
        return t == TOML_BOOL;
    case OPTION_INT:
        return t == TOML_INTEGER;
    case OPTION_FLOAT:
        return t == TOML_FLOAT || t == TOML_INTEGER;
    case OPTION_STRING:
    case OPTION_ENUM:
        return t == TOML_STRING;
    case OPTION_SIZE:
    case OPTION_DURATION:
        return t == TOML_STRING || t == TOML_INTEGER;
    }
    return false;
}

static bool put_list(const struct toml_value *v, const struct option_def *d, struct buf *out)
{
    if (!d || !config_takes_list(d))
        return false;
    for (const struct toml_value *item = v->first; item; item = item->next) {
        if (item->type != TOML_STRING || memchr(item->text, 0, item->text_n))
            return false;
        buf_puts(out, item == v->first ? "" : ",");
        buf_put(out, item->text, item->text_n);
    }
    return true;
}

bool config_text_of(const struct toml_value *v, const struct option_def *d, struct buf *out)
{
    if (v->type == TOML_ARRAY)
        return put_list(v, d, out);
    if (!type_fits(v, d) || (v->type == TOML_STRING && memchr(v->text, 0, v->text_n)))
        return false;
    if (v->type == TOML_STRING)
        buf_put(out, v->text, v->text_n);
    else
        toml_put_value(out, v);
    return true;
}

static const char *wanted(const struct option_def *d)
{
    if (config_takes_list(d))
        return "text or a list of texts";
    static const char *const kinds[] = {
        [OPTION_BOOL] = "true or false",
        [OPTION_INT] = "a whole number",
        [OPTION_FLOAT] = "a number",
        [OPTION_STRING] = "text",
        [OPTION_ENUM] = "text",
        [OPTION_SIZE] = "a number of bytes or a text like \"16MiB\"",
        [OPTION_DURATION] = "a number of seconds or a text like \"500ms\"",
    };
    return kinds[d->type];
}

static void put(struct config *c, struct config_part *p, const struct option_def *d,
                const char *file, const struct toml_value *v)
{
    struct config_origin origin = {CONFIG_FILE, file, v->key_at.line};
    struct buf text;
    buf_init(&text);
    if (!config_text_of(v, d, &text))
        config_say(c, CONFIG_ERROR, "%s: %s wants %s, not this %s", config_where(c, &origin),
                   config_key_text(c, p, d), wanted(d), toml_type_name(v->type));
    else if (text.failed)
        c->no_memory = true;
    else
        config_put(c, p, d, buf_cstr(&text), origin);
    buf_done(&text);
}

/* ---- names that are not known ---- */

static const char *nearest_section(const struct config *c, const char *name)
{
    struct option_def names[64] = {{0}};
    size_t n = 0;
    for (size_t i = 1; i < c->part_count && n < 63; i++)
        names[n++].name = c->parts[i].name;
    const struct option_def *d = option_nearest(names, name);
    return d ? d->name : NULL;
}

static void say_unknown(struct config *c, const char *file, const struct toml_value *v,
                        const char *below, const char *near)
{
    const struct config_origin origin = {CONFIG_FILE, file, v->key_at.line};
    if (config_say_absent(c, below, v->key, v->type == TOML_TABLE, origin))
        return;
    config_say(c, CONFIG_WARNING, "%s:%u: there is no %s telemetry.%s%s%.60s%s%s%s", file,
               v->key_at.line, v->type == TOML_TABLE ? "section" : "key", below,
               below[0] ? "." : "", v->key, near ? "; did you mean " : "", near ? near : "",
               near ? "?" : "");
}

/* Values of headers never stand in a file, whoever would read them. */
static bool is_header_value(struct config *c, const char *file, const struct toml_value *v,
                            const char *below)
{
    bool header = (strncmp(below, "otlp", 4) == 0 && strcmp(v->key, "headers") == 0) ||
                  strcmp(v->key, "otlp_headers") == 0;
    if (header)
        config_say(c, CONFIG_ERROR,
                   "%s:%u: header values never stand in a file; put them into the vault and name "
                   "their key: %s",
                   file, v->key_at.line,
                   strchr(below, '.') ? "headers_vault_key" : "otlp_headers_vault_key");
    return header;
}

/* ---- tables ---- */

const char *config_first_name(const char *below, const char *key)
{
    if (below[0] == 0 && strcmp(key, "sampling_rate") == 0)
        return "sample_rate";
    static const char *const otlp[][2] = {
        {"endpoint", "otlp_endpoint"},       {"protocol", "otlp_protocol"},
        {"compression", "otlp_compression"}, {"certificate", "otlp_certificate"},
        {"client_key", "otlp_client_key"},   {"client_certificate", "otlp_client_certificate"},
        {"insecure", "otlp_insecure"},       {"timeout_ms", "otlp_timeout_ms"},
        {"headers", "otlp_headers"},         {"headers_vault_key", "otlp_headers_vault_key"}};
    for (size_t i = 0; strcmp(below, "otlp") == 0 && i < sizeof otlp / sizeof *otlp; i++)
        if (strcmp(key, otlp[i][0]) == 0)
            return otlp[i][1];
    return NULL;
}

static void apply_key(struct config *c, struct config_part *p, const char *below, const char *file,
                      const struct toml_value *v)
{
    struct config_part *top = &c->parts[0];
    const char *other = config_first_name(below, v->key);
    const struct option_def *d = p && !other ? option_find(p->defs, v->key, v->key_n) : NULL;
    const struct option_def *near = d || !p ? NULL : option_nearest(p->defs, v->key);
    if (is_header_value(c, file, v, below))
        return;
    if (other)
        put(c, top, option_find(top->defs, other, strlen(other)), file, v);
    else if (d)
        put(c, p, d, file, v);
    else
        say_unknown(c, file, v, below, near ? near->name : NULL);
}

/* [telemetry.otlp.NAME] */
static void apply_receiver(struct config *c, const char *file, const struct toml_value *table)
{
    const char *why;
    struct config_part *p = config_part_receiver(c, table->key, table->key_n, &why);
    if (!p && why)
        config_say(c, CONFIG_ERROR, "%s:%u: telemetry.otlp.%.60s: %s", file, table->at.line,
                   table->key, why);
    for (const struct toml_value *v = table->first; p && v; v = v->next)
        apply_key(c, p, p->name, file, v);
}

static void apply_section(struct config *c, const char *file, const struct toml_value *table)
{
    struct config_part *p = config_part_find(c, table->key, table->key_n);
    bool otlp = strcmp(table->key, "otlp") == 0;
    if (!p && !otlp) {
        say_unknown(c, file, table, "", nearest_section(c, table->key));
        return;
    }
    for (const struct toml_value *v = table->first; v; v = v->next)
        if (otlp && p && v->type == TOML_TABLE && !option_find(p->defs, v->key, v->key_n))
            apply_receiver(c, file, v);
        else
            apply_key(c, p, table->key, file, v);
}

static void apply_telemetry(struct config *c, const char *file, const struct toml_value *table)
{
    for (const struct toml_value *v = table->first; v; v = v->next) {
        if (strcmp(v->key, "preset") == 0)
            continue;
        if (v->type == TOML_TABLE)
            apply_section(c, file, v);
        else
            apply_key(c, &c->parts[0], "", file, v);
    }
}

/* What [telemetry] says itself stands above, and what follows from a key below
 * what its own section says. */
static void apply_old_key(struct config *c, const char *file, const char *section,
                          const struct toml_value *v, const struct toml_value *telemetry)
{
    struct config_part *top = &c->parts[0];
    struct config_origin origin = {CONFIG_FILE, file, v->key_at.line};
    struct buf text;
    buf_init(&text);
    const struct config_old_key *row =
        config_text_of(v, NULL, &text) ? config_old_find(section, v->key, buf_cstr(&text)) : NULL;
    bool now = row && row->now && !toml_get(telemetry, row->now);
    if (!row)
        config_say(c, CONFIG_ERROR, "%s: [%s] %.60s has no counterpart in [telemetry]",
                   config_where(c, &origin), section, v->key);
    if (now && row->now_value)
        (void)config_put_key(c, row->now, row->now_value, origin);
    else if (now)
        put(c, top, option_find(top->defs, row->now, strlen(row->now)), file, v);
    if (row && row->also && !toml_get(telemetry, row->also) && !toml_get(v->parent, row->also))
        (void)config_put_key(c, row->also, row->also_value, origin);
    c->no_memory = c->no_memory || text.failed;
    buf_done(&text);
}

static void apply_old(struct config *c, const char *file, const struct toml_doc *doc)
{
    const struct toml_value *telemetry = toml_get(doc->root, "telemetry");
    for (unsigned i = 0; i < CONFIG_OLD_SECTIONS; i++) {
        const char *name;
        const struct toml_value *table = config_old_section(doc, i, &name);
        if (!table)
            continue;
        config_say(c, CONFIG_WARNING,
                   "%s:%u: [%s] is now part of [telemetry] and no longer read from "
                   "version " CONFIG_OLD_SECTIONS_END "; oriel config migrate rewrites it",
                   file, table->at.line, name);
        for (const struct toml_value *v = table->first; v; v = v->next)
            apply_old_key(c, file, name, v, telemetry);
    }
}

void config_apply_file(struct config *c, const struct config_input *in, const struct toml_doc *doc)
{
    apply_old(c, in->file_name, doc);
    for (const struct toml_value *v = doc->root->first; v; v = v->next) {
        if (strcmp(v->key, "telemetry") == 0 && v->type == TOML_TABLE)
            apply_telemetry(c, in->file_name, v);
        else if (strcmp(v->key, "observability") != 0 && strcmp(v->key, "debug") != 0)
            config_say(c, CONFIG_WARNING,
                       "%s:%u: \"%.60s\" is not read; Oriel's table is [telemetry]", in->file_name,
                       v->key_at.line, v->key);
    }
}
