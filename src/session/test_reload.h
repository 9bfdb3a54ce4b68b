/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * For tests of programs that export by themselves.
 */
#ifndef ORIEL_SESSION_TEST_RELOAD_H
#define ORIEL_SESSION_TEST_RELOAD_H

#include "base/err.h"
#include "session/inprocess.h"
#include "test.h"

/* However seldom this process gets a CPU: who asks waits five seconds, and may ask again. */
static inline int reload(void)
{
    int rc = ORIEL_ETIMEOUT;
    while (rc == ORIEL_ETIMEOUT)
        rc = oriel_inprocess_reload();
    return rc;
}

#endif
