/* Bundles for C tests: files in a temporary directory under a manifest with their sums. */
#ifndef MAKE_BUNDLE_H
#define MAKE_BUNDLE_H

#include <stddef.h>

/* Events "a b", "a <*>", "x", "<*> <*> c" and the like; a task by its JSON. */
extern const char events_topk[], events_score[], counts_topk[], counts_score[];
extern const char plain_rules[], session_rules[], plain_vocab[];

/* Of version 2, with sessions that end; tasks that need them, and a vocabulary of 8 for these, which has
 * the reserved "start" and "end". By bounded_rules most lines match it. */
extern const char utf8_rules[], utf16_rules[], bounded_rules[];
extern const char bounded_topk[], bounded_score[], session_counts[], bounded_vocab[];

struct piece {
    const char *bytes;
    size_t length;
};

struct piece piece_of(const char *text);

/* Makes a directory (its name is written to `path`) and a bundle of the model "tiny" in it. Its vocabulary
 * is bounded_vocab if the graph's name says 8, else plain_vocab. */
void make_bundle(char path[64], const char *graph, const char *task, const char *rules);

/* Writes all files of such a bundle into a directory, with sums that fit whatever they hold. */
void fill_bundle(const char *path, const char *graph, struct piece task, struct piece rules,
                 struct piece vocab);

/* Writes a file of the bundle, and the manifest anew. */
void put_file(const char *path, const char *name, const char *bytes, size_t length);
void put_manifest(const char *path);

/* The manifest anew, with these members at its top and these more of the model "tiny". */
void put_manifest_of(const char *path, const char *top, const char *model);

void remove_bundle(const char *path);

/* Writes the stand-in's graph, as the protocol buffer that the engine wants to see. */
void put_graph(const char *path, const char *text);

/* Writes a file and leaves the manifest as it is. */
void put_raw(const char *path, const char *name, const char *bytes, size_t length);

#endif
