/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The crash marker: handlers for the signals that end programs. They write a
 * note into the region and an event into the thread's stream, then do what
 * would have been done without them: the handler that was there is called as
 * the kernel would have called it, and where there was none the signal ends
 * the process as it came. Installed with a process's first record, so that
 * whoever installs a handler before is called, and whoever does after has it
 * all. A signal that the program ignores is left alone.
 *
 * In a handler: loads, stores and what emitting an event needs; no allocation,
 * no lock, no waiting. Two threads that crash at once write a note each.
 */
#include "rec/rec.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/os.h"
#include "wire/crash.h"

enum {
    CRASH_STACK_BYTES = 64 << 10,
    EVENT_STACK_BYTES = 6 << 10, /* an event needs; a smaller rest gets the note alone */
    CRASH_EVENTS_MAX = 64,       /* of programs that live on their signals */
    CRASH_SIGNALS = 6
};

static const int crash_signals[CRASH_SIGNALS] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP};
static struct sigaction stood_before[CRASH_SIGNALS]; /* what we stand in front of */
static uint32_t crash_installed;                     /* atomic; 1: by this process or its parent */
static uint32_t crash_events;                        /* atomic; told so far */
static int8_t crash_wanted = -1;                     /* ORIEL_CRASH: 0, 1; -1 as the region says */

/* ---- the event ---- */

static oriel_word crash_word = ORIEL_SITE_UNSEEN << ORIEL_WORD_ID_SHIFT;
static const struct oriel_field crash_fields[] = {
    {"exception.type", ORIEL_TYPE_STR, 0}, {"exception.message", ORIEL_TYPE_STR, 0},
    {"signal.number", ORIEL_TYPE_I64, 0},  {"signal.code", ORIEL_TYPE_I64, 0},
    {"signal.address", ORIEL_TYPE_PTR, 0}, {"code.address", ORIEL_TYPE_PTR, 0},
    {"thread.id", ORIEL_TYPE_I64, 0},      {"signal.handled", ORIEL_TYPE_BOOL, 0},
};
enum { CRASH_FIELDS = sizeof crash_fields / sizeof crash_fields[0] };
/* Known to nobody until a signal comes: what is never hit is no call site. */
static struct oriel_module crash_module = {ORIEL_ABI_VERSION, 0, NULL, NULL, NULL, NULL};
static struct oriel_site_node crash_site = {{ORIEL_ABI_VERSION, ORIEL_SITE_EVENT, ORIEL_LEVEL_FATAL,
                                             0, CRASH_FIELDS, 0, "exception", WIRE_CRASH_TARGET, "",
                                             "", NULL, crash_fields, &crash_word},
                                            NULL,
                                            &crash_module};

static struct oriel_value crash_text(const char *s)
{
    return (struct oriel_value){ORIEL_TYPE_STR, (uint32_t)strlen(s), {.bytes = s}};
}
static struct oriel_value crash_number(uint32_t type, uint64_t n)
{
    return (struct oriel_value){type, 0, {.u64 = n}};
}

/* True: it is in the thread's stream. */
static bool tell_crash(const struct wire_crash *c)
{
    oriel_word word = __atomic_load_n(&crash_word, __ATOMIC_RELAXED);
    if (ORIEL_RECORDED(word) == ORIEL_SITE_UNSEEN)
        word = oriel_site_seen(&crash_site);
    if (!ORIEL_RECORDED(word))
        return false; /* filtered out, or no room to describe it */
    const struct oriel_value values[CRASH_FIELDS] = {
        crash_text(wire_crash_signal(c->signal)),
        crash_text(wire_crash_reason(c->signal, c->code)),
        crash_number(ORIEL_TYPE_I64, (uint64_t)(int64_t)c->signal),
        crash_number(ORIEL_TYPE_I64, (uint64_t)(int64_t)c->code),
        crash_number(ORIEL_TYPE_PTR, c->address),
        crash_number(ORIEL_TYPE_PTR, c->ip),
        crash_number(ORIEL_TYPE_I64, (uint64_t)(int64_t)c->tid),
        crash_number(ORIEL_TYPE_BOOL, (c->flags & WIRE_CRASH_FATAL) == 0),
    };
    return rec_event(word, 0, values, CRASH_FIELDS);
}

