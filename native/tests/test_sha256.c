/* SHA-256: the vectors of FIPS 180-4 and NIST's, and every border of its blocks. */
#include "sha256.h"
#include "test.h"

static void sum_is(const char *text, const char *wanted)
{
    char hex[LE_SHA256_HEX];
    le_sha256_hex(text, strlen(text), hex);
    CHECK_TEXT(hex, wanted);
}

static void the_standard_s_vectors(void)
{
    sum_is("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sum_is("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sum_is("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
           "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    sum_is(
        "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlm"
        "nopqrsmnopqrstnopqrstu",
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
}

static void a_million_letters(void)
{
    struct le_sha256 sum;
    char hex[LE_SHA256_HEX], letters[1000];
    memset(letters, 'a', sizeof letters);
    le_sha256_begin(&sum);
    for (int i = 0; i < 1000; i++)
        le_sha256_add(&sum, letters, sizeof letters);
    le_sha256_end(&sum, hex);
    CHECK_TEXT(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* The sum of the sums of "", "a", "aa", … up to 299 letters, as Python's hashlib gives it. */
static void every_length_in_every_cut(void)
{
    char letters[300], hex[LE_SHA256_HEX], cut[LE_SHA256_HEX];
    struct le_sha256 all;
    memset(letters, 'a', sizeof letters);
    le_sha256_begin(&all);
    for (size_t length = 0; length < sizeof letters; length++) {
        le_sha256_hex(letters, length, hex);
        le_sha256_add(&all, hex, 64);
        size_t first = below((unsigned)length + 1);
        struct le_sha256 sum;
        le_sha256_begin(&sum);
        le_sha256_add(&sum, letters, first);
        le_sha256_add(&sum, letters, length - first);
        le_sha256_end(&sum, cut);
        CHECK_TEXT(cut, hex);
    }
    le_sha256_end(&all, hex);
    CHECK_TEXT(hex, "dd21bb91165542678c760dec417a174580c2006e5105a25e373c77dd466cdf00");
}

int main(void)
{
    the_standard_s_vectors();
    a_million_letters();
    every_length_in_every_cut();
    return failures != 0;
}
