"""What is believed about caches: the sentences of 7.2."""

from __future__ import annotations

from pslab.grade import Misconception

_SENTENCES = {
    "7/hit-refreshes-nothing": "A hit leaves the id where it was, so that the oldest arrival goes, which is FIFO; "
    "in LRU each use makes an id the most recent one.",
    "7/eviction-before-use": "You make room before you look; an id that is held needs no room, and may be the very "
    "one that you evict.",
    "7/one-row-less": "The cache holds one row less than its capacity; evict when it is full and something new "
    "comes, not before.",
    "7/one-row-more": "The cache holds one row more than its capacity; make room before the new id comes in.",
    "7/most-recent-goes": "The id used last goes; what was used a moment ago is the likeliest to be used again.",
    "7/least-frequent-goes": "The id used least often goes, which is LFU; here the one goes whose last use lies "
    "furthest back, however often it was used before.",
    "7/first-come-stays": "A full cache takes in nothing more; the ids that come first need not be those that come "
    "often.",
    "7/emptied-when-full": "A full cache is emptied; one id has to go for one that comes.",
    "7/never-evicts": "Nothing is ever evicted; a cache has room for `capacity` rows and no more.",
    "7/hit-is-a-miss": "You return True for a miss; access tells whether the id was held before.",
    "7/not-the-least-recent": "This is no LRU: an access hits exactly when fewer than `capacity` other ids have "
    "been used since the id was used last.",
    "7/order-backwards": "order() is the wrong way round; the next to go stands first, the id used last at the end.",
    "7/order-of-the-cache": "order() does not list what is held by its last use; hits count as uses, too.",
    "7/batch-not-pinned": "A batch evicts an id that it needs itself; all its rows are used at the same time, so "
    "only ids that the batch does not name may go.",
    "7/batch-loads-twice": "An id that comes twice in a batch is loaded twice; once is enough for all its places.",
    "7/batch-refreshes-nothing": "An id of the batch that was held already stays as old as it was; being used in a "
    "batch is a use.",
    "7/batch-by-first-place": "Ids of a batch are as recent as their last place in it; you took the first.",
    "7/batch-too-large": "A batch with more different ids than the cache has rows cannot be held at once; refuse it "
    "with a ValueError before anything is changed.",
    "7/batch-miscounted": "What the batch loads and evicts does not add up: load what is missing, evict the least "
    "recent that it does not need, and no more than there must be.",
    "7/compulsory-fills-the-cache": "You counted as compulsory only what fills the cache; the first sight of any id "
    "is a miss that no cache avoids, also later.",
    "7/every-miss-compulsory": "You counted every miss as compulsory; a miss of an id that was held before would be "
    "a hit in a larger cache.",
    "7/split-exchanged": "You exchanged the two; compulsory is the first sight of an id, capacity is what a larger "
    "cache would have kept.",
    "7/hits-among-misses": "You counted hits among the misses.",
    "7/misses-miscounted": "Compulsory misses are as many as there are different ids; the capacity misses are all "
    "other misses of LRU.",
    "7/oracle-looks-back": "Your oracle looks backwards: evicting what was used least recently is LRU; the oracle "
    "knows the future and evicts what is needed again last.",
    "7/top-k-is-the-oracle": "You took the most frequent ids as the oracle; they are held from the start, without a "
    "miss when they are first seen, and for ever, which is no bound for a cache that may change.",
    "7/soonest-goes": "Your oracle evicts the id that is needed again first, which is the one to keep.",
    "7/fewest-to-come": "Your oracle evicts the id with the fewest uses to come; what counts is when the next one "
    "comes.",
    "7/oracle-may-refuse": "Your oracle lets some ids pass by without taking them in; here every missed id comes "
    "into the cache, for the row has to lie somewhere while it is used.",
    "7/oracle-counts-misses": "You counted misses; asked for are hits.",
    "7/not-the-oracle": "This is not the largest number of hits: at a miss with a full cache evict the id whose "
    "next use lies furthest ahead, one that never comes again before all others.",
}

MISCONCEPTIONS = tuple(Misconception(*item) for item in _SENTENCES.items())
