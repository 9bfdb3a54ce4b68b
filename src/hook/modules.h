/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The object files of this process, for the reader of its stacks. See stacks.h,
 * which is what hooks use.
 */
#ifndef ORIEL_HOOK_MODULES_H
#define ORIEL_HOOK_MODULES_H

/* Those that the ring does not know yet; one caller at a time, others return at
 * once. Asks the loader: not in signal handlers. */
void hook_modules_tell(void);
/* In a fork child: whoever was at it is gone. */
void hook_modules_forked(void);

#endif
