/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Error codes and the optional detail that travels with them.
 * Functions return 0 or a negative code; outputs are untouched on failure.
 */
#ifndef ORIEL_BASE_ERR_H
#define ORIEL_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

/* code, number, text, whether a retry can help */
#define ORIEL_ERRORS(X)                                                                            \
    X(EINVAL, -1, "invalid argument", false)                                                       \
    X(ENOMEM, -2, "out of memory", true)                                                           \
    X(EIO, -3, "input/output error", true)                                                         \
    X(ENOSPC, -4, "no space left", true)                                                           \
    X(EFORMAT, -5, "not in the expected format", false)                                            \
    X(EVERSION, -6, "unsupported version", false)                                                  \
    X(ENOTFOUND, -7, "not found", false)                                                           \
    X(EPERM, -8, "not permitted", false)                                                           \
    X(EBUSY, -9, "busy", true)                                                                     \
    X(ESTATE, -10, "not possible in this state", false)                                            \
    X(EUNSUPPORTED, -11, "not supported here", false)                                              \
    X(EDAMAGED, -12, "damaged", false)                                                             \
    X(ELIMIT, -13, "a limit was reached", false)                                                   \
    X(ETIMEOUT, -14, "not done in time", true)                                                     \
    X(ECLOSED, -15, "closed by the other side", true)

enum oriel_error {
    ORIEL_OK = 0,
#define ORIEL_ERROR_ENUM(name, number, text, retry) ORIEL_##name = number,
    ORIEL_ERRORS(ORIEL_ERROR_ENUM)
#undef ORIEL_ERROR_ENUM
};

/* Detail of a failure: one line a person can act on. */
struct oriel_err {
    int code;
    char text[512];
};

/* Fill `err` (may be NULL) with a formatted line; returns `code`. */
int err_set(struct oriel_err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Same, with ": strerror(errno_value)" appended and the code derived from it
 * (ENOSPC, ENOMEM, EACCES/EPERM, ENOENT, else EIO). */
int err_set_errno(struct oriel_err *err, int errno_value, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* From now on every line that is made is handed to `fn`, which may make it shorter:
 * secrets that are known by then leave it. `cut`: it was too long, and may end with the beginning
 * of one. NULL: no more. */
typedef void err_scrubber(char *text, bool cut);
void err_set_scrubber(err_scrubber *fn);

/* Static text of a code; "unknown error" for anything else. */
const char *err_text(int code);
bool err_retry_helps(int code);

#endif
