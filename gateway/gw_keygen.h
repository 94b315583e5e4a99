/* gw_keygen.h - `sluice-gateway keygen`: a pair of keys for a gateway or for a node, in two files. */
#ifndef GW_KEYGEN_H
#define GW_KEYGEN_H

/* argv[0] is "keygen". Prints the public key and the names of the files; the secret key goes to its
 * file alone. Returns the exit code: 0 made, 1 could not be made, 2 wrong usage. */
int gw_keygen(int argc, char **argv);

#endif
