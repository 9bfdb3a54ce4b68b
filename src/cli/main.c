/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The command `oriel`. Everything is in cli.c, so that tests can link it.
 */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
