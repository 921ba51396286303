#include "bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "sha256.h"

enum { MAX_VERSION = 2, MAX_WARNINGS = 1000000 };

static const char manifest_name[] = "manifest.json";

static struct le_place in_manifest(const struct le_bundle *bundle, const char *inside)
{
    return (struct le_place){bundle->path, manifest_name, inside};
}

static enum logexport_status check_file(const struct le_bundle *bundle,
                                        const struct le_json_value *entry,
                                        struct logexport_error *error)
{
    const char *name = entry->key;
    if (!le_file_name_is_plain(name, strlen(name)))
        return le_json_malformed(error, in_manifest(bundle, "files"),
                                 "\"%.100s\" is no plain file name", name);
    struct le_place place = in_manifest(bundle, name);
    if (!le_json_is(entry, LE_JSON_OBJECT))
        return le_json_malformed(error, place, "not an object");
    int64_t size;
    const char *sum;
    size_t length;
    enum logexport_status status;
    if ((status = le_json_integer(entry, "size", 0, LE_MAX_FILE_BYTES, place, &size, error)) != 0 ||
        (status = le_json_string(entry, "sha256", place, &sum, &length, error)) != 0)
        return status;
    if (length != 64 || strspn(sum, "0123456789abcdef") != 64)
        return le_json_malformed(error, place, "\"sha256\" is not 64 hexadecimal digits");
    int file;
    uint64_t found;
    if ((status = le_file_open(bundle->fd, bundle->path, name, &file, &found, error)) != 0)
        return status;
    close(file);
    if (found != (uint64_t)size)
        return le_fail(error, LOGEXPORT_BUNDLE,
                       "%.300s/%s has %llu bytes, but manifest.json says %llu.", bundle->path, name,
                       (unsigned long long)found, (unsigned long long)size);
    return LOGEXPORT_OK;
}

static enum logexport_status check_proof(const struct le_json_value *object, struct le_place place,
                                         const char **proof, struct logexport_error *error)
{
    enum logexport_status status = le_json_name(object, "proof", place, proof, error);
    if (status != LOGEXPORT_OK)
        return status;
    if (strcmp(*proof, "full") != 0 && strcmp(*proof, "no_native") != 0 &&
        strcmp(*proof, "none") != 0)
        return le_json_malformed(error, place, "\"proof\" is not full, no_native or none");
    return LOGEXPORT_OK;
}

int64_t le_bundle_warnings(const struct le_bundle *bundle, const char *model)
{
    const struct le_json_value *warnings =
        le_json_get(le_json_get(bundle->models, model), "warnings");
    bool counted = bundle->version > 1 && le_json_is(warnings, LE_JSON_NUMBER);
    return counted ? warnings->integer : LE_UNCOUNTED;
}

void le_bundle_proof_text(const char *proof, int64_t warnings, char text[LE_PROOF_TEXT])
{
    if (warnings > 0)
        snprintf(text, LE_PROOF_TEXT, "%s, %lld warning%s", proof, (long long)warnings,
                 warnings > 1 ? "s" : "");
    else
        snprintf(text, LE_PROOF_TEXT, "%s", proof);
}

static bool is_model_name(const char *name)
{
    size_t length = strlen(name);
    return length >= 1 && length <= 64 && name[0] >= 'a' && name[0] <= 'z' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == length;
}

/* The number of warnings, which manifests have since version 2. That of a model that somebody
 * exported before is null. */
static enum logexport_status check_warnings(const struct le_bundle *bundle,
                                            const struct le_json_value *object, bool may_be_null,
                                            struct le_place place, int64_t *warnings,
                                            struct logexport_error *error)
{
    *warnings = LE_UNCOUNTED;
    if (bundle->version == 1 ||
        (may_be_null && le_json_is(le_json_get(object, "warnings"), LE_JSON_NULL)))
        return LOGEXPORT_OK;
    return le_json_integer(object, "warnings", 0, MAX_WARNINGS, place, warnings, error);
}

static enum logexport_status check_manifest(struct le_bundle *bundle, struct logexport_error *error)
{
    struct le_place top = in_manifest(bundle, "");
    const struct le_json_value *manifest = bundle->manifest.object, *each;
    int64_t number;
    enum logexport_status status;
    if ((status = le_json_integer(manifest, "schema_version", 1, MAX_VERSION, top, &bundle->version,
                                  error)) != 0 ||
        (status = check_proof(manifest, top, &bundle->proof, error)) != 0 ||
        (status = check_warnings(bundle, manifest, false, top, &bundle->warnings, error)) != 0 ||
        (status = le_json_object(manifest, "models", top, &bundle->models, error)) != 0 ||
        (status = le_json_object(manifest, "files", top, &bundle->files, error)) != 0)
        return status;
    if (bundle->models->length == 0)
        return le_json_malformed(error, top, "\"models\" is empty");
    if (bundle->files->length > LE_MAX_FILES)
        return le_json_malformed(error, top, "\"files\" lists more than %d files", LE_MAX_FILES);

    for (each = le_json_first(bundle->models); each != NULL; each = le_json_next(each)) {
        const char *proof;
        struct le_place place = in_manifest(bundle, each->key);
        if (!is_model_name(each->key))
            return le_json_malformed(error, top, "\"%.100s\" is no model's name", each->key);
        if (!le_json_is(each, LE_JSON_OBJECT))
            return le_json_malformed(error, place, "not an object");
        if ((status = check_proof(each, place, &proof, error)) != 0 ||
            (status = check_warnings(bundle, each, true, place, &number, error)) != 0)
            return status;
    }
    for (each = le_json_first(bundle->files); each != NULL; each = le_json_next(each))
        if ((status = check_file(bundle, each, error)) != 0)
            return status;
    return LOGEXPORT_OK;
}

