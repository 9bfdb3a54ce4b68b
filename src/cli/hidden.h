/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Programs that do not let themselves be looked into, told before they start.
 */
#ifndef ORIEL_CLI_HIDDEN_H
#define ORIEL_CLI_HIDDEN_H

enum hidden {
    HIDDEN_NOT,
    HIDDEN_SECURE, /* it gets rights that its user does not have: set-uid, set-gid, capabilities */
    HIDDEN_STATIC  /* no loader: no library can be put in front of it */
};

/* Of the file that is about to be executed by this process's user. What cannot be read
 * or understood, scripts too, is taken to hide nothing. */
enum hidden hidden_how(const char *path);

#endif
