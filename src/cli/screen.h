/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A full-screen terminal: lines put from the top, keys read without waiting.
 * Drawn by ncurses, so that only what changed is sent; built without it, there
 * is none, and whoever asks prints plainly.
 */
#ifndef ORIEL_CLI_SCREEN_H
#define ORIEL_CLI_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum screen_key { SCREEN_NONE = 0, SCREEN_RESIZED = -1, SCREEN_BACK = -2, SCREEN_NEXT = -3 };

/* Take over the terminal of standard input and output. False: it cannot be. */
bool screen_open(void);
void screen_close(void);
void screen_size(uint32_t *out_columns, uint32_t *out_rows);
void screen_begin(void); /* an empty screen, not shown yet */
/* A line of text; the whole width of it inverted. */
void screen_line(uint32_t row, const char *text, size_t n, bool inverted);
void screen_show(void);
/* A character, or one of enum screen_key. */
int screen_key(void);

#endif
