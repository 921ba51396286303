#include "compression.h"

#include <bzlib.h>
#include <limits.h>
#include <lzma.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define XZ_MEMORY (80u << 20) /* enough for a dictionary of 64 MiB, too little for one of 96 */
#define ZSTD_WINDOW_LOG 27

/* A magic number, in which one byte may be any of several. */
struct magic {
    enum compression_form form;
    size_t length;
    const char *bytes;
    size_t ranged; /* the place of that byte, which lies between `least` and `most` */
    unsigned char least, most;
};

static const struct magic MAGICS[] = {
    {COMPRESSION_GZIP, 2, "\x1f\x8b", 0, 0x1f, 0x1f},
    {COMPRESSION_BZIP2, 10, "BZh1\x31\x41\x59\x26\x53\x59", 3, '1', '9'},
    {COMPRESSION_BZIP2, 10, "BZh1\x17\x72\x45\x38\x50\x90", 3, '1', '9'},
    {COMPRESSION_XZ, 6, "\xfd\x37zXZ\0", 0, 0xfd, 0xfd},
    {COMPRESSION_ZSTD, 4, "\x28\xb5\x2f\xfd", 0, 0x28, 0x28},
    {COMPRESSION_ZSTD, 4, "\x50\x2a\x4d\x18", 0, 0x50, 0x5f},
};

enum compression_form compression_recognise(const unsigned char *bytes, size_t length)
{
    bool undecided = false;
    for (size_t i = 0; i < sizeof MAGICS / sizeof *MAGICS; i++) {
        const struct magic *magic = &MAGICS[i];
        size_t at = 0;
        while (at < length && at < magic->length &&
               (at == magic->ranged ? bytes[at] >= magic->least && bytes[at] <= magic->most
                                    : bytes[at] == (unsigned char)magic->bytes[at]))
            at++;
        if (at == magic->length)
            return magic->form;
        undecided |= at == length;
    }
    return undecided ? COMPRESSION_UNDECIDED : COMPRESSION_NONE;
}

const char *compression_name(enum compression_form form)
{
    static const char *const NAMES[] = {"undecided", "none", "gzip", "bzip2", "xz", "zstd"};
    return NAMES[form];
}

struct decoder {
    enum compression_form form;
    union {
        z_stream gzip;
        bz_stream bzip2;
        lzma_stream xz;
        ZSTD_DCtx *zstd;
    } as;
    unsigned char header[18]; /* of a zstd frame, until its window is known */
    size_t header_length, header_used;
    bool header_known;
};

struct decoder *decoder_new(enum compression_form form)
{
    struct decoder *decoder = calloc(1, sizeof *decoder);
    if (decoder == NULL)
        return NULL;
    decoder->form = form;
    bool made = false;
    switch (form) {
    case COMPRESSION_GZIP:
        made = inflateInit2(&decoder->as.gzip, 16 + MAX_WBITS) == Z_OK;
        break;
    case COMPRESSION_BZIP2:
        made = BZ2_bzDecompressInit(&decoder->as.bzip2, 0, 0) == BZ_OK;
        break;
    case COMPRESSION_XZ:
        decoder->as.xz = (lzma_stream)LZMA_STREAM_INIT;
        made = lzma_stream_decoder(&decoder->as.xz, XZ_MEMORY, 0) == LZMA_OK;
        break;
    case COMPRESSION_ZSTD:
        decoder->as.zstd = ZSTD_createDCtx();
        made = decoder->as.zstd != NULL &&
               !ZSTD_isError(
                   ZSTD_DCtx_setParameter(decoder->as.zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG));
        break;
    case COMPRESSION_UNDECIDED:
    case COMPRESSION_NONE:
        break;
    }
    if (made)
        return decoder;
    decoder_free(decoder);
    return NULL;
}

