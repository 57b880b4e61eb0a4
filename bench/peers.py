"""How other programs put items into stories: their rules in our words, for comparison only. Pure.

Each rule takes rows of an archive (source, published, title, summary …) and returns one group number a row.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import combinations
from typing import Any

import numpy as np
import Stemmer
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

Row = dict[str, Any]
Groups = list[int]

_TAG = re.compile(r"<[^>]*>")
_WORD = re.compile(r"[^\W_]+")
DAY = 24 * 3600


def alone(rows: Sequence[Row]) -> Groups:
    """Nothing grouped: what every figure has to be compared with."""
    return list(range(len(rows)))


# --- JARR ---------------------------------------------------------------------------------------------------------------

JARR_LEAST_SCORE, JARR_LEAST_NEIGHBOURS, JARR_DAYS = 0.75, 10, 20


def jarr(rows: Sequence[Row]) -> Groups:
    """An item joins the cluster of the item most like it, when the TF-IDF cosine of their stemmed words exceeds .75.

    Weights are (occurrences / length) * log10(N / (1 + df)); candidates are the items of the twenty days before, at least ten
    of them. From the settings and the grouper of JARR (github.com/jaesivsm/JARR: jarr/controllers/cluster.py,
    jarr/lib/clustering_af); there df is counted anew among each item's candidates, here once over all rows.
    """
    order = sorted(range(len(rows)), key=lambda place: (rows[place]["published"], rows[place]["link"]))
    vectors = _tf_idf([f"{rows[place]['title']} {_TAG.sub(' ', rows[place]['summary'] or '')}" for place in order])
    times = np.array([_seconds(rows[place]) for place in order])
    group = list(range(len(rows)))
    for start in range(0, len(order), 256):
        likeness = (vectors[start : start + 256] @ vectors.T).toarray()
        for offset, row in enumerate(likeness):
            place = start + offset
            first = int(np.searchsorted(times, times[place] - JARR_DAYS * DAY))
            if place - first >= JARR_LEAST_NEIGHBOURS:
                best = first + int(row[first:place].argmax())
                if row[best] > JARR_LEAST_SCORE:
                    group[order[place]] = group[order[best]]
    return group


def _tf_idf(texts: Sequence[str]) -> csr_matrix:
    stemmer = Stemmer.Stemmer("english")

    def words(text: str) -> list[str]:
        return stemmer.stemWords([word for word in _WORD.findall(text.lower()) if word not in ENGLISH_STOP_WORDS])

    counts = CountVectorizer(analyzer=words, dtype=np.float64).fit_transform(texts)
    idf = np.log10(counts.shape[0] / (1 + np.bincount(counts.indices, minlength=counts.shape[1])))
    weights = counts.multiply(np.maximum(idf, 0)).tocsr()  # an item's length cancels in the cosine
    norms = np.sqrt(np.asarray(weights.multiply(weights).sum(axis=1)).ravel())
    return weights.multiply(1 / np.where(norms > 0, norms, 1)[:, None]).tocsr()


# --- NewsBlur -----------------------------------------------------------------------------------------------------------

NEWSBLUR_HOURS = 120


def newsblur(rows: Sequence[Row]) -> Groups:
    """Items of different feeds with the same title, or titles that share at least three words and .6 of the shorter's; single link.

    Titles in small letters without punctuation, of ten characters or more; words without stop words, digits and plural s, at
    least five a title; within 120 hours. From NewsBlur (github.com/samuelclay/NewsBlur: apps/clustering/models.py), its title
    tiers with another list of stop words. Left out, in its favour: a cluster's cap of ten items and passing over words of more
    than fifty titles (with both it scores .864 / .292 here); nor is its further search in Elasticsearch done.
    """
    titles = [_normal(row["title"]) for row in rows]
    words = [_significant(title) if len(title) >= 10 else frozenset() for title in titles]
    parent = list(range(len(rows)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for one, other in _candidates(titles, words):
        a, b = words[one], words[other]
        apart = abs(_seconds(rows[one]) - _seconds(rows[other]))
        if rows[one]["source"] == rows[other]["source"] or apart > NEWSBLUR_HOURS * 3600:
            continue
        shared = len(a & b)
        if titles[one] == titles[other] or (min(len(a), len(b)) >= 5 and shared >= max(3, 0.6 * min(len(a), len(b)))):
            parent[root(other)] = root(one)
    return [root(place) for place in range(len(rows))]


def _candidates(titles: Sequence[str], words: Sequence[frozenset[str]]) -> Iterator[tuple[int, int]]:
    """Pairs that share a title or a significant word."""
    by_title: dict[str, list[int]] = defaultdict(list)
    by_word: dict[str, list[int]] = defaultdict(list)
    for place, (title, found) in enumerate(zip(titles, words, strict=True)):
        if len(title) >= 10:
            by_title[title].append(place)
        for word in found:
            by_word[word].append(place)
    yield from sorted({pair for places in (*by_title.values(), *by_word.values()) for pair in combinations(places, 2)})


def _normal(title: str) -> str:
    return " ".join(re.sub(r"[^\w\s]", "", re.sub("[-/]", " ", title.lower())).split())


def _significant(title: str) -> frozenset[str]:
    kept = [word for word in title.split() if word not in ENGLISH_STOP_WORDS and len(word) > 1 and not word.isdigit()]
    return frozenset(word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in kept)


# --- sentence embeddings ------------------------------------------------------------------------------------------------

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_CUTS = (0.35, 0.4, 0.45, 0.5, 0.55, 0.6)


def minilm(rows: Sequence[Row]) -> dict[float, Groups]:
    """Average linkage of MiniLM embeddings of title and summary, in one batch, by the cosine distance at which it is cut.

    Raises ImportError without sentence_transformers, OSError when the model is neither stored nor reachable.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from sentence_transformers import SentenceTransformer

    texts = [f"{row['title']}. {_TAG.sub(' ', row['summary'] or '')[:500]}" for row in rows]
    vectors = SentenceTransformer(MINILM, device="cpu").encode(texts, normalize_embeddings=True)
    tree = linkage(vectors, "average", "cosine")
    return {cut: fcluster(tree, cut, "distance").tolist() for cut in MINILM_CUTS}


def _seconds(row: Row) -> float:
    return datetime.fromisoformat(row["published"]).timestamp()
