/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * CRC-32C (Castagnoli), the checksum of chunks in capture files. Uses the
 * processor's instruction where there is one. Pure; any thread.
 */
#ifndef ORIEL_UTIL_CRC32C_H
#define ORIEL_UTIL_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Checksum of bytes, continuing `crc` (0 to start): crc32c(crc32c(0, a), b)
 * is the checksum of a followed by b. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t n);

/* The same without the processor's help; for tests. */
uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t n);

#endif