enum logexport_status le_bundle_open(struct le_bundle *bundle, const char *path, bool verify,
                                     struct logexport_error *error)
{
    *bundle = (struct le_bundle){.fd = -1, .verify = verify};
    bundle->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (bundle->fd < 0)
        return le_fail(error, LOGEXPORT_BUNDLE, "%.300s is no bundle: %s.", path, strerror(errno));
    bundle->path = strdup(path);
    if (bundle->path == NULL) {
        le_bundle_close(bundle);
        return le_out_of_memory(error);
    }
    size_t length = strlen(bundle->path);
    while (length > 1 && bundle->path[length - 1] == '/')
        bundle->path[--length] = '\0'; /* so that errors name a file with one slash */

    struct le_buffer bytes = {0};
    enum logexport_status status;
    if (faccessat(bundle->fd, manifest_name, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        status = le_fail(error, LOGEXPORT_BUNDLE, "%.300s is no bundle: it holds no manifest.json.",
                         path);
    else
        status =
            le_file_read(bundle->fd, bundle->path, manifest_name, LE_MAX_JSON_BYTES, &bytes, error);
    if (status == LOGEXPORT_OK)
        status = le_json_parse(bytes.data, bytes.length, in_manifest(bundle, ""), &bundle->manifest,
                               error);
    if (status == LOGEXPORT_OK)
        status = check_manifest(bundle, error);
    le_buffer_free(&bytes);
    if (status != LOGEXPORT_OK)
        le_bundle_close(bundle);
    return status;
}

void le_bundle_close(struct le_bundle *bundle)
{
    if (bundle->fd >= 0)
        close(bundle->fd);
    le_json_free(&bundle->manifest);
    free(bundle->path);
    *bundle = (struct le_bundle){.fd = -1};
}

const char *le_bundle_sum(const struct le_bundle *bundle, const char *name)
{
    return le_json_text(le_json_get(le_json_get(bundle->files, name), "sha256"));
}

static enum logexport_status refuse_changed(const struct le_bundle *bundle, const char *name,
                                            struct logexport_error *error)
{
    return le_fail(error, LOGEXPORT_BUNDLE,
                   "%.300s/%s has changed: its sha256 is not what manifest.json says.",
                   bundle->path, name);
}

enum logexport_status le_bundle_read(const struct le_bundle *bundle, const char *name,
                                     uint64_t limit, struct le_buffer *out,
                                     struct logexport_error *error)
{
    const char *sum = le_bundle_sum(bundle, name);
    if (sum == NULL)
        return le_fail(error, LOGEXPORT_BUNDLE, "%.300s/manifest.json does not list %.128s.",
                       bundle->path, name);
    enum logexport_status status = le_file_read(bundle->fd, bundle->path, name, limit, out, error);
    if (status != LOGEXPORT_OK || !bundle->verify)
        return status;
    char hex[LE_SHA256_HEX];
    le_sha256_hex(out->data, out->length, hex);
    return strcmp(hex, sum) == 0 ? LOGEXPORT_OK : refuse_changed(bundle, name, error);
}

static enum logexport_status verify_file(const struct le_bundle *bundle, const char *name,
                                         char *piece, size_t piece_size,
                                         struct logexport_error *error)
{
    int file;
    uint64_t size;
    enum logexport_status status =
        le_file_open(bundle->fd, bundle->path, name, &file, &size, error);
    if (status != LOGEXPORT_OK)
        return status;
    struct le_sha256 sum;
    le_sha256_begin(&sum);
    ssize_t got;
    while ((got = read(file, piece, piece_size)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            status = le_fail(error, LOGEXPORT_BUNDLE, "%.300s/%s cannot be read: %s.", bundle->path,
                             name, strerror(errno));
            break;
        }
        le_sha256_add(&sum, piece, (size_t)got);
    }
    close(file);
    if (status != LOGEXPORT_OK)
        return status;
    char hex[LE_SHA256_HEX];
    le_sha256_end(&sum, hex);
    return strcmp(hex, le_bundle_sum(bundle, name)) == 0 ? LOGEXPORT_OK
                                                         : refuse_changed(bundle, name, error);
}

enum logexport_status le_bundle_verify(const struct le_bundle *bundle,
                                       struct logexport_error *error)
{
    enum { PIECE = 1 << 16 };
    char *piece = malloc(PIECE);
    if (piece == NULL)
        return le_out_of_memory(error);
    enum logexport_status status = LOGEXPORT_OK;
    const struct le_json_value *file = le_json_first(bundle->files);
    for (; file != NULL && status == LOGEXPORT_OK; file = le_json_next(file))
        status = verify_file(bundle, file->key, piece, PIECE, error);
    free(piece);
    return status;
}

enum logexport_status le_bundle_choose(const struct le_bundle *bundle, const char *name,
                                       const char **chosen, struct logexport_error *error)
{
    char names[256] = "";
    const struct le_json_value *model = le_json_first(bundle->models);
    for (; model != NULL; model = le_json_next(model)) {
        *chosen = model->key;
        if (name != NULL && strcmp(name, *chosen) == 0)
            return LOGEXPORT_OK;
        if (strlen(names) + strlen(*chosen) + 3 < sizeof names) {
            strcat(names, names[0] == '\0' ? "" : ", ");
            strcat(names, *chosen);
        }
    }
    if (name != NULL)
        return le_fail(error, LOGEXPORT_BUNDLE, "%.300s holds no model \"%.64s\" (it holds: %s).",
                       bundle->path, name, names);
    if (bundle->models->length != 1)
        return le_fail(error, LOGEXPORT_USAGE,
                       "%.300s holds several models, so one must be named: %s.", bundle->path,
                       names);
    return LOGEXPORT_OK;
}
