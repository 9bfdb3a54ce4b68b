/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A build without OTLP: nothing is sent, so nothing has to be authorised. The
 * vault's section is there and has no keys.
 */
#include "vault/vault.h"

const struct option_def *vault_option_table(void)
{
    static const struct option_def none[] = {OPTION_END};
    return none;
}

size_t vault_options_size(void)
{
    return 1;
}
