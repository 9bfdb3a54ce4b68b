/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Telling crashes, for a terminal and as JSON. Seen only inside this room.
 */
#ifndef ORIEL_REPORT_CRASH_TELL_H
#define ORIEL_REPORT_CRASH_TELL_H

#include "report/json.h"
#include "report/sheet.h"

void report_text_crashes(const struct report *r, struct buf *out);
/* The member "crashes"; nothing where there is none. */
void report_json_crashes(struct json *j, const struct report *r);

#endif
