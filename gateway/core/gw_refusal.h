/* gw_refusal.h - why a message of a node, or a node itself, was not taken: the kinds that are
 * counted. Pure. */
#ifndef GW_REFUSAL_H
#define GW_REFUSAL_H

/* Messages. */
#define GW_REFUSAL_MAP(X)                                                                          \
    X(GARBLED, "garbled")     /* not of the protocol's form */                                     \
    X(OVERSIZED, "oversized") /* over the limit of its kind */                                     \
    X(SESSION, "session")     /* of no session that is open */                                     \
    X(FORGED, "forged")       /* of another's session, key, connection or lease */                 \
    X(REPLAYED, "replayed")   /* said before */                                                    \
    X(STALE, "stale")         /* about a lease that is not open any more */

enum gw_refusal {
#define GW_REFUSAL_ENUM(name, text) GW_REFUSAL_##name,
    GW_REFUSAL_MAP(GW_REFUSAL_ENUM)
#undef GW_REFUSAL_ENUM
        GW_REFUSAL_COUNT
};

/* Nodes. */
#define GW_NODE_REFUSAL_MAP(X)                                                                     \
    X(KEY, "key")           /* its key is not in the list of those allowed */                      \
    X(NAME, "name")         /* its name is another's */                                            \
    X(PROTOCOL, "protocol") /* no version in common */                                             \
    X(HELLO, "hello")       /* what it announces is not possible, or there is no room for it */

enum gw_node_refusal {
#define GW_NODE_REFUSAL_ENUM(name, text) GW_NODE_REFUSAL_##name,
    GW_NODE_REFUSAL_MAP(GW_NODE_REFUSAL_ENUM)
#undef GW_NODE_REFUSAL_ENUM
        GW_NODE_REFUSAL_COUNT
};

#endif
