/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Receivers that a command line names: the options of an outlet become keys of a
 * configuration, above the environment, and lines tell them as they were given.
 * Pure; one thread.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "session/outlet.h"
#include "session/sending.h"
#include "session/settings.h"

/* Options of an outlet, the keys of the configuration that say the same, and how they are said. */
static const char *const same_keys[][3] = {
    {"endpoint", "otlp_endpoint", "--endpoint"},
    {"protocol", "otlp_protocol", "--protocol"},
    {"headers", "otlp_headers", "--headers"},
    {"compression", "otlp_compression", "--compression"},
    {"certificate", "otlp_certificate", "--certificate"},
    {"client_certificate", "otlp_client_certificate", "--client-certificate"},
    {"client_key", "otlp_client_key", "--client-key"},
    {"insecure", "otlp_insecure", "--insecure"},
    {"timeout_ms", "otlp_timeout_ms", "--timeout-ms"},
    {"headers_vault_key", "otlp_headers_vault_key", "--headers-vault-key"}};
enum { SAME_KEYS = sizeof same_keys / sizeof *same_keys, NUMBER_BYTES = 32 };

static size_t given_keys(const struct exporter *e, const void *options, const void *fresh,
                         struct config_set out[SAME_KEYS], const char *said[SAME_KEYS],
                         char rooms[SAME_KEYS][NUMBER_BYTES])
{
    size_t n = 0;
    for (size_t i = 0; i < SAME_KEYS; i++) {
        const struct option_def *d =
            option_find(e->options, same_keys[i][0], strlen(same_keys[i][0]));
        if (!options || !d || outlet_option_same(d, options, fresh))
            continue;
        const char *text = rooms[i];
        if (d->type == OPTION_STRING)
            memcpy(&text, (const char *)options + d->offset, sizeof text);
        else
            option_text(d, options, rooms[i], NUMBER_BYTES);
        said[n] = same_keys[i][2];
        out[n++] = (struct config_set){same_keys[i][1], text};
    }
    return n;
}

int sending_configure(const struct exporter *exporter, const void *options,
                      const char *const *environment, struct config **out, struct oriel_err *err)
{
    struct config_set code[SAME_KEYS];
    const char *said[SAME_KEYS];
    char rooms[SAME_KEYS][NUMBER_BYTES];
    void *fresh = NULL;
    int rc = outlet_options_copy(exporter, NULL, &fresh);
    struct config_section sections[SETTINGS_SECTIONS_MAX];
    struct config_input in = {.size = sizeof in,
                              .sections = sections,
                              .section_count = settings_sections(sections),
                              .environment = environment,
                              .code = code,
                              .code_said = said};
    if (rc == 0) {
        in.code_count = given_keys(exporter, options, fresh, code, said, rooms);
        rc = config_load(out, &in, err);
    } else {
        err_set(err, rc, "%s", err_text(rc));
    }
    outlet_options_free(exporter, fresh);
    if (rc < 0 || config_can_start(*out))
        return rc;
    const struct config_message *m;
    size_t n = config_messages(*out, &m);
    for (size_t i = 0; i < n; i++)
        if (m[i].severity == CONFIG_ERROR) {
            err_set(err, ORIEL_EINVAL, "%s", m[i].text);
            break;
        }
    config_free(*out);
    *out = NULL;
    return ORIEL_EINVAL;
}

uint64_t sending_patience_ns(const struct sending *how)
{
    const struct option_def *d = option_find(how->exporter->options, "retry_for", 9);
    uint64_t ns = 0;
    assert(!d || d->type == OPTION_DURATION);
    if (d && how->options)
        memcpy(&ns, (const char *)how->options + d->offset, sizeof ns);
    return ns ? ns : SENDING_ATTENDED_NS;
}

void sending_warnings(const struct config *c, void (*say)(void *user, const char *line), void *user)
{
    const struct config_message *m;
    const size_t n = config_messages(c, &m);
    for (size_t i = 0; i < n; i++)
        if (m[i].severity != CONFIG_ERROR)
            say(user, m[i].text);
}

bool sending_is_given(const struct exporter *exporter, const void *options)
{
    const struct option_def *d = option_find(exporter->options, "endpoint", 8);
    const char *text = NULL;
    if (d && options)
        memcpy(&text, (const char *)options + d->offset, sizeof text);
    return exporter->destination && text && text[0];
}
