#include "records.h"

#include <math.h>

static bool append_text(struct le_buffer *out, const char *literal)
{
    return le_buffer_append(out, literal, strlen(literal));
}

static bool append_integer(struct le_buffer *out, const char *before, int64_t value)
{
    return append_text(out, before) && le_json_append_integer(out, value);
}

static bool append_integer_or_null(struct le_buffer *out, const char *before, int64_t value)
{
    return append_text(out, before) &&
           (value < 0 ? append_text(out, "null") : le_json_append_integer(out, value));
}

bool le_record_format_init(struct le_record_format *format, const struct le_metadata *metadata,
                           int64_t top_k, double threshold, const struct le_log_files *files)
{
    const struct le_task *task = &metadata->task;
    *format = (struct le_record_format){
        .input = task->input,
        .decision = task->decision,
        .unseen_column =
            task->input == LE_SESSION_COUNTS ? (int32_t)le_metadata_features(metadata) - 1 : -1,
        .files = files};
    format->c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (format->c_locale == (locale_t)0)
        return false;
    bool ok = task->decision == LE_NEXT_EVENT_TOPK
                  ? append_integer(&format->limit, ", \"top_k\": ", top_k)
                  : append_text(&format->limit, ", \"threshold\": ") &&
                        le_json_append_real(&format->limit, threshold, format->c_locale) &&
                        append_text(&format->limit, ", \"top\": [");
    if (!ok)
        le_record_format_free(format);
    return ok;
}

void le_record_format_free(struct le_record_format *format)
{
    if (format->c_locale != (locale_t)0)
        freelocale(format->c_locale);
    le_buffer_free(&format->limit);
    *format = (struct le_record_format){0};
}

/* When and by what a session was closed; nothing if it was not. */
static bool append_closed(const struct logexport_record *record, struct le_buffer *out)
{
    static const char *const names[] = {"", "idle", "gap", "pattern", "end"};
    return record->closed_by == LOGEXPORT_NOT_CLOSED ||
           (append_integer(out, ", \"closed\": ", record->closed) &&
            append_text(out, ", \"closed_by\": \"") && append_text(out, names[record->closed_by]) &&
            append_text(out, "\""));
}

static bool append_summary(const struct logexport_record *record, const struct le_session *session,
                           struct le_buffer *out)
{
    return append_text(out, "{\"session\": ") &&
           le_buffer_append(out, session->json, session->json_length) &&
           append_integer(out, ", \"lines\": ", (int64_t)record->lines) &&
           append_integer(out, ", \"judged\": ", (int64_t)record->judged) &&
           append_integer(out, ", \"anomalies\": ", (int64_t)record->anomalies) &&
           append_text(out, record->verdict == LOGEXPORT_ANOMALY  ? ", \"verdict\": \"anomaly\""
                            : record->verdict == LOGEXPORT_NORMAL ? ", \"verdict\": \"normal\""
                                                                  : ", \"verdict\": \"short\"") &&
           append_closed(record, out) && append_text(out, "}\n");
}

static bool append_score(const struct le_record_format *format,
                         const struct logexport_record *record, const struct le_outcome *outcome,
                         struct le_buffer *out)
{
    bool ok = append_text(out, ", \"score\": ");
    if (isnan(record->score))
        ok = ok && append_text(out, "null");
    else
        ok = ok && le_json_append_real(out, record->score, format->c_locale);
    ok = ok && le_buffer_append(out, format->limit.data, format->limit.length);
    int32_t count =
        outcome != NULL && record->verdict == LOGEXPORT_ANOMALY ? outcome->top_count : 0;
    for (int32_t i = 0; ok && i < count; i++)
        ok = append_integer_or_null(out, i == 0 ? "{\"template\": " : ", {\"template\": ",
                                    outcome->top[i] == format->unseen_column ? -1
                                                                             : outcome->top[i]) &&
             append_text(out, ", \"share\": ") &&
             le_json_append_real(out, outcome->share[i], format->c_locale) && append_text(out, "}");
    return ok && append_text(out, "]");
}

bool le_record_write(const struct le_record_format *format, const struct logexport_record *record,
                     const struct le_session *session, const struct le_outcome *outcome,
                     struct le_buffer *out)
{
    static const char *const verdicts[] = {", \"verdict\": \"warmup\"", ", \"verdict\": \"normal\"",
                                           ", \"verdict\": \"anomaly\""};
    static const char *const reasons[] = {", \"reason\": null", ", \"reason\": \"topk\"",
                                          ", \"reason\": \"threshold\"", ", \"reason\": \"unseen\"",
                                          ", \"reason\": \"not_finite\""};
    out->length = 0;
    if (record->kind == LOGEXPORT_SESSION)
        return append_summary(record, session, out);
    bool ok;
    if (record->kind == LOGEXPORT_LINE)
        ok = append_integer(out, "{\"line\": ", record->line) &&
             append_text(out, ", \"session\": ") &&
             le_buffer_append(out, session->json, session->json_length) &&
             append_integer_or_null(out, ", \"template\": ", record->template_index);
    else if (record->kind == LOGEXPORT_SESSION_SCORE)
        ok = append_text(out, "{\"session\": ") &&
             le_buffer_append(out, session->json, session->json_length) &&
             append_integer(out, ", \"first_line\": ", record->first_line) &&
             append_integer(out, ", \"last_line\": ", record->last_line) &&
             append_integer(out, ", \"lines\": ", (int64_t)record->lines);
    else
        ok = append_integer(out, "{\"window\": ", record->window) &&
             append_integer(out, ", \"first_line\": ", record->first_line) &&
             append_integer(out, ", \"last_line\": ", record->last_line) &&
             (format->decision != LE_NEXT_EVENT_TOPK ||
              append_integer_or_null(out, ", \"template\": ", record->template_index));
    ok = ok && append_text(out, verdicts[record->verdict]) &&
         append_text(out, reasons[record->reason]);
    if (format->decision == LE_SCORE_THRESHOLD)
        ok = ok && append_score(format, record, outcome, out);
    else
        ok = ok && append_integer_or_null(out, ", \"rank\": ", record->rank) &&
             le_buffer_append(out, format->limit.data, format->limit.length);
    int64_t last_line = record->kind == LOGEXPORT_LINE ? record->line : record->last_line;
    ok = ok && append_closed(record, out);
    return ok && le_log_files_append_keys(format->files, last_line, out) && append_text(out, "}\n");
}
