/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * OpenTelemetry's member of a tracestate, "ot": the threshold a trace was sampled
 * with (th) and randomness said apart from the trace id (rv), as in
 * trace/tracestate-probability-sampling. Inside the pipe only; pure.
 */
#ifndef ORIEL_PIPE_OTSTATE_H
#define ORIEL_PIPE_OTSTATE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/batch.h"

#define OTSTATE_BYTES 512u /* of a tracestate */

/* The value of rv; false: there is none, or it is not 14 lower-case digits. */
bool otstate_randomness(struct model_str state, uint64_t *out);
/* The threshold that th tells; false: there is none, or it is none. */
bool otstate_threshold(struct model_str state, uint64_t *out);
/* `state` with th in front, in place of the one it had, and all else as it was; what then has
 * no room is left out, last ones first. RATIO_NONE and more: without th. Returns its bytes. */
uint32_t otstate_write(struct model_str state, uint64_t threshold, char out[OTSTATE_BYTES]);

#endif
