/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Error codes to text, and the one formatted line that travels with a failure.
 * No I/O, no allocation; any thread. errno is left as it was.
 */
#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int code;
    bool retry;
    const char *text;
} table[] = {
#define ERROR_ROW(name, number, text, retry) {number, retry, text},
    ORIEL_ERRORS(ERROR_ROW)
#undef ERROR_ROW
};

enum { TABLE_ROWS = sizeof table / sizeof *table };

/* Told once at most to be another than NULL; whoever sees it may call it. */
static _Atomic(err_scrubber *) scrubber;

void err_set_scrubber(err_scrubber *fn)
{
    atomic_store_explicit(&scrubber, fn,
                          memory_order_release); /* pairs with the acquire in scrub */
}

static void scrub(struct oriel_err *err, bool cut)
{
    err_scrubber *fn = atomic_load_explicit(&scrubber, memory_order_acquire);
    if (fn)
        fn(err->text, cut);
}

/* Formats into err->text; a text that does not fit is cut, never overrun. True: it was. */
static bool format_text(struct oriel_err *err, const char *format, va_list ap)
{
    int n = vsnprintf(err->text, sizeof err->text, format, ap);
    if (n < 0)
        err->text[0] = 0;
    return n >= (int)sizeof err->text;
}

int err_set(struct oriel_err *err, int code, const char *format, ...)
{
    int kept = errno;
    assert(code < 0);
    if (err) {
        va_list ap;
        err->code = code;
        va_start(ap, format);
        const bool cut = format_text(err, format, ap);
        va_end(ap);
        scrub(err, cut);
    }
    errno = kept;
    return code;
}

static int code_of_errno(int e)
{
    switch (e) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: /* a limit of file sizes */
        return ORIEL_ENOSPC;
    case ENOMEM:
        return ORIEL_ENOMEM;
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP: /* a link where O_NOFOLLOW allows none */
        return ORIEL_EPERM;
    case ENOENT:
        return ORIEL_ENOTFOUND;
    default:
        return ORIEL_EIO;
    }
}

int err_set_errno(struct oriel_err *err, int errno_value, const char *format, ...)
{
    int kept = errno, code = code_of_errno(errno_value);
    if (err) {
        va_list ap;
        size_t n;
        /* strerror is thread safe in musl and, since 2.32, in glibc. */
        const char *why = strerror(errno_value);
        err->code = code;
        va_start(ap, format);
        const bool cut = format_text(err, format, ap);
        va_end(ap);
        n = strlen(err->text);
        size_t room = sizeof err->text - n;
        if (room > 2 && why) {
            size_t len = strlen(why);
            memcpy(err->text + n, ": ", 2);
            if (len > room - 3)
                len = room - 3;
            memcpy(err->text + n + 2, why, len);
            err->text[n + 2 + len] = 0;
        }
        scrub(err, cut);
    }
    errno = kept;
    return code;
}

const char *err_text(int code)
{
    if (code == 0)
        return "no error";
    for (size_t i = 0; i < TABLE_ROWS; i++)
        if (table[i].code == code)
            return table[i].text;
    return "unknown error";
}

bool err_retry_helps(int code)
{
    for (size_t i = 0; i < TABLE_ROWS; i++)
        if (table[i].code == code)
            return table[i].retry;
    return false;
}
