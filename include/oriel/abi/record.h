/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The wire record: what a call site writes and every reader validates.
 *
 * Frozen. All records are 8-byte aligned runs of little-endian 64-bit words;
 * the first word is the header below. The same words travel through the
 * shared ring, the model and (delta coded) the capture file.
 *
 *   word 0   size in words (16) | type (8) | flags (8) | site or low id (32)
 *   word 1   time stamp, raw ticks of the thread's clock
 *   word 2+  what the type says, then the site's field values in order
 *
 * Field values: bool, i64, u64, f64, ptr take one word. str and bytes take one
 * word (stored length, low 32 bits; original length, high 32 bits) and the
 * bytes, zero padded to a word. Stored < original means truncated.
 *
 * Span references are 64-bit "raw ids": thread seed + stream position of the
 * span's first record. oriel_id_mix() turns one into its W3C span id.
 */
#ifndef ORIEL_ABI_RECORD_H
#define ORIEL_ABI_RECORD_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Stored in rings and captures: numbers are never reused. "site" means the
 * header's upper half is a site id; "low" that it is the low half of the raw
 * id of the span concerned. [f] = the site's field values follow. */
enum oriel_record_type {
    ORIEL_REC_SYNC = 1,     /* low 0: ts, lost[ORIEL_LOST_CAUSES], depth, ids[] */
    ORIEL_REC_BEGIN = 2,    /* site: ts [f]; raw id = stream position */
    ORIEL_REC_END = 3,      /* low:  ts */
    ORIEL_REC_SET = 4,      /* site: ts, raw id [f] */
    ORIEL_REC_EVENT = 5,    /* site: ts [f]; with HAS_SPAN: ts, raw id [f] */
    ORIEL_REC_OPEN = 6,     /* site: ts, parent raw id (0 root) [f]; raw id = position */
    ORIEL_REC_CLOSE = 7,    /* low:  ts, raw id */
    ORIEL_REC_ENTER = 8,    /* low:  ts, raw id */
    ORIEL_REC_EXIT = 9,     /* low:  ts, raw id */
    ORIEL_REC_LINK = 10,    /* low:  ts, raw id, trace hi, trace lo, span id (W3C), origin */
    ORIEL_REC_STATUS = 11,  /* low:  ts, raw id, code, message str */
    ORIEL_REC_SPAN = 12,    /* site: ts = start, end, parent raw id [f]; position */
    ORIEL_REC_PLOT = 13,    /* site: ts, value word (type from the site's field 0) */
    ORIEL_REC_FRAME = 14,   /* site: ts */
    ORIEL_REC_TASK = 15,    /* site: ts, task id, other task id; flags = op */
    ORIEL_REC_THREAD = 16,  /* low 0: ts, name str */
    ORIEL_REC_ATTACH = 17,  /* low 0: ts, trace hi, trace lo, parent span id (W3C), origin */
    ORIEL_REC_DETACH = 18,  /* low 0: ts */
    ORIEL_REC_TRIGGER = 19, /* low 0: ts, reason str: a flight-recorder trigger */
    ORIEL_REC_FOLLOW = 20,  /* low:  ts, raw id, raw id it follows from (same region) */
    ORIEL_REC_OWNER = 21,   /* low tid: ts, thread's serial, name str: from here on it writes */
    /* low 0: ts, stack, weight, count, extra; flags = kind. Made by readers: the
     * stack is a number of theirs. */
    ORIEL_REC_SAMPLE = 22,
    /* low 0: ts, walk, weight, count, extra, addresses; flags = kind. A sample as the
     * program's own samplers write it, innermost address first; readers make a
     * SAMPLE of it. walk: see ORIEL_STACK_COUNT. */
    ORIEL_REC_STACK = 23,
    /* low 0: ts, allocations, their bytes, frees, their bytes: of the thread, since
     * it began. What came since the last one happened in the span that is current. */
    ORIEL_REC_HEAP = 24,
    /* Said by programs that are not ours and came by their protocol, with ids of their own.
     * TOLD: a span, open until the CLOSE of its raw id; words: ts = start, raw id (oriel_id_mix
     * makes the W3C id of it), parent span id (W3C, 0 root), trace hi, trace lo, flags of the
     * protocol [f]. TOLD_LOG: a log record; ts, trace hi, trace lo, span id (W3C), flags [f]. */
    ORIEL_REC_TOLD = 25,
    ORIEL_REC_TOLD_LOG = 26,
    ORIEL_REC_TOLD_LINK = 27, /* site: ts, raw id, trace hi, trace lo, span id (W3C), flags [f] */
    /* low:  ts, raw id, tracestate str: of the link that was said last of that span;
     * raw id 0: of the context that the ATTACH before it made current; HERE: of that span. */
    ORIEL_REC_STATE = 28,
    /* low 0: ts, ORIEL_MORE_WORD, text str. How a text goes on that is longer than its record
     * could say: of that value of the next record of the stream that is none of these (of a
     * STATUS: value 0). All of one value stand behind each other, from where the record's own
     * part of it ends. Made by readers of other programs. */
    ORIEL_REC_MORE = 29,
    ORIEL_REC_NAME = 30, /* low:  ts, raw id, name str: the span is called that from now on */
    ORIEL_REC_MAX = 30
};

