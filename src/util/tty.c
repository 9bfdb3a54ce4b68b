/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Terminal conventions, asked of the kernel and of the environment. For
 * commands; reads the environment, so not while another thread changes it.
 */
#include "util/tty.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "util/num.h"

enum { WIDTH_DEFAULT = 80, WIDTH_MIN = 20, WIDTH_MAX = 1000 };

static bool is_set(const char *name)
{
    const char *v = getenv(name);
    return v && *v;
}

static bool equals(const char *name, const char *value)
{
    const char *v = getenv(name);
    return v && strcmp(v, value) == 0;
}

static bool wants_colour(bool terminal, enum tty_choice choice)
{
    if (choice != TTY_AUTO)
        return choice == TTY_ALWAYS;
    if (is_set("NO_COLOR"))
        return false;
    if (is_set("CLICOLOR_FORCE") && !equals("CLICOLOR_FORCE", "0"))
        return true;
    if (!is_set("TERM") || equals("TERM", "dumb") || equals("CLICOLOR", "0"))
        return false;
    return terminal;
}

static unsigned width_of(int fd, bool terminal)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    uint64_t v = 0;
    if (terminal && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        v = size.ws_col;
    else if (!columns || num_parse_u64(columns, strlen(columns), &v) != 0 || v == 0)
        v = WIDTH_DEFAULT;
    return v < WIDTH_MIN ? WIDTH_MIN : v > WIDTH_MAX ? WIDTH_MAX : (unsigned)v;
}

/* By the variables, as setlocale would read them, without calling it. */
static bool locale_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (int i = 0; i < 3; i++) {
        if (!is_set(names[i]))
            continue;
        const char *dot = strchr(getenv(names[i]), '.');
        return dot &&
               (strncasecmp(dot + 1, "UTF-8", 5) == 0 || strncasecmp(dot + 1, "utf8", 4) == 0);
    }
    return false;
}

void tty_look(struct tty *t, int fd, enum tty_choice choice)
{
    int kept = errno;
    t->terminal = isatty(fd) == 1;
    t->colour = wants_colour(t->terminal, choice);
    t->width = width_of(fd, t->terminal);
    t->utf8 = locale_is_utf8();
    errno = kept;
}
