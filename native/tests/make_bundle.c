#include "make_bundle.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "sha256.h"

const char events_topk[] = "{\"input\": \"event_window\", \"length\": 3, \"decision\": "
                           "\"next_event_topk\", \"output\": \"predictions\", \"top_k\": 2}";
const char events_score[] = "{\"input\": \"event_window\", \"length\": 3, \"decision\": "
                            "\"score_threshold\", \"output\": \"error\", \"attribution\": "
                            "\"attribution\", \"threshold\": 6.5, \"threshold_name\": \"p99\", "
                            "\"thresholds\": {\"p99\": 6.5, \"low\": 0.5}}";
const char counts_topk[] =
    "{\"input\": \"count_matrix\", \"lines\": 4, \"stride\": 2, \"steps\": 2, "
    "\"decision\": \"next_event_topk\", \"output\": \"predictions\", "
    "\"top_k\": 2}";
const char counts_score[] = "{\"input\": \"count_matrix\", \"lines\": 4, \"stride\": 2, "
                            "\"steps\": 2, \"decision\": \"score_threshold\", \"output\": "
                            "\"error\", \"attribution\": \"attribution\", \"threshold\": 6.5, "
                            "\"threshold_name\": \"p99\", \"thresholds\": {}}";

const char bounded_topk[] =
    "{\"input\": \"event_window\", \"length\": 3, \"start\": 6, \"end\": 7, "
    "\"decision\": \"next_event_topk\", \"output\": \"predictions\", "
    "\"top_k\": 3}";
const char bounded_score[] =
    "{\"input\": \"event_window\", \"length\": 3, \"end\": 7, \"decision\": "
    "\"score_threshold\", \"output\": \"error\", \"threshold\": 6.5, "
    "\"threshold_name\": \"p99\", \"thresholds\": {}}";
const char session_counts[] =
    "{\"input\": \"session_counts\", \"decision\": \"score_threshold\", \"output\": \"error\", "
    "\"attribution\": \"attribution\", \"threshold\": 6.5, \"threshold_name\": \"p99\", "
    "\"thresholds\": {}}";

const char plain_rules[] =
    "{\"schema_version\": 1, \"headers\": [], \"masks\": [{\"name\": \"n\", \"pattern\": "
    "\"\\\\d+\", \"replacement\": \"<N>\"}], \"matching\": {\"prefer\": \"specific\"}, "
    "\"session\": {\"by\": \"none\", \"pattern\": null}, \"max_sessions\": 3, "
    "\"max_line_bytes\": 100}";
/* Version 2. */
#define READING_RULES(encoding)                                                                             \
    "{\"schema_version\": 2, \"encoding\": \"" encoding "\", \"structured\": [{\"form\": "                  \
    "\"docker\"}, {\"form\": \"cri\"}, {\"form\": \"json\", \"message\": \"m.s\", \"host\": \"h\", "        \
    "\"timestamp\": \"t\"}, "                                                                               \
    "{\"form\": \"logfmt\", \"message\": \"m\", \"timestamp\": \"t\"}], \"continuation\": true, \"keep\": " \
    "[{\"field\": \"host\", \"as\": \"text\"}], \"headers\": "                                              \
    "[{\"name\": \"n\", \"pattern\": \"H(?P<message>\\\\w*)$\", \"message\": \"next_line\"}, "              \
    "{\"name\": \"h\", \"pattern\": \"h: (?P<message>.*)$\"}], \"masks\": "                                 \
    "[{\"name\": \"n\", \"pattern\": \"\\\\d+\", \"replacement\": \"<N>\"}], \"tokens\": "                  \
    "{\"split_after\": \"=:\", \"collapse\": true}, \"matching\": "                                         \
    "{\"prefer\": \"general\", \"inner\": true}, "                                                          \
    "\"session\": {\"by\": \"regex\", \"pattern\": \"s=(\\\\w+)\", \"idle_lines\": 40, "                    \
    "\"idle_seconds\": 5, \"close_pattern\": \"n \\\\d\"}, \"max_line_bytes\": 100}"