void decoder_free(struct decoder *decoder)
{
    if (decoder == NULL)
        return;
    switch (decoder->form) {
    case COMPRESSION_GZIP:
        inflateEnd(&decoder->as.gzip);
        break;
    case COMPRESSION_BZIP2:
        BZ2_bzDecompressEnd(&decoder->as.bzip2);
        break;
    case COMPRESSION_XZ:
        lzma_end(&decoder->as.xz);
        break;
    case COMPRESSION_ZSTD:
        ZSTD_freeDCtx(decoder->as.zstd);
        break;
    case COMPRESSION_UNDECIDED:
    case COMPRESSION_NONE:
        break;
    }
    free(decoder);
}

/* The state, with why. */
static enum decoder_state refuse(enum decoder_state state, char *problem, size_t size,
                                 const char *text)
{
    snprintf(problem, size, "%s", text);
    return state;
}

static enum decoder_state run_gzip(z_stream *stream, char *problem, size_t size)
{
    int result = inflate(stream, Z_NO_FLUSH);
    if (result == Z_STREAM_END)
        return DECODER_END;
    if (result == Z_OK || result == Z_BUF_ERROR)
        return DECODER_MORE;
    if (result == Z_MEM_ERROR)
        return DECODER_NO_MEMORY;
    return refuse(DECODER_DAMAGED, problem, size, stream->msg != NULL ? stream->msg : "bad data");
}

static enum decoder_state run_bzip2(bz_stream *stream, char *problem, size_t size)
{
    int result = BZ2_bzDecompress(stream);
    if (result == BZ_STREAM_END)
        return DECODER_END;
    if (result == BZ_OK)
        return DECODER_MORE;
    return result == BZ_MEM_ERROR ? DECODER_NO_MEMORY
                                  : refuse(DECODER_DAMAGED, problem, size, "bad data");
}

static enum decoder_state run_xz(lzma_stream *stream, char *problem, size_t size)
{
    lzma_ret result = lzma_code(stream, LZMA_RUN);
    switch (result) {
    case LZMA_STREAM_END:
        return DECODER_END;
    case LZMA_OK:
    case LZMA_BUF_ERROR: /* no progress: more input is needed */
        return DECODER_MORE;
    case LZMA_MEMLIMIT_ERROR:
        return refuse(DECODER_TOO_LARGE, problem, size, "an xz dictionary of more than 64 MiB");
    case LZMA_MEM_ERROR:
        return DECODER_NO_MEMORY;
    default:
        return refuse(DECODER_DAMAGED, problem, size, "bad data");
    }
}

/* The window of a frame by its header (RFC 8878, 3.1.1): the library looks at it in some frames only,
 * and knows beginnings of other versions if it was built so. False: more bytes are needed to
 * tell. *is_frame: whether it begins like one. */
static bool find_window(const unsigned char *header, size_t length, bool *is_frame,
                        uint64_t *window)
{
    *window = 0;
    if (length < 4)
        return false;
    *is_frame = compression_recognise(header, 4) == COMPRESSION_ZSTD;
    if (!*is_frame || header[0] != 0x28) /* another format's, or skippable */
        return true;
    if (length < 6) /* the descriptor, and a byte that every frame has after it */
        return false;
    unsigned descriptor = header[4];
    if ((descriptor & 0x20) == 0) {
        uint64_t base = UINT64_C(1) << (10 + (header[5] >> 3));
        *window = base + base / 8 * (header[5] & 7);
        return true;
    }
    static const size_t id_sizes[] = {0, 1, 2, 4}; /* a single segment: all of the content */
    size_t begin = 5 + id_sizes[descriptor & 3], size = (size_t)1 << (descriptor >> 6);
    if (length < begin + size)
        return false;
    for (size_t i = size; i-- > 0;)
        *window = *window << 8 | header[begin + i];
    if (size == 2)
        *window += 256;
    return true;
}

static enum decoder_state decompress_frame(ZSTD_DCtx *context, ZSTD_inBuffer *in,
                                           ZSTD_outBuffer *out, char *problem, size_t size)
{
    size_t result = ZSTD_decompressStream(context, out, in);
    if (result == 0)
        return DECODER_END;
    if (!ZSTD_isError(result))
        return DECODER_MORE;
    if (ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation)
        return DECODER_NO_MEMORY;
    return refuse(DECODER_DAMAGED, problem, size, ZSTD_getErrorName(result));
}

