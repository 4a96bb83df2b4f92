// Five choices that are easily made wrong. Without -D PLANT they are right; each PLANT makes one wrong, for docs/find_the_bug.md,
// where a reader finds it from outside. Reading on spoils the search.
#ifndef PLANT
#define PLANT 0
#endif

// Where the state of key channel i and value channel j lies.
#if PLANT == 1
#define AT(i, j) ((j) * N + (i))
#else
#define AT(i, j) ((i) * N + (j))
#endif

// Which state a token reads: as the token before left it, decayed, or with its own key and value in it.
#if PLANT == 2
#define READ(before, decayed, after) (after)
#elif PLANT == 3
#define READ(before, decayed, after) (decayed)
#else
#define READ(before, decayed, after) (before)
#endif

// Whose bonus u head h uses.
#if PLANT == 4
#define BONUS_OF(h) 0
#else
#define BONUS_OF(h) (h)
#endif

// How many of C keys the query at a position sees: those up to its own.
#if PLANT == 5
#define SEEN(position, C) min((position) + 2, (C))
#else
#define SEEN(position, C) ((position) + 1)
#endif