const char utf8_rules[] = READING_RULES("utf-8");
const char utf16_rules[] = READING_RULES("utf-16le");
const char bounded_rules[] =
    "{\"schema_version\": 2, \"encoding\": \"utf-8\", \"structured\": [{\"form\": \"json\", \"message\": "
    "\"m.s\", \"timestamp\": \"t\"}], \"continuation\": true, \"keep\": [], \"headers\": [{\"name\": "
    "\"s\", \"pattern\": \"s=\\\\w+ (?P<message>.*)$\"}], \"masks\": [{\"name\": \"n\", \"pattern\": "
    "\"\\\\d+\", \"replacement\": \"<N>\"}], \"tokens\": {\"split_after\": \"\", \"collapse\": false}, "
    "\"matching\": {\"prefer\": \"general\", \"inner\": true}, \"session\": {\"by\": \"regex\", "
    "\"pattern\": \"s=(\\\\w+)\", \"idle_lines\": 40, \"idle_seconds\": 5, \"close_pattern\": "
    "\"n \\\\d\"}, \"max_line_bytes\": 100}";
const char session_rules[] =
    "{\"schema_version\": 1, \"headers\": [{\"name\": \"h\", \"pattern\": \"(?P<host>h\\\\d): "
    "(?P<message>.*)$\"}], \"masks\": [{\"name\": \"n\", \"pattern\": \"\\\\d+\", "
    "\"replacement\": \"<N>\"}], \"matching\": {\"prefer\": \"general\"}, \"session\": {\"by\": "
    "\"regex\", \"pattern\": \"s=(\\\\w+)\"}, \"max_sessions\": 2, \"max_line_bytes\": 100}";

const char plain_vocab[] = "{\"0\": \"a b\", \"1\": \"a <*>\", \"2\": \"x\", \"3\": \"<*> <*> c\", "
                           "\"4\": \"\\nunknown\", \"5\": \"n <N>\"}";

const char bounded_vocab[] =
    "{\"0\": \"a b\", \"1\": \"a <*>\", \"2\": \"x\", \"3\": \"<*> <*> c\", "
    "\"4\": \"\\nunknown\", \"5\": \"n <N>\", \"6\": \"\\nstart\", "
    "\"7\": \"\\nend\"}";

static void need_that(int good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(2);
}

void put_raw(const char *path, const char *name, const char *bytes, size_t length)
{
    char file_path[320];
    snprintf(file_path, sizeof file_path, "%s/%s", path, name);
    FILE *file = fopen(file_path, "wb");
    need_that(file != NULL, file_path);
    need_that(fwrite(bytes, 1, length, file) == length && fclose(file) == 0, file_path);
}

static void read_file(const char *path, const char *name, struct le_buffer *out)
{
    char file_path[320];
    snprintf(file_path, sizeof file_path, "%s/%s", path, name);
    FILE *file = fopen(file_path, "rb");
    need_that(file != NULL, file_path);
    out->length = 0;
    for (int c; (c = getc(file)) != EOF;) {
        char byte = (char)c;
        need_that(le_buffer_append(out, &byte, 1), "memory");
    }
    fclose(file);
}

void put_manifest(const char *path)
{
    put_manifest_of(path, "\"schema_version\": 1", "");
}

