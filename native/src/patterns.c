#include "patterns.h"

#include <stdio.h>

enum {
    MAX_PATTERN = 4 * 4096,      /* bytes: 4,096 characters */
    JIT_STACK = 64 << 20,        /* bytes a thread, of addresses; memory only where it is needed */
    HEAP_LIMIT_KIB = 1024 * 1024 /* of the interpreter */
};

enum logexport_status le_pattern_compile(struct le_pattern *pattern, const char *text,
                                         size_t length, bool anchored, bool jit, const char *where,
                                         const char *what, struct logexport_error *error)
{
    *pattern = (struct le_pattern){0};
    snprintf(pattern->name, sizeof pattern->name, "%.100s", what);
    if (length > MAX_PATTERN)
        return le_fail(error, LOGEXPORT_BUNDLE, "%.300s: the pattern of %.100s is too long.", where,
                       what);
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (context == NULL)
        return le_out_of_memory(error);
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    uint32_t options = PCRE2_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C;
    int code;
    size_t at;
    /* JIT knows anchoring at compile time only. */
    pattern->code = pcre2_compile((PCRE2_SPTR)text, length,
                                  options | (anchored ? PCRE2_ANCHORED : 0), &code, &at, context);
    pcre2_compile_context_free(context);
    if (pattern->code == NULL) {
        PCRE2_UCHAR message[160] = "";
        pcre2_get_error_message(code, message, sizeof message);
        return le_fail(error, LOGEXPORT_BUNDLE,
                       "%.300s: the pattern of %.100s does not compile: %s (at byte %zu).", where,
                       what, (const char *)message, at);
    }
    pcre2_pattern_info(pattern->code, PCRE2_INFO_CAPTURECOUNT, &pattern->groups);
    /* No JIT for this machine, or no executable memory: the interpreter says the same, slower. */
    pattern->jit = jit && pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE) == 0;
    return LOGEXPORT_OK;
}

void le_pattern_free(struct le_pattern *pattern)
{
    pcre2_code_free(pattern->code);
    *pattern = (struct le_pattern){0};
}

uint32_t le_pattern_group(const struct le_pattern *pattern, const char *name)
{
    int number = pcre2_substring_number_from_name(pattern->code, (PCRE2_SPTR)name);
    return number > 0 ? (uint32_t)number : 0;
}

bool le_match_init(struct le_match *match, uint32_t groups)
{
    *match = (struct le_match){0};
    match->data = pcre2_match_data_create(groups + 1, NULL);
    match->context = pcre2_match_context_create(NULL);
    if (match->data == NULL || match->context == NULL) {
        le_match_free(match);
        return false;
    }
    match->offsets = pcre2_get_ovector_pointer(match->data);
    pcre2_set_match_limit(match->context, UINT32_MAX);
    pcre2_set_depth_limit(match->context, UINT32_MAX);
    pcre2_set_heap_limit(match->context, HEAP_LIMIT_KIB);
    match->stack = pcre2_jit_stack_create(32 << 10, JIT_STACK, NULL);
    if (match->stack != NULL) /* NULL too on machines without JIT */
        pcre2_jit_stack_assign(match->context, NULL, match->stack);
    return true;
}

void le_match_free(struct le_match *match)
{
    pcre2_match_data_free(match->data);
    pcre2_match_context_free(match->context);
    if (match->stack != NULL)
        pcre2_jit_stack_free(match->stack);
    *match = (struct le_match){0};
}

const char *le_match_group(const struct le_match *match, const char *subject, uint32_t group,
                           size_t *length)
{
    size_t begin = match->offsets[2 * group], end = match->offsets[2 * group + 1];
    if (begin == PCRE2_UNSET || end < begin)
        return NULL;
    *length = end - begin;
    return subject + begin;
}

enum le_search le_pattern_find(const struct le_pattern *pattern, struct le_match *match,
                               const char *subject, size_t length, size_t start, bool not_empty)
{
    uint32_t options = not_empty ? PCRE2_NOTEMPTY : 0;
    int found = PCRE2_ERROR_JIT_STACKLIMIT;
    atomic_store_explicit(&match->running, pattern, memory_order_relaxed);
    if (pattern->jit)
        found = pcre2_jit_match(pattern->code, (PCRE2_SPTR)subject, length, start, options,
                                match->data, match->context);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) {
        options |= PCRE2_NO_UTF_CHECK;
        if (pattern->jit)
            options |= PCRE2_NO_JIT; /* its stack was too small, the heap is larger */
        found = pcre2_match(pattern->code, (PCRE2_SPTR)subject, length, start, options, match->data,
                            match->context);
    }
    atomic_store_explicit(&match->running, NULL, memory_order_relaxed);
    return found > 0 ? LE_FOUND : found == PCRE2_ERROR_NOMATCH ? LE_NOT_FOUND : LE_ENDLESS;
}
