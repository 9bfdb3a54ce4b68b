/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The only file that knows ncurses. Its functions, not its macros: those hide
 * locals under names of their own. Without the library there is no screen.
 */
#include "cli/screen.h"

#include <assert.h>

#ifdef ORIEL_HAVE_NCURSESW
#include <locale.h>
#include <stdio.h>
#include <unistd.h>

#define NCURSES_NOMACROS 1
#include <ncursesw/ncurses.h>

static SCREEN *screen;

bool screen_open(void)
{
    assert(!screen);
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return false;
    setlocale(LC_CTYPE, "");
    screen = newterm(NULL, stdout, stdin);
    if (!screen)
        return false;
    cbreak();
    noecho();
    nodelay(stdscr, TRUE);
    keypad(stdscr, TRUE);
    curs_set(0);
    return true;
}

void screen_close(void)
{
    if (!screen)
        return;
    endwin();
    delscreen(screen);
    screen = NULL;
}

void screen_size(uint32_t *out_columns, uint32_t *out_rows)
{
    int rows = getmaxy(stdscr), columns = getmaxx(stdscr);
    *out_columns = columns > 0 ? (uint32_t)columns : 80;
    *out_rows = rows > 0 ? (uint32_t)rows : 24;
}

void screen_begin(void)
{
    werase(stdscr);
}

void screen_line(uint32_t row, const char *text, size_t n, bool inverted)
{
    if (row >= (uint32_t)getmaxy(stdscr))
        return;
    if (inverted) {
        wattr_on(stdscr, A_REVERSE, NULL);
        wmove(stdscr, (int)row, 0);
        whline(stdscr, ' ' | A_REVERSE, getmaxx(stdscr));
    }
    wmove(stdscr, (int)row, 0);
    waddnstr(stdscr, text, (int)n);
    if (inverted)
        wattr_off(stdscr, A_REVERSE, NULL);
}

void screen_show(void)
{
    wrefresh(stdscr);
}

int screen_key(void)
{
    int key = wgetch(stdscr);
    return key == ERR          ? SCREEN_NONE
           : key == KEY_RESIZE ? SCREEN_RESIZED
           : key == KEY_LEFT   ? SCREEN_BACK
           : key == KEY_RIGHT  ? SCREEN_NEXT
                               : key;
}

#else

bool screen_open(void)
{
    return false;
}

void screen_close(void)
{
}

void screen_size(uint32_t *out_columns, uint32_t *out_rows)
{
    *out_columns = 80;
    *out_rows = 24;
}

void screen_begin(void)
{
}

void screen_line(uint32_t row, const char *text, size_t n, bool inverted)
{
    assert(text || n == 0);
    (void)row, (void)inverted;
}

void screen_show(void)
{
}

int screen_key(void)
{
    return SCREEN_NONE;
}

#endif