/* Header flags. */
enum oriel_record_flag {
    ORIEL_RECF_HAS_SPAN = 1,  /* EVENT: an explicit span follows the time */
    ORIEL_RECF_ROOT = 2,      /* BEGIN/OPEN: starts a new trace */
    ORIEL_RECF_TRUNCATED = 4, /* one or more fields did not fit */
    ORIEL_RECF_HAS_TIME = 8,  /* ts is unix nanoseconds given from outside */
    /* Made by readers that watch from outside. BEGIN: only its own CLOSE ends the span, not
     * the end of one around it. CLOSE: it was left without an end, so it is unfinished. */
    ORIEL_RECF_WATCHED = 16,
    /* TOLD: by this program itself, which was given the ids, or whose own sampler decided.
     * STATE: of the span itself, which a sampler has given it. */
    ORIEL_RECF_HERE = 32,
    ORIEL_RECF_DECIDED = 64
};

/* origin of ATTACH and LINK: W3C trace flags in the low byte, and where that span is. 0 in a
 * LINK, and a low byte alone in an ATTACH of before: nothing else is known. */
#define ORIEL_CONTEXT_ORIGIN_KNOWN 0x100u
#define ORIEL_CONTEXT_IS_REMOTE 0x200u

/* ORIEL_REC_TASK: operation in the header's flags. */
enum oriel_task_op {
    ORIEL_TASK_SPAWN = 1,
    ORIEL_TASK_WAKE = 2,
    ORIEL_TASK_RESUME = 3,
    ORIEL_TASK_YIELD = 4,
    ORIEL_TASK_BLOCK = 5,
    ORIEL_TASK_COMPLETE = 6,
    ORIEL_TASK_NAME = 7
};

/* ORIEL_REC_STATUS: code (OpenTelemetry StatusCode). */
enum oriel_status { ORIEL_STATUS_UNSET = 0, ORIEL_STATUS_OK = 1, ORIEL_STATUS_ERROR = 2 };

/* ORIEL_REC_SAMPLE: what was observed, and the unit of its weight. */
enum oriel_sample_kind {
    ORIEL_SAMPLE_CPU = 1,        /* ns of CPU time; extra: the CPU it was on + 1, 0 unknown */
    ORIEL_SAMPLE_OFF_CPU = 2,    /* ns it waited; ts is when it went on; extra below */
    ORIEL_SAMPLE_ALLOC = 3,      /* bytes allocated, unsampled; extra: the address, 0: its end
                                  * will not be told, or ORIEL_HEAP_SUM */
    ORIEL_SAMPLE_FREE = 4,       /* bytes given back of what a sample took; extra: its address.
                                  * As an item: stack, thread and span of the allocation */
    ORIEL_SAMPLE_LOCK = 5,       /* ns waited for a lock; extra: its address */
    ORIEL_SAMPLE_FAULT = 6,      /* page faults; extra as of CPU */
    ORIEL_SAMPLE_PREEMPTED = 7,  /* ns it could have run, but others did; extra below */
    ORIEL_SAMPLE_WAKE = 8,       /* ns another had waited that was woken here; extra below */
    ORIEL_SAMPLE_DEPTH = 9,      /* bytes its stack is deeper than ever; extra: its limit */
    ORIEL_SAMPLE_HOLDER = 10,    /* ns waited for a lock that was taken here; extra: who by, a tid;
                                  * follows its LOCK */
    ORIEL_SAMPLE_LIVE = 11,      /* bytes that were still there at the end. Made by the pipe */
    ORIEL_SAMPLE_TEMPORARY = 12, /* bytes given back before anything else was allocated */
    ORIEL_SAMPLE_PEAK = 13,      /* bytes that were there when most was */
    ORIEL_SAMPLE_CONDITION = 14, /* ns waited for a condition or a barrier; extra: its address */
    ORIEL_SAMPLE_CALL = 15,      /* ns in a function itself, of all calls of it along this stack
                                  * since that was told last; count: the calls that began; extra:
                                  * ORIEL_CALL_TIMES of those that ended. In no span */
    ORIEL_SAMPLE_KINDS = 16
};

