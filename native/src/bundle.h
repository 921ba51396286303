/* A bundle: its manifest, and its files as the manifest describes them. */
#ifndef LE_BUNDLE_H
#define LE_BUNDLE_H

#include "buffer.h"
#include "errors.h"
#include "json.h"

#define LE_MAX_JSON_BYTES (UINT64_C(64) << 20)
#define LE_MAX_VOCAB_BYTES (UINT64_C(256) << 20)
#define LE_MAX_FILE_BYTES (UINT64_C(4) << 30)
#define LE_MAX_FILES 1000
#define LE_UNCOUNTED                                                                               \
    (-1) /* warnings of a manifest of version 1, and of a model that came from one */

enum { LE_PROOF_TEXT = 64 };

struct le_bundle {
    int fd;
    char *path;
    struct le_json_document manifest;
    const struct le_json_value *models; /* name → {"metadata", "proof", …}; of the manifest */
    const struct le_json_value *files;  /* name → {"sha256", "size"}; of the manifest */
    const char *proof;                  /* of the manifest */
    int64_t version;                    /* of the manifest */
    int64_t warnings;                   /* of all models; LE_UNCOUNTED */
    bool verify;
};

/* Reads the manifest and checks that every file it lists is there with its size. With `verify`,
 * le_bundle_read() checks sums, and le_bundle_verify() those of all files. */
enum logexport_status le_bundle_open(struct le_bundle *bundle, const char *path, bool verify,
                                     struct logexport_error *error);
void le_bundle_close(struct le_bundle *bundle);

/* Reads a listed file; what is given is what the sum was taken of. */
enum logexport_status le_bundle_read(const struct le_bundle *bundle, const char *name,
                                     uint64_t limit, struct le_buffer *out,
                                     struct logexport_error *error);

/* Checks the sum of every file that the manifest lists. */
enum logexport_status le_bundle_verify(const struct le_bundle *bundle,
                                       struct logexport_error *error);

/* How many warnings beside its proof the manifest has of a model; LE_UNCOUNTED. */
int64_t le_bundle_warnings(const struct le_bundle *bundle, const char *model);

/* Writes a proof with the number of its warnings, as in "full, 2 warnings". */
void le_bundle_proof_text(const char *proof, int64_t warnings, char text[LE_PROOF_TEXT]);

/* The sum that the manifest has of a file; NULL if it lists no such file. */
const char *le_bundle_sum(const struct le_bundle *bundle, const char *name);

/* The name of the model to use: `name` if the bundle has it, or its only one for NULL. */
enum logexport_status le_bundle_choose(const struct le_bundle *bundle, const char *name,
                                       const char **chosen, struct logexport_error *error);

#endif
