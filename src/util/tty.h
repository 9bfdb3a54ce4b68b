/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is at the other end of a descriptor: a terminal or not, how wide, and
 * whether it wants colour.
 */
#ifndef ORIEL_UTIL_TTY_H
#define ORIEL_UTIL_TTY_H

#include <stdbool.h>

enum tty_choice { TTY_AUTO = 0, TTY_ALWAYS = 1, TTY_NEVER = 2 };

struct tty {
    bool terminal;
    bool colour;
    bool utf8;      /* the locale's encoding is UTF-8 */
    unsigned width; /* columns; 80 where nobody knows */
};

/* `choice` is the user's word on colour and wins. Else, in this order: NO_COLOR
 * (not empty) says no, CLICOLOR_FORCE (not empty, not 0) yes, TERM=dumb no,
 * CLICOLOR=0 no, and a terminal yes. Width: the terminal's, else COLUMNS. */
void tty_look(struct tty *t, int fd, enum tty_choice choice);

#endif
