/* A fast hash of bytes. Everything that it finds is compared byte by byte before it is believed. */
#ifndef LE_HASH_H
#define LE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t le_mix(uint64_t x)
{
    x ^= x >> 32; /* Stafford's variant 13 of murmur3's finaliser, first round changed */
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 29;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 32;
}

static inline uint64_t le_hash(const void *bytes, size_t length)
{
    const unsigned char *p = bytes;
    uint64_t h = length * UINT64_C(0x9e3779b97f4a7c15), word;
    for (; length > 8; length -= 8, p += 8) {
        memcpy(&word, p, 8);
        h = (h ^ word) * UINT64_C(0xff51afd7ed558ccd);
        h ^= h >> 32;
    }
    word = 0;
    if (length > 0)
        memcpy(&word, p, length);
    return le_mix(h ^ word);
}

#endif
