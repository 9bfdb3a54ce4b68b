/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The peer's two tracepoints: begin with one integer, end with none. */
#undef TRACEPOINT_PROVIDER
#define TRACEPOINT_PROVIDER oriel_bench
#undef TRACEPOINT_INCLUDE
#define TRACEPOINT_INCLUDE "./peer_lttng_tp.h"
#if !defined(PEER_LTTNG_TP_H) || defined(TRACEPOINT_HEADER_MULTI_READ)
#define PEER_LTTNG_TP_H
#include <lttng/tracepoint.h>
TRACEPOINT_EVENT(oriel_bench, begin, TP_ARGS(int, value), TP_FIELDS(ctf_integer(int, value, value)))
TRACEPOINT_EVENT(oriel_bench, end, TP_ARGS(int, value), TP_FIELDS(ctf_integer(int, value, value)))
#endif
#include <lttng/tracepoint-event.h>
