/* seeds.c - writes the corpora's first files: seeds FOLDER, where FOLDER is tests/fuzz/corpus.
 *
 * To be run when the formats change; what fuzzing finds is added to the same folders by hand. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "bytes.h"
#include "fuzz.h"
#include "samples.h"
#include "sp.h"

/* The input chooses a configuration by its first byte, if it has one. */
#define NO_CHOICE (-1)

static const char *corpus;

static void write_seed(const char *target, const char *name, int choice, struct bytes b)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", corpus, target);
    (void)mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%s", corpus, target, name);
    FILE *f = fopen(path, "wb");
    if (f == NULL)
        perror(path);
    CHECK(f != NULL);
    if (choice != NO_CHOICE)
        fputc(choice, f);
    CHECK(fwrite(b.data, 1, b.len, f) == b.len);
    CHECK(fclose(f) == 0);
    bytes_free(&b);
}

/* A reply whose ledger is these bytes, which it frees. */
static struct bytes reply_with(struct bytes ledger)
{
    struct bytes b = {0};
    bytes_put_uint(&b, 1, 2);
    bytes_put_field(&b, 27, ledger.data, ledger.len);
    bytes_free(&ledger);
    return b;
}

static void write_ledgers(void)
{
    struct bytes deep = {0};
    for (unsigned depth = 0; depth < 66; depth++) {
        uint8_t entry[] = {1 << 3, (uint8_t)depth};
        bytes_put_field(&deep, 1, entry, sizeof entry);
    }
    write_seed("envelope", "ledger-too-deep", NO_CHOICE, reply_with(deep));
    struct bytes orphan = sample_ledger();
    bytes_put_field(&orphan, 1, "\x08\x07", 2);
    write_seed("envelope", "ledger-orphan", NO_CHOICE, reply_with(orphan));
    write_seed("envelope", "ledger-empty", NO_CHOICE, reply_with((struct bytes){0}));
}

static void write_envelopes(void)
{
    write_seed("envelope", "every-field", NO_CHOICE, sample_frame());
    struct bytes unknown = {0};
    bytes_put_uint(&unknown, 1, 3);
    bytes_put_text(&unknown, 30, "of a later version");
    bytes_put_uint(&unknown, 536870911, UINT64_MAX);
    write_seed("envelope", "unknown-fields", NO_CHOICE, unknown);
    struct bytes reversed = {0};
    bytes_put_uint(&reversed, 20, 99);
    bytes_put_text(&reversed, 16, "\x12\x01v\x0a\x01k");
    bytes_put_uint(&reversed, 5, UINT64_MAX);
    bytes_put_uint(&reversed, 1, 0);
    bytes_put_text(&reversed, 100, "");
    write_seed("envelope", "any-order", NO_CHOICE, reversed);
    struct bytes many = {0};
    for (int i = 0; i < 64; i++)
        bytes_put_text(&many, 16, "\x0a\x01k");
    write_seed("envelope", "64-metadata-entries", NO_CHOICE, many);
    write_ledgers();
    struct bytes late = {0};
    bytes_put_text(&late, 100, "payload");
    bytes_put_uint(&late, 1, 1);
    write_seed("envelope", "payload-not-last", NO_CHOICE, late);
}

static void put_frame(struct bytes *b, bool ipc, unsigned words, const char *body)
{
    uint8_t head[STINT__SP_FRAME_HEAD_MAX];
    size_t len = (size_t)4 * words + strlen(body);
    bytes_put(b, head, stint__sp_frame_head(ipc, len, head));
    for (unsigned i = 1; i < words; i++)
        bytes_put(b, "\0\0\0\1", 4);
    if (words > 0)
        bytes_put(b, stint__sp_stack_of(7).bytes, 4);
    bytes_put(b, body, strlen(body));
}

static void write_streams(void)
{
    for (int ipc = 0; ipc < 2; ipc++) {
        struct bytes b = {0};
        put_frame(&b, ipc != 0, 1, "body");
        put_frame(&b, ipc != 0, 0, "");
        put_frame(&b, ipc != 0, 3, "");
        write_seed("sp", ipc != 0 ? "ipc" : "tcp", ipc | 3 << 2, b);
    }
    struct bytes deep = {0};
    put_frame(&deep, false, STINT__SP_STACK_WORDS, "body");
    put_frame(&deep, false, STINT__SP_STACK_WORDS + 1, "body");
    write_seed("sp", "deep-stacks", 0, deep);
    struct bytes large = {0};
    uint8_t head[STINT__SP_FRAME_HEAD_MAX];
    put_frame(&large, true, 1, "");
    bytes_put(&large, head, stint__sp_frame_head(true, 65, head));
    write_seed("sp", "too-large", 3, large);
    uint8_t hello[STINT__SP_HANDSHAKE_SIZE];
    struct bytes handshake = {0};
    stint__sp_handshake_encode(STINT__SP_REP, hello);
    bytes_put(&handshake, hello, sizeof hello);
    write_seed("sp", "handshake", 0, handshake);
}

static void write_messages(void)
{
    enum { TREE2 = 15 << 1, TREE3 = 15 << 1 | 1, LITTLE_MEMORY = 1 << 1 };
    write_seed("message", "every-field", TREE2, sample_tree());
    write_seed("message", "little-memory", LITTLE_MEMORY, sample_tree());
    write_seed("message", "100-levels", TREE2, bytes_nested(CHILD, 100));
    write_seed("message", "101-levels", TREE2, bytes_nested(CHILDREN, 101));
    struct bytes merged = {0};
    bytes_put_field(&merged, MERGED, "\x0a\x02\x01\x02", 4);
    bytes_put_field(&merged, MERGED, "\x0a\x01\x03", 3);
    write_seed("message", "merged", TREE2, merged);
    struct bytes proto3 = {0};
    bytes_put_text(&proto3, 1, "text");
    bytes_put_text(&proto3, 3, "\x22\x01r");
    bytes_put_uint(&proto3, 5, 300);
    bytes_put_text(&proto3, 6, "\x0a\x01k\x12\x01v");
    write_seed("message", "proto3", TREE3, proto3);
    struct bytes text = {0};
    bytes_put_field(&text, TEXT, "a\0b", 3);
    write_seed("message", "nul-in-text", TREE2, text);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    corpus = argv[1];
    (void)mkdir(corpus, 0777);
    write_envelopes();
    write_streams();
    write_messages();
    return 0;
}
