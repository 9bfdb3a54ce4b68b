/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Choices of shared options, the width of what is printed, and pages on disk.
 */
#include "cli/shared.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/cli.h"
#include "oriel/abi/record.h"
#include "util/out.h"
#include "util/tty.h"

const char *const shared_kinds[] = {
    "all",   "cpu",    "off-cpu", "alloc",     "free", "lock",      "fault", "preempted", "wake",
    "depth", "holder", "live",    "temporary", "peak", "condition", "calls", NULL};
_Static_assert(sizeof shared_kinds / sizeof *shared_kinds == ORIEL_SAMPLE_KINDS + 1,
               "a name for each kind");
const char *const shared_returns[] = {"auto", "fast", "exact", NULL};

uint32_t shared_width(int64_t asked, bool *out_colour)
{
    struct tty tty;
    tty_look(&tty, STDOUT_FILENO, TTY_AUTO);
    *out_colour = tty.colour;
    return asked ? (uint32_t)asked : tty.terminal ? tty.width : 0;
}

int shared_may_write(const char *path, bool force)
{
    struct stat st;
    if (force || strcmp(path, "-") == 0 || lstat(path, &st) != 0)
        return CLI_OK;
    return cli_fail("%s: exists; -f overwrites it, -o names another one", path);
}

int shared_write(const char *path, struct buf *page, const char *what_now)
{
    struct oriel_err err = {0};
    struct out *out;
    if (strcmp(path, "-") == 0)
        return cli_print(page);
    int rc = out_file_open(&out, path, false, &err);
    if (rc == 0) {
        rc = out_write(out, page->data, page->size);
        if (rc < 0)
            err_set(&err, rc, "%s: %s", path, err_text(rc));
        out_close(out);
    }
    if (rc < 0)
        return cli_fail("%s", err.text);
    cli_note("%s: written%s", path, what_now);
    return CLI_OK;
}
