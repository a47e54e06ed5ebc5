/* standalone.c - runs a fuzz target once over each file of a folder, where there is no libFuzzer.
 *
 * standalone [-OPTION...] FOLDER: libFuzzer's options are accepted and do nothing. */
#include <dirent.h>
#include <string.h>

#include "fuzz.h"

#define INPUT_MAX ((size_t)1 << 20)

static void run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        perror(path);
        abort();
    }
    uint8_t *bytes = malloc(INPUT_MAX);
    CHECK(bytes != NULL);
    size_t size = fread(bytes, 1, INPUT_MAX, f);
    fclose(f);
    /* In a block of its own size, so that a sanitizer sees a read past it. */
    uint8_t *input = malloc(size > 0 ? size : 1);
    CHECK(input != NULL);
    memcpy(input, bytes, size);
    free(bytes);
    LLVMFuzzerTestOneInput(input, size);
    free(input);
}

static unsigned run_folder(const char *folder)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, alphasort);
    if (n < 0) {
        perror(folder);
        abort();
    }
    unsigned ran = 0;
    for (int i = 0; i < n; i++) {
        if (entries[i]->d_name[0] != '.') {
            char path[4096];
            snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
            run_file(path);
            ran++;
        }
        free(entries[i]);
    }
    free(entries);
    return ran;
}

int main(int argc, char **argv)
{
    unsigned ran = 0;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-')
            ran += run_folder(argv[i]);
    }
    printf("%u inputs\n", ran);
    return ran > 0 ? 0 : 1;
}