/* ---- the note ---- */

/* True: it is this thread's now, to be written. */
static bool take_note(struct wire_crash *note, uint32_t state)
{
    /* Pairs with the release in publish_note, of whoever wrote it before. */
    return __atomic_compare_exchange_n(&note->state, &state, WIRE_CRASH_CLAIMED, false,
                                       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* The note this thread wrote before, else a fresh one; for what ends the
 * process else one that somebody lived on. NULL: all are taken. */
static struct wire_crash *claim_note(int32_t tid, bool fatal)
{
    struct wire_crash *notes = rec_runtime.shared->crashes;
    for (int i = 0; i < WIRE_CRASHES; i++)
        if (notes[i].tid == tid && !(notes[i].flags & WIRE_CRASH_FATAL) &&
            take_note(&notes[i], WIRE_CRASH_WHOLE))
            return &notes[i];
    for (int i = 0; i < WIRE_CRASHES; i++)
        if (take_note(&notes[i], WIRE_CRASH_FREE))
            return &notes[i];
    for (int i = 0; fatal && i < WIRE_CRASHES; i++)
        if (!(notes[i].flags & WIRE_CRASH_FATAL) && take_note(&notes[i], WIRE_CRASH_WHOLE))
            return &notes[i];
    return NULL;
}

static void describe_crash(struct wire_crash *c, int signal_number, const siginfo_t *info,
                           const void *context, bool fatal)
{
    const struct rec_runtime *rt = &rec_runtime;
    const struct oriel_gate *g = oriel_tls.gate;
    c->signal = signal_number;
    c->code = info->si_code;
    c->flags = fatal ? WIRE_CRASH_FATAL : 0;
    c->pid = os_getpid();
    c->tid = os_gettid();
    c->clock = rt->clock;
    if (g->live) {
        const struct wire_process *p =
            wire_region_process(&rt->header, rt->base, g->thread->process);
        if (p->pid == c->pid) { /* else a child that bypassed libc, or a vfork child */
            c->process_serial = p->serial;
            c->thread_serial = g->thread->serial;
            c->thread = g->slot + 1;
        }
    }
    c->ip = os_signal_ip(context);
    if (wire_crash_has_address(signal_number, info->si_code)) {
        c->flags |= WIRE_CRASH_ADDRESS;
        c->address = (uint64_t)(uintptr_t)info->si_addr;
    }
    c->ticks = clock_ticks((enum oriel_clock)rt->clock);
}

/* All but the state, which is stored last: the note is whole. */
static void publish_note(struct wire_crash *note, const struct wire_crash *c)
{
    const size_t from = offsetof(struct wire_crash, flags);
    memcpy((char *)note + from, (const char *)c + from, sizeof *c - from);
    /* Pairs with the acquire load in wire_crash_read. */
    __atomic_store_n(&note->state, WIRE_CRASH_WHOLE, __ATOMIC_RELEASE);
}

static void mark_crash(int signal_number, const siginfo_t *info, const void *context, bool fatal)
{
    struct wire_crash c = {0};
    describe_crash(&c, signal_number, info, context, fatal);
    struct wire_crash *note = claim_note(c.tid, fatal);
    bool first = note && note->tid == 0;
    if (note)
        publish_note(note, &c);
    /* Who has recorded nothing would first need a block, perhaps a process. */
    if (c.thread_serial && os_signal_stack_left(context, &c) > EVENT_STACK_BYTES &&
        (fatal || __atomic_fetch_add(&crash_events, 1, __ATOMIC_RELAXED) < CRASH_EVENTS_MAX) &&
        tell_crash(&c) && note) {
        /* Not if a fatal crash of another thread has taken the note since. */
        uint32_t flags = c.flags;
        (void)__atomic_compare_exchange_n(&note->flags, &flags, flags | WIRE_CRASH_TOLD, false,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    }
    if (first || fatal)
        __atomic_fetch_add(&rec_runtime.shared->trigger, 1, __ATOMIC_RELEASE);
}

/* ---- what would have happened without us ---- */

/* A fault comes again by itself when the handler returns, with the same code,
 * address and registers; a signal that was sent is sent again. */
static void end_process(int signal_number, siginfo_t *info)
{
    const struct sigaction none = {.sa_handler = SIG_DFL};
    bool comes_again = info->si_code > 0 && signal_number != SIGTRAP && signal_number != SIGABRT;
    int kept = errno;
    sigaction(signal_number, &none, NULL);
    errno = kept;
    if (!comes_again)
        (void)os_signal_again(signal_number, info);
}

static void on_crash(int signal_number, siginfo_t *info, void *context)
{
    const struct sigaction *old = &stood_before[0];
    for (int i = 0; i < CRASH_SIGNALS; i++)
        old = crash_signals[i] == signal_number ? &stood_before[i] : old;
    bool fatal = old->sa_handler == SIG_DFL;
    /* A signal that the note itself raised goes straight on. */
    if (rec_is_on() && !rec_thread_local.crashing) {
        int kept = errno;
        rec_thread_local.crashing = 1;
        ORIEL_SIGNAL_FENCE();
        mark_crash(signal_number, info, context, fatal);
        ORIEL_SIGNAL_FENCE();
        rec_thread_local.crashing = 0; /* the old handler may not return */
        errno = kept;
    }
    if (fatal)
        end_process(signal_number, info);
    else
        /* A handler without SA_SIGINFO gets the same arguments from the kernel
         * and takes the first. */
        old->sa_sigaction(signal_number, info, context);
}

/* ---- standing in front ---- */

/* Stack, mask, one shot and re-entry as the handler behind us asked for; the
 * kernel then does with us what it would have done with it. */
static void install_handler(int i)
{
    struct sigaction mine, *old = &stood_before[i];
    if (sigaction(crash_signals[i], NULL, old) != 0 || old->sa_handler == SIG_IGN ||
        old->sa_sigaction == on_crash)
        return;
    mine = *old;
    mine.sa_sigaction = on_crash;
    mine.sa_flags |= SA_SIGINFO;
    if (old->sa_handler == SIG_DFL) {
        mine.sa_flags = SA_SIGINFO | SA_ONSTACK;
        sigfillset(&mine.sa_mask);
    }
    sigaction(crash_signals[i], &mine, NULL);
}

static bool is_wanted(void)
{
    return crash_wanted >= 0 ? crash_wanted : (rec_runtime.header.flags & WIRE_REGION_CRASH) != 0;
}

void rec_crash_thread(void)
{
    struct rec_thread_local *l = &rec_thread_local;
    if (!is_wanted())
        return;
    if (__atomic_exchange_n(&crash_installed, 1, __ATOMIC_ACQ_REL) == 0)
        for (int i = 0; i < CRASH_SIGNALS; i++)
            install_handler(i);
    /* Only for threads whose end we are told of: nobody else gives it back. */
    if (!l->alternate && rec_runtime.key_usable && l->exits < REC_EXIT_HOOK_ROUNDS)
        (void)os_signal_stack(CRASH_STACK_BYTES, &l->alternate);
}

void rec_crash_thread_exit(void)
{
    struct rec_thread_local *l = &rec_thread_local;
    if (l->alternate && os_signal_stack_drop(l->alternate, CRASH_STACK_BYTES) != -EPERM)
        l->alternate = NULL;
}

void rec_crash_ask(const char *asked)
{
    if (asked && *asked)
        crash_wanted = strcasecmp(asked, "1") == 0 || strcasecmp(asked, "true") == 0;
}

/* The code of a plugin goes; what stood before stands again. */
__attribute__((destructor)) static void withdraw_handlers(void)
{
    for (int i = 0; i < CRASH_SIGNALS && crash_installed; i++) {
        struct sigaction now;
        if (sigaction(crash_signals[i], NULL, &now) == 0 && now.sa_sigaction == on_crash)
            sigaction(crash_signals[i], &stood_before[i], NULL);
    }
}
