/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A build without a spool: nothing is kept on disk. The real functions take the
 * place of these where they are linked in.
 */
#include "deliver/spool.h"

#define ABSENT __attribute__((weak))

ABSENT int spool_open(struct spool **out, const struct spool_options *options,
                      struct oriel_err *err)
{
    return err_set(err, ORIEL_EUNSUPPORTED, "this build keeps nothing on disk");
}

ABSENT int spool_put(struct spool *s, const struct out_message *m, uint64_t unix_ns,
                     struct oriel_err *err)
{
    return err_set(err, ORIEL_EUNSUPPORTED, "this build keeps nothing on disk");
}

ABSENT int spool_next(struct spool *s, struct out_message *out, struct buf *bytes, bool *out_own,
                      struct oriel_err *err)
{
    return ORIEL_ENOTFOUND;
}

ABSENT void spool_done(struct spool *s)
{
}

ABSENT void spool_counts(const struct spool *s, struct spool_counts *out)
{
}

ABSENT void spool_close(struct spool *s)
{
}
