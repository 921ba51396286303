/* SHA-256 (FIPS 180-4). Own code: a hundred lines weigh less than a dependency on a cryptographic
 * library, and the sums guard against mistakes, not against attackers, who would forge both. */
#ifndef LE_SHA256_H
#define LE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define LE_SHA256_HEX 65 /* 64 digits and the end */

struct le_sha256 {
    uint32_t state[8];
    uint64_t length;        /* bytes added */
    unsigned char held[64]; /* the last length % 64 of them */
};

void le_sha256_begin(struct le_sha256 *sum);
void le_sha256_add(struct le_sha256 *sum, const void *bytes, size_t length);
void le_sha256_end(struct le_sha256 *sum, char hex[LE_SHA256_HEX]);

/* The sum of bytes that are all at hand. */
void le_sha256_hex(const void *bytes, size_t length, char hex[LE_SHA256_HEX]);

#endif
