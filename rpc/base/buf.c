/* buf.c - reference-counted bytes.
 *
 * Invariant: whoever holds a reference may read the data; only the maker, before sharing it, may
 * write. The last release happens after every other holder's last look (release/acquire on refs).
 */
#include "buf.h"

#include "alloc.h"

struct stint__buf *stint__buf_new(size_t size)
{
    if (size > SIZE_MAX - sizeof(struct stint__buf))
        return NULL;
    struct stint__buf *b = stint__alloc(sizeof *b + size);
    if (b == NULL)
        return NULL;
    atomic_init(&b->refs, 1);
    b->size = size;
    return b;
}

struct stint__buf *stint__buf_ref(struct stint__buf *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void stint__buf_unref(struct stint__buf *b)
{
    if (b != NULL && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
        stint__free(b);
}
