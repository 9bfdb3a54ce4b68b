/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Standard output of the observed program, as a way out for whoever named it
 * (OTEL_TRACES_EXPORTER=console). Nothing else of Oriel prints there. One thread.
 */
#ifndef ORIEL_SESSION_CONSOLE_H
#define ORIEL_SESSION_CONSOLE_H

#include "util/out.h"

/* Writes go there while it is what it was now: a program that closes it, and opens something
 * else in its place, is not written into (ORIEL_ECLOSED). 0; ORIEL_ECLOSED: there is none;
 * ORIEL_ENOMEM; with a line. */
int console_open(struct out **out, struct oriel_err *err);

#endif
