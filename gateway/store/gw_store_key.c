#include "gw_store_key.h"

#include "sl_hash.h"

/* SQLite keeps integers of up to 48 bits in six bytes. */
enum { KEY_BITS = 47 };

int64_t gw_store_key(uint64_t store_id, enum gw_store_key_kind kind, struct sl_span name)
{
    const struct sl_hash_seed seed = {.low = store_id, .high = (uint64_t)kind};
    return (int64_t)(sl_hash_bytes(seed, name) >> (64 - KEY_BITS));
}
