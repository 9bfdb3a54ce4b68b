/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a stream said of long texts, until the record comes that they are of. Bounded over
 * all streams: what is beyond leaves the texts cut. Inside the pipe only.
 */
#ifndef ORIEL_PIPE_MORE_H
#define ORIEL_PIPE_MORE_H

#include "pipe/track.h"

#define MORE_BYTES_MAX (UINT64_C(32) << 20)

/* Forget what was said; nothing where there is nothing. */
void more_drop(struct track *k, struct stream_state *s);

#endif
