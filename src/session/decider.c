/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Answers on the program's threads, signal handlers included: reads what never changes
 * behind one pointer. What was replaced stays for who may be reading it, a kilobyte for
 * each change of a configuration. A fork child goes on with what held when it began.
 */
#include "session/decider.h"

#include <oriel/processor.h>

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/compose.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/os.h"
#include "pipe/verdict.h"
#include "session/inprocess.h"

enum { COPIES_MAX = 16, VALUES_MAX = 16 };
typedef int told_fn(const struct oriel_sampler *sampler, bool entries);

struct held {
    struct verdicts *verdicts;
    struct held *before;
};
static struct {
    pthread_mutex_t lock;
    struct held *held;    /* atomic; what holds, and what held before */
    struct held *refused; /* what a copy could not be told of */
    bool wanted, entries;
    told_fn *copies[COPIES_MAX];
    size_t copy_count;
    uint64_t *full_ns; /* of all processes */
} self = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- answers ---- */

static struct model_str text(const char *s)
{
    return (struct model_str){s ? s : "", s ? (uint32_t)strlen(s) : 0};
}

static size_t take_values(const struct oriel_sampling_request *r, struct model_value *out)
{
    const size_t count = r->count < VALUES_MAX ? r->count : VALUES_MAX;
    for (size_t i = 0; i < count; i++) {
        const struct oriel_value *v = &r->values[i];
        out[i] =
            (struct model_value){.key = text(r->site->fields[i].name), .type = (uint8_t)v->type};
        if (v->type == ORIEL_TYPE_STR || v->type == ORIEL_TYPE_BYTES)
            out[i].v.str = (struct model_str){v->v.bytes, v->size};
        else if (v->type == ORIEL_TYPE_BOOL)
            out[i].v.b = v->v.u64 != 0;
        else
            out[i].v.u64 = v->v.u64;
    }
    return count;
}

static bool has_field(const struct oriel_sampling_request *r, const char *name)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (strcmp(r->site->fields[i].name, name) == 0)
            return true;
    return false;
}

/* What the program says under the same name wins. */
static void note(const struct oriel_sampling_request *r, const struct compose_note *n,
                 struct oriel_sampling_result *out)
{
    struct oriel_value v = oriel_value_i64(n->i64);
    if (n->type == ORIEL_TYPE_STR)
        v = oriel_value_text(n->text);
    else if (n->type == ORIEL_TYPE_F64)
        v = oriel_value_f64(n->f64);
    else if (n->type == ORIEL_TYPE_BOOL)
        v = oriel_value_bool(n->i64 != 0);
    if (!has_field(r, n->key))
        (void)oriel_sampling_add(out, n->key, v);
}

static enum oriel_decision decide(void *user, const struct oriel_sampling_request *r,
                                  struct oriel_sampling_result *out)
{
    const struct held *held = __atomic_load_n(&self.held, __ATOMIC_ACQUIRE);
    struct model_value values[VALUES_MAX];
    struct verdict verdict;
    uint64_t trace_lo;
    memcpy(&trace_lo, r->trace_id + 8, sizeof trace_lo);
    (void)user;
    if (!held)
        return ORIEL_RECORD_AND_SAMPLE;
    const struct verdict_question q = {.target = text(r->site->target),
                                       .state = {r->parent->state, r->parent->state_bytes},
                                       .root = !oriel_context_valid(r->parent),
                                       .remote = r->parent->marks & ORIEL_CONTEXT_REMOTE,
                                       .parent_sampled = r->parent->flags & ORIEL_TRACE_SAMPLED,
                                       .trace_lo = trace_lo,
                                       .now_ns = clock_mono_ns(),
                                       .values = values,
                                       .value_count = take_values(r, values)};
    verdict_ask(held->verdicts, &q, &verdict);
    for (unsigned i = 0; i < verdict.note_count; i++)
        note(r, verdict.notes[i], out);
    if (verdict.state_set) {
        memcpy(out->state, verdict.state, verdict.state_bytes);
        out->state_bytes = (uint16_t)verdict.state_bytes;
        out->state_set = 1;
    }
    return verdict.sampled ? ORIEL_RECORD_AND_SAMPLE : ORIEL_RECORD_ONLY;
}

/* ---- changes ---- */

static const struct oriel_sampler sampler = {.size = sizeof sampler, .should_sample = decide};

static int tell_all(bool wanted, bool entries)
{
    int rc = 0;
    for (size_t i = 0; i < self.copy_count && rc == 0; i++)
        rc = self.copies[i](wanted ? &sampler : NULL, entries);
    return rc;
}

static int make(const struct pipe_sampling *how, struct held **out)
{
    void *shared = NULL;
    struct held *h = mem_calloc(1, sizeof *h);
    if (!self.full_ns && os_map_shared(sizeof *self.full_ns, &shared) == 0)
        self.full_ns = shared;
    int rc = h && self.full_ns ? verdict_new(&h->verdicts, how, self.full_ns) : ORIEL_ENOMEM;
    if (rc < 0)
        mem_free(h);
    else
        *out = h;
    return rc;
}

static int set_locked(const struct pipe_sampling *how)
{
    struct held *now = NULL;
    const bool wanted = how && verdict_wanted(how);
    if (!how)
        self.copy_count = 0; /* they have taken their hooks away */
    if (!wanted && !self.wanted)
        return 0;
    int rc = how ? make(how, &now) : 0;
    if (rc == 0 && how) {
        const bool entries = verdict_of_entries(now->verdicts);
        now->before = self.held;
        __atomic_store_n(&self.held, now, __ATOMIC_RELEASE);
        if (wanted != self.wanted || entries != self.entries)
            rc = tell_all(wanted, entries);
        if (rc < 0) {
            __atomic_store_n(&self.held, now->before, __ATOMIC_RELEASE);
            now->before = self.refused;
            self.refused = now;
            return rc;
        }
        self.entries = entries;
    }
    self.wanted = rc == 0 ? wanted : self.wanted;
    return rc;
}

int decider_set(const struct pipe_sampling *how)
{
    pthread_mutex_lock(&self.lock);
    int rc = set_locked(how);
    pthread_mutex_unlock(&self.lock);
    return rc;
}

void oriel_inprocess_sampler(told_fn *told)
{
    size_t i = 0;
    pthread_mutex_lock(&self.lock);
    while (i < self.copy_count && self.copies[i] != told)
        i++;
    if (i < COPIES_MAX)
        self.copies[i] = told;
    self.copy_count += i == self.copy_count && i < COPIES_MAX;
    if (i < COPIES_MAX)
        (void)told(self.wanted ? &sampler : NULL, self.entries);
    pthread_mutex_unlock(&self.lock);
}

void decider_forked(void)
{
    static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
    self.lock = unlocked;
    self.copy_count = 0;
}
