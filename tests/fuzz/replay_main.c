/* replay_main.c - runs a fuzz target over files, for builds without libFuzzer: every file named on
 * the command line and every file in a folder named there. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_BYTES_MAX = 16 << 20 };

static void fail(const char *path, const char *why)
{
    fprintf(stderr, "%s: %s\n", path, why);
    exit(1);
}

static void replay_file(const char *path, long size)
{
    if (size > INPUT_BYTES_MAX)
        fail(path, "larger than 16 MiB");
    FILE *f = fopen(path, "rb");
    if (!f)
        fail(path, strerror(errno));
    /* Exactly as large as the input, so that valgrind and ASan see a read past its end. */
    uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
    if (!data || fread(data, 1, (size_t)size, f) != (size_t)size)
        fail(path, "cannot be read");
    fclose(f);
    LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
}

static unsigned replay_path(const char *path);

static unsigned replay_folder(const char *folder)
{
    unsigned count = 0;
    DIR *d = opendir(folder);
    if (!d)
        fail(folder, strerror(errno));
    const struct dirent *entry;
    while ((entry = readdir(d))) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        if (snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) >= (int)sizeof(path))
            fail(folder, "path too long");
        count += replay_path(path);
    }
    closedir(d);
    return count;
}

static unsigned replay_path(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        fail(path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return replay_folder(path);
    replay_file(path, (long)st.st_size);
    return 1;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++)
        count += replay_path(argv[i]);
    printf("%u inputs\n", count);
    if (count == 0)
        fail("replay", "no inputs: name files or folders");
    return 0;
}