/* extra of ALLOC, FREE, TEMPORARY and PEAK: a sum of what a stack did since it was
 * told last, on any thread and in any span; FREE is of what that stack took. */
#define ORIEL_HEAP_SUM 1u

/* extra of CALL: the shortest and the longest, with all that they called; 26 bits each, and how
 * many more there were. 0: none has ended. */
#define ORIEL_CALL_TIMES(least, most)                                                              \
    ((uint64_t)oriel_call_time(most) << 32 | oriel_call_time(least))
#define ORIEL_CALL_LEAST(extra) (((extra)&0xffffffffu) >> 6 << ((extra)&63u))
#define ORIEL_CALL_MOST(extra) ((extra) >> 38 << ((extra) >> 32 & 63u))
static inline uint32_t oriel_call_time(uint64_t ns)
{
    uint32_t more = 0;
    while (ns >> more > 0x3ffffffu)
        more++;
    return (uint32_t)(ns >> more) << 6 | more;
}

/* What a thread waits for, by the system call it waits in. */
enum oriel_wait_for {
    ORIEL_WAIT_FOR_UNKNOWN = 0,
    ORIEL_WAIT_FOR_FUTEX = 1, /* a lock, a condition, another thread */
    ORIEL_WAIT_FOR_TIME = 2,
    ORIEL_WAIT_FOR_READ = 3,
    ORIEL_WAIT_FOR_WRITE = 4,
    ORIEL_WAIT_FOR_EVENTS = 5, /* poll, select, epoll */
    ORIEL_WAIT_FOR_CHILD = 6,
    ORIEL_WAIT_FOR_PEER = 7, /* accept, connect */
    ORIEL_WAIT_FOR_FILE_LOCK = 8,
    ORIEL_WAIT_FOR_SIGNAL = 9,
    ORIEL_WAIT_FOR_SYNC = 10,  /* what was written to reach the disk */
    ORIEL_WAIT_FOR_OTHER = 11, /* another system call */
    /* Reads and writes of which it is known what from and to. */
    ORIEL_WAIT_FOR_PIPE = 12,
    ORIEL_WAIT_FOR_SOCKET = 13,
    ORIEL_WAIT_FOR_TERMINAL = 14,
    ORIEL_WAIT_FOR_COUNTER = 15 /* eventfd */
};

/* extra of OFF_CPU and PREEMPTED: enum oriel_wait_for where the record tells it (16
 * bits), CPU it went on on + 1 (16), CPU it left + 1 (16; all 0: unknown), flags.
 * OFF_CPU that ends before its ts is followed by PREEMPTED of the same ts. */
#define ORIEL_WAIT_FOR(extra) ((uint32_t)((extra)&0xffffu))
#define ORIEL_WAIT_CPU_ON(extra) ((uint32_t)((extra) >> 16 & 0xffffu))
#define ORIEL_WAIT_CPU_OFF(extra) ((uint32_t)((extra) >> 32 & 0xffffu))
/* Not to be interrupted: for a disk, as a rule. Its wake-up was seen: waiting and
 * ready are apart. A share of many: times are not exact. */
#define ORIEL_WAIT_DISK (UINT64_C(1) << 48)
#define ORIEL_WAIT_WOKEN (UINT64_C(1) << 49)
#define ORIEL_WAIT_SHARED (UINT64_C(1) << 50)
/* A share has, in place of the CPUs, the time before its ts in which those many were. 0: it is
 * not known, or this is no share. */