void put_manifest_of(const char *path, const char *top, const char *model)
{
    struct le_buffer text = {0}, bytes = {0};
    char piece[512], hex[LE_SHA256_HEX];
    const char *separator = "";
    int begun = snprintf(piece, sizeof piece,
                         "{%s, \"proof\": \"full\", \"models\": {\"tiny\": {\"metadata\": "
                         "\"tiny.onnx.meta.json\", \"opset_version\": 17, \"ir_version\": 8, "
                         "\"proof\": \"full\"%s}}, \"versions\": {}, \"files\": {",
                         top, model);
    need_that(le_buffer_append(&text, piece, (size_t)begun), "memory");
    DIR *directory = opendir(path);
    need_that(directory != NULL, path);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "manifest.json") == 0)
            continue;
        read_file(path, entry->d_name, &bytes);
        le_sha256_hex(bytes.length == 0 ? "" : bytes.data, bytes.length, hex);
        int length = snprintf(piece, sizeof piece, "%s\"%s\": {\"sha256\": \"%s\", \"size\": %zu}",
                              separator, entry->d_name, hex, bytes.length);
        need_that(le_buffer_append(&text, piece, (size_t)length), "memory");
        separator = ", ";
    }
    closedir(directory);
    need_that(le_buffer_append(&text, "}}", 2), "memory");
    put_raw(path, "manifest.json", text.data, text.length);
    le_buffer_free(&text);
    le_buffer_free(&bytes);
}

void put_file(const char *path, const char *name, const char *bytes, size_t length)
{
    put_raw(path, name, bytes, length);
    put_manifest(path);
}

void put_graph(const char *path, const char *text)
{
    char bytes[130];
    size_t length = strlen(text);
    need_that(length < 128, "a short graph");
    bytes[0] = 0x0A; /* field 1, of a length */
    bytes[1] = (char)length;
    memcpy(bytes + 2, text, length);
    put_raw(path, "tiny.onnx", bytes, length + 2);
}

void fill_bundle(const char *path, const char *graph, struct piece task, struct piece rules,
                 struct piece vocab)
{
    char vocab_sum[LE_SHA256_HEX], rules_sum[LE_SHA256_HEX], begin[512];
    bool bounded = vocab.bytes == bounded_vocab;
    struct le_buffer metadata = {0};
    le_sha256_hex(vocab.bytes, vocab.length, vocab_sum);
    le_sha256_hex(rules.bytes, rules.length, rules_sum);
    int length = snprintf(
        begin, sizeof begin,
        "{\"schema_version\": 1, \"model_type\": \"tiny\", \"vocab_size\": %d, \"vocab\": "
        "{\"file\": \"vocab.json\", \"sha256\": \"%s\", \"reserved\": {\"unknown\": 4%s}}, "
        "\"preprocess\": {\"file\": \"preprocess.json\", \"sha256\": \"%s\", \"source\": "
        "\"option\"}, \"variants\": {}, \"task\": ",
        bounded ? 8 : 6, vocab_sum, bounded ? ", \"start\": 6, \"end\": 7" : "", rules_sum);
    need_that(le_buffer_append(&metadata, begin, (size_t)length) &&
                  le_buffer_append(&metadata, task.bytes, task.length) &&
                  le_buffer_append(&metadata, "}", 1),
              "memory");
    put_raw(path, "vocab.json", vocab.bytes, vocab.length);
    put_raw(path, "preprocess.json", rules.bytes, rules.length);
    put_graph(path, graph);
    put_raw(path, "tiny.onnx.meta.json", metadata.data, metadata.length);
    put_manifest(path);
    le_buffer_free(&metadata);
}

struct piece piece_of(const char *text)
{
    return (struct piece){text, strlen(text)};
}

void make_bundle(char path[64], const char *graph, const char *task, const char *rules)
{
    const char *temporary = getenv("TMPDIR");
    if (temporary == NULL || temporary[0] == '\0' || strlen(temporary) > 40)
        temporary = "/tmp";
    snprintf(path, 64, "%s/logexport-test-XXXXXX", temporary);
    need_that(mkdtemp(path) != NULL, path);
    bool bounded = strstr(graph, " 8") != NULL;
    fill_bundle(path, graph, piece_of(task), piece_of(rules),
                piece_of(bounded ? bounded_vocab : plain_vocab));
}

void remove_bundle(const char *path)
{
    DIR *directory = opendir(path);
    need_that(directory != NULL, path);
    char file[320];
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        unlink(file);
    }
    closedir(directory);
    rmdir(path);
}
