/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A build without OTLP sends nothing: no outlet of it has a receiver, nobody asks
 * a vault, and a configuration that wants either cannot take effect.
 */
#include <assert.h>

#include "session/fetch.h"
#include "session/resource.h"
#include "session/sending.h"
#include "util/left_out.h"

#define WHY "this build was made without otlp" LEFT_OUT_ADVICE
#define WHY_NETWORK "this build was made without otlp, so without network" LEFT_OUT_ADVICE
#define WHY_VAULT "this build was made without otlp, so without a vault" LEFT_OUT_ADVICE

/* In the environment the switches stop the start; what is only said of a receiver, or for other
 * programs too, is told and has no effect. */
size_t sending_absent(const struct config_absent **out)
{
    static const struct config_absent rows[] = {
        {"backend=otlp", WHY, true},
        {"traces_exporter=otlp", WHY, true},
        {"traces_exporter=" CONFIG_OTLP_STDOUT, WHY, true},
        {"logs_exporter=otlp", WHY, true},
        {"logs_exporter=" CONFIG_OTLP_STDOUT, WHY, true},
        {"detectors=aws", WHY_NETWORK, false},
        {"detectors=gcp", WHY_NETWORK, false},
        {"detectors=azure", WHY_NETWORK, false},
        {"otlp_*", WHY, false},
        {"vault.*", WHY_VAULT, false},
    };
    *out = rows;
    return sizeof rows / sizeof *rows;
}

/* ---- destinations: there are none ---- */

int sending_add(struct session *s, const struct sending *how, unsigned *out_count,
                struct oriel_err *err)
{
    if (out_count)
        *out_count = 0;
    return err_set(err, ORIEL_EINVAL, "nothing can be sent: " WHY);
}

int sending_options(const struct sending *how, void **out)
{
    *out = NULL;
    return ORIEL_EINVAL;
}

bool sending_is_vain(const struct session *s, unsigned count)
{
    return false;
}

bool sending_words(const struct session *s, unsigned i, char *out, size_t n)
{
    out[0] = 0;
    return true;
}

uint64_t sending_lost(const struct session *s, unsigned i)
{
    return 0;
}

/* ---- what is said of them ---- */

int sending_configure(const struct exporter *exporter, const void *options,
                      const char *const *environment, struct config **out, struct oriel_err *err)
{
    *out = NULL;
    return err_set(err, ORIEL_EINVAL, "nothing can be sent: " WHY);
}

void sending_warnings(const struct config *c, void (*say)(void *user, const char *line), void *user)
{
}

bool sending_is_asked(const struct config *c)
{
    return false;
}

bool sending_has_first(const struct config *c)
{
    return false;
}

bool sending_lets_out(const struct config *c, const char *section, enum config_signal signal)
{
    return false;
}

bool sending_is_given(const struct exporter *exporter, const void *options)
{
    return false;
}

void sending_where(const struct config *c, char *out, size_t n)
{
    out[0] = 0;
}

/* ---- their headers: nobody waits for any ---- */

int fetch_new(struct fetch **out, const struct fetch_options *options)
{
    *out = NULL;
    return 0;
}

void fetch_start(struct fetch *f)
{
    assert(!f);
}

void fetch_leave(struct fetch *f, struct deliver *d)
{
    assert(!f);
}

bool fetch_is_pending(const struct fetch *f)
{
    return false;
}

void fetch_hurry(struct fetch *f, uint64_t until_ns)
{
    assert(!f);
}

void fetch_unref(struct fetch *f)
{
    assert(!f);
}

/* ---- the cloud: nobody is asked ---- */

void resource_find_cloud(struct resource *r, unsigned detectors, const char *endpoint,
                         uint64_t deadline_ns)
{
}
