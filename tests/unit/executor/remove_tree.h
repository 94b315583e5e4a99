/* remove_tree.h - takes away what a test made under /tmp. */
#ifndef REMOVE_TREE_H
#define REMOVE_TREE_H

/* Removes the directory and everything in it; links are removed, not followed. 0, or -1. */
int remove_tree(const char *dir);

#endif
