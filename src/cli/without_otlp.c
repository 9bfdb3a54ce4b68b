/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A build without OTLP has no spools: neither to be told nor to be sent.
 */
#include "cli/cli.h"
#include "cli/spooled.h"
#include "util/left_out.h"

int spooled_send(const struct sending *how, const char *directory)
{
    return cli_usage("export --spool: this build was made without otlp" LEFT_OUT_ADVICE);
}

int spooled_show(const char *directory, bool json)
{
    return cli_usage("doctor --spool: this build was made without otlp" LEFT_OUT_ADVICE);
}