static enum decoder_state run_zstd(struct decoder *decoder, ZSTD_inBuffer *in, ZSTD_outBuffer *out,
                                   char *problem, size_t size)
{
    const unsigned char *bytes = in->src;
    while (!decoder->header_known) {
        bool is_frame = false;
        uint64_t window;
        if (find_window(decoder->header, decoder->header_length, &is_frame, &window)) {
            if (!is_frame)
                return refuse(DECODER_DAMAGED, problem, size, "a frame has no magic number");
            if (window > UINT64_C(1) << ZSTD_WINDOW_LOG)
                return refuse(DECODER_TOO_LARGE, problem, size,
                              "a zstd window of more than 128 MiB");
            decoder->header_known = true;
        } else if (in->pos == in->size) {
            return DECODER_MORE;
        } else {
            decoder->header[decoder->header_length++] = bytes[in->pos++];
        }
    }
    if (decoder->header_used < decoder->header_length) {
        ZSTD_inBuffer header = {decoder->header, decoder->header_length, decoder->header_used};
        enum decoder_state state = decompress_frame(decoder->as.zstd, &header, out, problem, size);
        decoder->header_used = header.pos;
        if (state != DECODER_MORE || decoder->header_used < decoder->header_length)
            return state;
    }
    return decompress_frame(decoder->as.zstd, in, out, problem, size);
}

static unsigned least(size_t one, unsigned other)
{
    return one < other ? (unsigned)one : other;
}

enum decoder_state decoder_run(struct decoder *decoder, const unsigned char *in, size_t in_length,
                               size_t *used, unsigned char *out, size_t out_length, size_t *made,
                               char *problem, size_t problem_size)
{
    enum decoder_state state = DECODER_DAMAGED;
    *used = *made = 0;
    switch (decoder->form) {
    case COMPRESSION_GZIP: {
        z_stream *gzip = &decoder->as.gzip;
        unsigned given = least(in_length, UINT_MAX), room = least(out_length, UINT_MAX);
        gzip->next_in = (Bytef *)(uintptr_t)in; /* zlib's field is not const; it writes nothing */
        gzip->avail_in = given;
        gzip->next_out = out;
        gzip->avail_out = room;
        state = run_gzip(gzip, problem, problem_size);
        *used = given - gzip->avail_in;
        *made = room - gzip->avail_out;
        break;
    }
    case COMPRESSION_BZIP2: {
        bz_stream *bzip2 = &decoder->as.bzip2;
        unsigned given = least(in_length, UINT_MAX), room = least(out_length, UINT_MAX);
        bzip2->next_in = (char *)(uintptr_t)in; /* as zlib's */
        bzip2->avail_in = given;
        bzip2->next_out = (char *)out;
        bzip2->avail_out = room;
        state = run_bzip2(bzip2, problem, problem_size);
        *used = given - bzip2->avail_in;
        *made = room - bzip2->avail_out;
        break;
    }
    case COMPRESSION_XZ: {
        lzma_stream *xz = &decoder->as.xz;
        xz->next_in = in;
        xz->avail_in = in_length;
        xz->next_out = out;
        xz->avail_out = out_length;
        state = run_xz(xz, problem, problem_size);
        *used = in_length - xz->avail_in;
        *made = out_length - xz->avail_out;
        break;
    }
    case COMPRESSION_ZSTD: {
        ZSTD_inBuffer given = {in, in_length, 0};
        ZSTD_outBuffer room = {out, out_length, 0};
        state = run_zstd(decoder, &given, &room, problem, problem_size);
        *used = given.pos;
        *made = room.pos;
        break;
    }
    case COMPRESSION_UNDECIDED:
    case COMPRESSION_NONE:
        break;
    }
    return state;
}