#define ORIEL_WAIT_SHARED_US(extra)                                                                \
    ((extra)&ORIEL_WAIT_SHARED ? (extra) >> 16 & UINT64_C(0xffffffff) : UINT64_C(0))
/* extra of WAKE: tid of the thread that was woken, flags: by a timer or device;
 * by another program. In both cases the sample is of the thread that waited. */
#define ORIEL_WAKE_TID(extra) ((int32_t)((extra)&0xffffffffu))
#define ORIEL_WAKE_INTERRUPT (UINT64_C(1) << 48)
#define ORIEL_WAKE_OUTSIDE (UINT64_C(1) << 49)

/*
 * ORIEL_REC_STACK, word 2:
 *   addresses (32) | index of the one that a signal interrupted, 0 none (16) |
 *   1: the first is one that is returned to (8) | why the walk ended (8)
 */
#define ORIEL_STACK_WALK(count, interrupted, caller, end)                                          \
    ((uint64_t)(count) << 32 | (uint64_t)(interrupted) << 16 | (uint64_t)(caller) << 8 | (end))
#define ORIEL_STACK_COUNT(w) ((uint32_t)((w) >> 32))
#define ORIEL_STACK_INTERRUPTED(w) ((uint32_t)((w) >> 16 & 0xffffu))
#define ORIEL_STACK_CALLER(w) ((w) >> 8 & 1u)

/* Why a record was not kept. Counted per thread, in this order, for ever. */
enum oriel_lost_cause {
    ORIEL_LOST_RING_FULL = 0,   /* no free chunk: the reader is behind */
    ORIEL_LOST_NESTED = 1,      /* a third level of signal nesting */
    ORIEL_LOST_NO_THREAD = 2,   /* no free thread slot */
    ORIEL_LOST_TOO_LARGE = 3,   /* the record cannot fit a chunk */
    ORIEL_LOST_OVERWRITTEN = 4, /* overwrite-oldest policy took it */
    ORIEL_LOST_CAUSES = 5
};

/* ORIEL_REC_MORE, word 2: which value, and where in it this stands. */
#define ORIEL_MORE_WORD(value, offset) ((uint64_t)(offset) << 32 | (uint32_t)(value))
#define ORIEL_MORE_VALUE(w) ((uint32_t)((w)&0xffffffffu))
#define ORIEL_MORE_OFFSET(w) ((uint32_t)((w) >> 32))

#define ORIEL_RECORD_MAX_BYTES 8192u /* whole record, header included */
#define ORIEL_STRING_MAX_BYTES 4096u /* one str or bytes value */
#define ORIEL_STACK_DEPTH 64u        /* span stack kept in shared memory */

/* Header word from its parts; words = whole record in 8-byte words. */
#define ORIEL_RECORD_HEADER(words, type, flags, low)                                               \
    ((uint64_t)(words) | ((uint64_t)(type) << 16) | ((uint64_t)(flags) << 24) |                    \
     ((uint64_t)(uint32_t)(low) << 32))
#define ORIEL_RECORD_WORDS(h) ((uint32_t)((h)&0xffffu))
#define ORIEL_RECORD_TYPE(h) ((uint32_t)(((h) >> 16) & 0xffu))
#define ORIEL_RECORD_FLAGS(h) ((uint32_t)(((h) >> 24) & 0xffu))
#define ORIEL_RECORD_LOW(h) ((uint32_t)((h) >> 32))

/* Raw id to W3C span id (bijective; the id's bytes in memory order on a
 * little-endian machine are its W3C bytes). Zero, which is no span in either
 * form, stays zero, and nothing else becomes it. */
static inline uint64_t oriel_id_mix(uint64_t raw)
{
    raw *= UINT64_C(0xd6e8feb86659fd93);
    return raw ^ raw >> 32;
}
/* The raw id of a W3C span id. */
static inline uint64_t oriel_id_unmix(uint64_t id)
{
    return (id ^ id >> 32) * UINT64_C(0xcfee444d8b59a89b);
}

#ifdef __cplusplus
}
#endif
#endif
