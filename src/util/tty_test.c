/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tests of terminal manners, with a pseudo-terminal. */
#include "util/tty.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "test.h"

static int open_terminal(unsigned short columns)
{
    struct winsize size = {24, columns, 0, 0};
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
        test_skip("no pseudo-terminals here");
    int fd = open(ptsname(master), O_RDWR | O_NOCTTY);
    if (fd < 0)
        test_skip("no pseudo-terminals here");
    ioctl(fd, TIOCSWINSZ, &size);
    return fd;
}

static void clear_environment(void)
{
    static const char *const names[] = {
        "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    setenv("TERM", "xterm", 1);
}

static bool colour(int fd, enum tty_choice choice)
{
    struct tty t;
    tty_look(&t, fd, choice);
    return t.colour;
}

TEST(a_terminal_gets_colour_and_a_file_does_not)
{
    int fd = open_terminal(100), file = open("/dev/null", O_WRONLY);
    clear_environment();
    CHECK(colour(fd, TTY_AUTO));
    CHECK(!colour(file, TTY_AUTO));
    CHECK(colour(file, TTY_ALWAYS));
    CHECK(!colour(fd, TTY_NEVER));
}

TEST(the_environment_is_obeyed_in_the_documented_order)
{
    int fd = open_terminal(100), file = open("/dev/null", O_WRONLY);
    clear_environment();
    setenv("TERM", "dumb", 1);
    CHECK(!colour(fd, TTY_AUTO));
    setenv("CLICOLOR_FORCE", "1", 1);
    CHECK(colour(file, TTY_AUTO));
    setenv("CLICOLOR_FORCE", "0", 1);
    CHECK(!colour(file, TTY_AUTO));
    setenv("CLICOLOR_FORCE", "1", 1);
    setenv("NO_COLOR", "", 1); /* empty means nothing */
    CHECK(colour(file, TTY_AUTO));
    setenv("NO_COLOR", "1", 1);
    CHECK(!colour(file, TTY_AUTO));
    CHECK(colour(file, TTY_ALWAYS));
    clear_environment();
    setenv("CLICOLOR", "0", 1);
    CHECK(!colour(fd, TTY_AUTO));
    clear_environment();
    unsetenv("TERM");
    CHECK(!colour(fd, TTY_AUTO));
}

static unsigned width(int fd)
{
    struct tty t;
    tty_look(&t, fd, TTY_AUTO);
    return t.width;
}

TEST(width_comes_from_the_terminal_then_columns_then_eighty)
{
    int file = open("/dev/null", O_WRONLY);
    clear_environment();
    CHECK_EQ(width(open_terminal(132)), 132);
    CHECK_EQ(width(file), 80);
    setenv("COLUMNS", "100", 1);
    CHECK_EQ(width(file), 100);
    CHECK_EQ(width(open_terminal(132)), 132);
    CHECK_EQ(width(open_terminal(0)), 100); /* a terminal that does not know */
    setenv("COLUMNS", "none", 1);
    CHECK_EQ(width(file), 80);
    setenv("COLUMNS", "3", 1);
    CHECK_EQ(width(file), 20);
    setenv("COLUMNS", "99999999999", 1);
    CHECK_EQ(width(file), 1000);
}

TEST(utf8_is_told_by_the_locale_variables)
{
    struct tty t;
    clear_environment();
    tty_look(&t, 1, TTY_AUTO);
    CHECK(!t.utf8 && !t.terminal);
    setenv("LANG", "en_US.UTF-8", 1);
    tty_look(&t, 1, TTY_AUTO);
    CHECK(t.utf8);
    setenv("LC_ALL", "C", 1); /* outranks */
    tty_look(&t, 1, TTY_AUTO);
    CHECK(!t.utf8);
    setenv("LC_ALL", "C.utf8", 1);
    tty_look(&t, 1, TTY_AUTO);
    CHECK(t.utf8);
}

TEST_MAIN()
