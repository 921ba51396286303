#include "memo.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"

enum { BUDGET = 32 << 20, BLOCK = 1 << 20, MOST_BUCKETS = 1 << 20 };

struct le_block {
    struct le_block *next;
    size_t used;
    alignas(16) unsigned char bytes[];
};

bool le_memo_init(struct le_memo *memo, size_t key_size, size_t least)
{
    *memo = (struct le_memo){.key_size = key_size};
    memo->entry_size = (sizeof(struct le_entry) + key_size + 15) & ~(size_t)15;
    memo->capacity = BUDGET / memo->entry_size;
    if (memo->capacity < least)
        memo->capacity = least;
    memo->block_size = memo->entry_size > BLOCK ? memo->entry_size : BLOCK;
    size_t buckets = 64;
    while (buckets < memo->capacity && buckets < MOST_BUCKETS)
        buckets *= 2;
    memo->bucket_mask = buckets - 1;
    memo->young.buckets = calloc(buckets, sizeof(struct le_entry *));
    memo->old.buckets = calloc(buckets, sizeof(struct le_entry *));
    if (memo->young.buckets == NULL || memo->old.buckets == NULL) {
        le_memo_free(memo);
        return false;
    }
    return true;
}

static void free_blocks(struct le_block *block)
{
    while (block != NULL) {
        struct le_block *next = block->next;
        free(block);
        block = next;
    }
}

void le_memo_free(struct le_memo *memo)
{
    free_blocks(memo->young.blocks);
    free_blocks(memo->old.blocks);
    free_blocks(memo->spare);
    free(memo->young.buckets);
    free(memo->old.buckets);
    *memo = (struct le_memo){0};
}

static struct le_entry *find_entry(const struct le_memo *memo,
                                   const struct le_generation *generation, uint64_t hash,
                                   const void *key, int32_t event)
{
    struct le_entry *entry = generation->buckets[hash & memo->bucket_mask];
    for (; entry != NULL; entry = entry->next)
        if (entry->hash == hash && entry->event == event &&
            memcmp(entry->key, key, memo->key_size) == 0)
            return entry;
    return NULL;
}

static struct le_entry *allocate_entry(struct le_memo *memo)
{
    struct le_block *block = memo->young.blocks;
    if (block == NULL || memo->block_size - block->used < memo->entry_size) {
        block = memo->spare;
        if (block != NULL)
            memo->spare = block->next;
        else
            block = malloc(sizeof *block + memo->block_size);
        if (block == NULL)
            return NULL;
        block->used = 0;
        block->next = memo->young.blocks;
        memo->young.blocks = block;
    }
    struct le_entry *entry = (struct le_entry *)(void *)(block->bytes + block->used);
    block->used += memo->entry_size;
    return entry;
}

static struct le_entry *add_entry(struct le_memo *memo, uint64_t hash, const void *key,
                                  int32_t event)
{
    struct le_entry *entry = allocate_entry(memo);
    if (entry == NULL)
        return NULL;
    struct le_entry **bucket = &memo->young.buckets[hash & memo->bucket_mask];
    entry->next = *bucket;
    entry->hash = hash;
    entry->event = event;
    entry->outcome = (struct le_outcome){0};
    atomic_init(&entry->scored, 0);
    memcpy(entry->key, key, memo->key_size);
    *bucket = entry;
    memo->young.count++;
    return entry;
}

struct le_entry *le_memo_find_or_add(struct le_memo *memo, const void *key, int32_t event,
                                     bool *added)
{
    uint64_t hash = le_mix(le_hash(key, memo->key_size) + (uint32_t)event);
    *added = false;
    struct le_entry *entry = find_entry(memo, &memo->young, hash, key, event);
    if (entry != NULL)
        return entry;
    struct le_entry *older = find_entry(memo, &memo->old, hash, key, event);
    if (older != NULL && !atomic_load_explicit(&older->scored, memory_order_acquire))
        return older; /* still waiting: whoever asks waits for the same answer */
    entry = add_entry(memo, hash, key, event);
    if (entry == NULL)
        return NULL;
    if (older != NULL) {
        entry->outcome = older->outcome;
        atomic_store_explicit(&entry->scored, 1, memory_order_release);
    } else {
        *added = true;
    }
    return entry;
}

bool le_memo_is_full(const struct le_memo *memo)
{
    return memo->young.count >= memo->capacity;
}

void le_memo_turn_generation(struct le_memo *memo)
{
    struct le_generation gone = memo->old;
    memo->old = memo->young;
    memset(gone.buckets, 0, (memo->bucket_mask + 1) * sizeof *gone.buckets);
    memo->young = (struct le_generation){.buckets = gone.buckets};
    while (gone.blocks != NULL) {
        struct le_block *next = gone.blocks->next;
        gone.blocks->next = memo->spare;
        memo->spare = gone.blocks;
        gone.blocks = next;
    }
}
