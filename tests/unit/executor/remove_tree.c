/* remove_tree.c - a directory and everything in it, gone. */
#include "remove_tree.h"

#include <ftw.h>
#include <stdio.h>

enum { OPEN_DIRECTORIES_MAX = 16 };

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st;
    (void)kind;
    (void)place;
    return remove(path);
}

int remove_tree(const char *dir)
{
    return nftw(dir, remove_one, OPEN_DIRECTORIES_MAX, FTW_DEPTH | FTW_PHYS);
}
