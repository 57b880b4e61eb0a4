"""Learns from the last days' items which sagas there are: groups of words that keep company over days. Pure.

    items as units | weigh | project | anchors | average linkage | the items of each group | trust  -> Saga

A *unit* is a stem, or a bigram of two capitalised words ("suprem court"). A unit space weighs units by their rarity in the history
and projects them on the ninety strongest directions of its stories (latent semantic analysis), so that stories that share a world but no
word are near. Knows nothing of topics' identity over days: that is topics.py.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aggregator.stories.names import Capitals, spelled_inside
from aggregator.stories.text import ItemWords

Units = tuple[tuple[str, float], ...]
"""Pairs of unit and 1 + ln(occurrences, those in the title twice)."""
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SagaParams:
    """How sagas are learned. Counts are of items; the cuts were set on the December 2023 stream (labels of 26-27 December)."""

    directions: int = 90
    """Dimensions of the projection: 90 to 110 score alike, 60 and 150 worse."""
    rarity_power: float = 2.5
    """Exponent of the rarity in what the projection is learned from: names then lead it, not the vocabulary of sections."""
    anchor_items: int = 8
    anchor_share: float = 0.06
    """A unit in more of the items than this is no anchor."""
    anchor_days: int = 3
    anchor_feeds: int = 4
    anchors: int = 4000
    cut: float = 0.45
    """Average similarity that anchors of one saga keep."""
    member_score: float = 2.5
    """Evidence (sum of -ln(1 - p)) from which an item of the history counts as the saga's: about one certain word."""
    saga_items: int = 8
    largest_share: float = 0.15
    """A group with more of the items than this is a section of the paper, no saga."""
    trust: float = 1.2
    """Least coherence across days and feeds times the square root of the items: above it most groups were sagas, below sections."""


class Documents:
    """Documents as rows of numbered units, a tenth of what they take as tuples: of a month of news those are 300 MB.

    `names[i]` is the unit that has number i; the numbers of row r and what they weigh in it stand at `ends[r]` to `ends[r + 1]`.
    """

    def __init__(self, names: list[str], capitals: Capitals | None = None) -> None:
        self.names, self.capitals = names, capitals or Capitals()
        self.numbers, self.weights, self.ends = array("i"), array("d"), array("q", [0])

    def __len__(self) -> int:
        return len(self.ends) - 1

    def append(self, numbers: Iterable[int], weights: Iterable[float]) -> None:
        self.numbers.extend(numbers)
        self.weights.extend(weights)
        self.ends.append(len(self.numbers))

    def row(self, place: int) -> tuple[Sequence[int], Sequence[float]]:
        part = slice(self.ends[place], self.ends[place + 1])
        return self.numbers[part], self.weights[part]

    def empty(self) -> Documents:
        """No documents, of the same units."""
        return Documents(self.names, self.capitals)

    def take(self, places: Iterable[int]) -> Documents:
        """Some of the rows, in that order."""
        found = self.empty()
        for place in places:
            found.append(*self.row(place))
        return found


class Numbering:
    """Numbers units as they come, and appends their documents."""

    def __init__(self) -> None:
        self.documents = Documents([])
        self._numbers: dict[str, int] = {}

    def append(self, words: ItemWords) -> None:
        units = units_of(words)
        self.documents.append([self._number(unit) for unit, _ in units], [weight for _, weight in units])
        if not words.round_up:
            inside = spelled_inside(words.summary_words, words.summary_stems)
            # what has no capitals (digits, Han, Arabic) may be a name
            cased = [(stem, word[0].isupper()) for stem, word in inside if word[0].upper() != word[0].lower()]
            self.documents.capitals.note([self._numbers[stem] for stem, _ in cased], [capital for _, capital in cased])

    def _number(self, unit: str) -> int:
        number = self._numbers.get(unit)
        if number is None:
            number = self._numbers[unit] = len(self._numbers)
            self.documents.names.append(unit)
        return number


def numbered(items: Iterable[ItemWords]) -> Documents:
    numbering = Numbering()
    for words in items:
        numbering.append(words)
    return numbering.documents


@dataclass(frozen=True, slots=True)
class Saga:
    """`profile`: the saga's strongest units with their weight in its centroid, the strongest 1. `members`: indices of its records."""

    profile: Mapping[str, float]
    closeness: float
    """The nearness to the centroid that 65 % of its own items reach (0-2: words plus projection)."""
    members: tuple[int, ...] = field(default=(), repr=False)


PROFILE_UNITS = 120


def units_of(words: ItemWords) -> Units:
    """The units of an item: stems and bigrams of capitalised words. Of a round-up the headline's: its text is about all and sundry,
    but "War in …: list of key events" says what it belongs to."""
    counts: Counter[str] = Counter(words.headline_counts if words.round_up else words.counts)
    counts.update(_bigrams(words.title_words, words.title_stems))
    if not words.round_up:
        counts.update(_bigrams(words.summary_words, words.summary_stems))
    return tuple((unit, 1.0 + math.log(n)) for unit, n in counts.items())


def _bigrams(words: Sequence[str], stems: Sequence[str]) -> list[str]:
    return [
        f"{stems[i]} {stems[i + 1]}"
        for i in range(len(words) - 1)
        if stems[i] and stems[i + 1] and words[i][0].isupper() and words[i + 1][0].isupper()
    ]


class UnitSpace:
    """A vocabulary with rarities, and its projection. Learned attributes end in `_`; fit once, then only read."""

    def __init__(self, directions: int = 90, rarity_power: float = 1.0) -> None:
        self.directions = directions
        self.rarity_power = rarity_power

    def fit(self, documents: Documents, least: int = 4) -> UnitSpace:
        """Learn rarities from all units and the projection from those in `least` documents or more.

        Documents are stories: as items, what many feeds copy from an agency would make a direction of its own.
        """
        counts = np.bincount(np.asarray(documents.numbers), minlength=len(documents.names))
        self.documents_ = len(documents)
        least = min(least, 1 + len(documents) // 200)
        known = sorted((documents.names[number], number) for number in np.flatnonzero(counts >= least).tolist())
        self.index_ = {unit: i for i, (unit, _) in enumerate(known)}
        self.rarity_ = np.array([self._rarity(int(counts[number])) for _, number in known], dtype=np.float32)
        self.basis_ = None
        size = min(self.directions, len(documents) // 8, len(self.index_) - 1)
        self.names_ = list(self.index_)
        self.proper_ = _proper(documents)[[number for _, number in known]]
        if size >= 8:
            from sklearn.decomposition import TruncatedSVD

            matrix = self.matrix(documents)
            more = self.rarity_ ** (self.rarity_power - 1)
            matrix.data *= more[matrix.indices]
            scale_rows(matrix)
            basis = TruncatedSVD(size, n_iter=3, random_state=0).fit(matrix).components_.T
            self.basis_ = np.asarray(basis * more[:, None], dtype=np.float32)
        return self

    def weight_of_names(self, total: NDArray[Any]) -> float:
        """What the three strongest names of a centroid weigh together, its strongest unit 1 (0 to 3)."""
        leading = np.argsort(-total, kind="stable")[:_LEADING]
        names = np.sort(total[leading] * (self.proper_[leading] >= _PROPER))[-3:]
        return float(names.sum()) / max(float(total[leading[0]]), 1e-9) if len(leading) else 0.0

    def _rarity(self, count: int) -> float:
        return math.log((self.documents_ + 1) / (count + 0.5))

    def matrix(self, documents: Documents) -> Any:
        """CSR matrix of documents x known units, rows of length 1 (0 where nothing is known)."""
        column = np.array([self.index_.get(unit, -1) for unit in documents.names], dtype=np.int32)
        numbers = np.asarray(documents.numbers)
        return self._weighed(column[numbers] if len(column) else numbers, documents.weights, documents.ends)

    def vectors(self, documents: Iterable[Units]) -> Any:
        """As `matrix`, of documents that are seen only once."""
        found, known = Documents([]), self.index_.get
        for units in documents:
            found.append([known(unit, -1) for unit, _ in units], [weight for _, weight in units])
        return self._weighed(np.asarray(found.numbers), found.weights, found.ends)

    def _weighed(self, columns: NDArray[np.int32], weights: Sequence[float], ends: Sequence[int]) -> Any:
        """The matrix of these columns (-1: not known) and weights, row after row."""
        from scipy.sparse import csr_matrix

        here = columns >= 0
        starts = np.concatenate(([0], np.cumsum(here)))[np.asarray(ends)]
        values = np.asarray(weights)[here].astype(np.float32)
        matrix = csr_matrix((values, columns[here], starts), shape=(len(starts) - 1, len(self.index_)))
        matrix.data *= self.rarity_[matrix.indices]
        return scale_rows(matrix)

    def soft(self, matrix: Any) -> Floats:
        """The projection of vectors, rows of length 1; no columns when the history was too small for one."""
        if self.basis_ is None:
            return np.zeros((matrix.shape[0], 0), dtype=np.float32)
        return unit_rows(np.asarray(matrix @ self.basis_, dtype=np.float32))


_LEADING = 15
"""Units of a centroid that say what it is about."""
_PROPER = 0.75
"""Share of capitals from which a unit is a name."""


_ENOUGH = 3
"""Times that a stem must have stood inside a summary before its spelling says anything; till then it counts as a name."""


def _proper(documents: Documents) -> Floats:
    """For each unit how likely it is a name; a bigram as likely as the less likely of its stems."""
    shares = documents.capitals.shares(len(documents.names), _ENOUGH)
    number = {unit: place for place, unit in enumerate(documents.names)}
    for place, unit in enumerate(documents.names):
        if " " in unit:
            shares[place] = min((shares[number[stem]] for stem in unit.split(" ") if stem in number), default=1)
    return shares


def unit_rows(matrix: Floats) -> Floats:
    """Rows scaled to length 1; zero rows stay zero."""
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.asarray(matrix / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def scale_rows(matrix: Any) -> Any:
    """A CSR matrix with its rows scaled in place to length 1; zero rows stay zero."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    lengths = np.sqrt(np.bincount(rows, weights=matrix.data * matrix.data, minlength=matrix.shape[0]))
    matrix.data /= np.where(lengths > 0, lengths, 1.0)[rows]
    return matrix


# --- learning --------------------------------------------------------------------------------------------------------


def learn_sagas(items: Documents, days: Sequence[int], feeds: Sequence[str], space: UnitSpace, params: SagaParams) -> list[Saga]:
    """The sagas of a history, largest first; `space` was fitted on its stories.

    `items`: its items as documents, `days`: the day of each, counted from any origin, `feeds`: the feed of each.
    """
    if space.basis_ is None:
        return []
    matrix = space.matrix(items)
    soft = space.soft(matrix)
    holds = matrix.copy()
    holds.data = np.ones_like(holds.data)
    anchors = _anchors(holds, days, feeds, params)
    if len(anchors) < 2:
        return []
    groups = _group(holds[:, anchors], soft, params.cut)
    best = _owners(holds, anchors, groups, params)
    when, where, names = np.array(days), np.array(feeds), space.names_
    sagas = [_saga(np.flatnonzero(best == group), matrix, soft, when, where, names, params) for group in range(int(groups.max()) + 1)]
    return sorted((saga for saga in sagas if saga is not None), key=lambda saga: (-len(saga.members), saga.members))


def _anchors(holds: Any, days: Sequence[int], feeds: Sequence[str], params: SagaParams) -> NDArray[np.int64]:
    """Columns of the units that could carry a saga: neither rare nor everywhere, on several days, in several feeds."""
    total = np.asarray(holds.sum(axis=0)).ravel()
    likely = np.flatnonzero((total >= params.anchor_items) & (total <= params.anchor_share * len(days)))
    columns = holds[:, likely]
    likely = likely[(_spread(columns, days) >= params.anchor_days) & (_spread(columns, feeds) >= params.anchor_feeds)]
    if len(likely) > params.anchors:
        likely = np.sort(likely[np.argsort(-total[likely], kind="stable")[: params.anchors]])
    return np.asarray(likely, dtype=np.int64)


def _spread(columns: Any, labels: Sequence[Any]) -> NDArray[np.int64]:
    """In how many different labels each column occurs."""
    sums = _indicator(labels) @ columns
    return np.asarray((sums > 0).sum(axis=0)).ravel().astype(np.int64)


def _indicator(labels: Sequence[Any]) -> Any:
    from scipy.sparse import csr_matrix

    codes: dict[Any, int] = {}
    rows = [codes.setdefault(label, len(codes)) for label in labels]
    return csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, range(len(rows)))), shape=(len(codes), len(rows)))


def _group(holds: Any, soft: Floats, cut: float) -> NDArray[np.int64]:
    """Average linkage of anchors by 0.7 x the cosine of their centred mean projections + 0.3 x their association (NPMI)."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    profiles = unit_rows(np.asarray(holds.T @ soft, dtype=np.float32))
    profiles = unit_rows(profiles - profiles.mean(axis=0))
    # in place: with 2,500 anchors each such matrix has 25 MB
    far = profiles @ profiles.T
    far *= 0.7
    far += _npmi(holds, 0.3)
    np.clip(np.subtract(1, far, out=far), 0, None, out=far)
    np.fill_diagonal(far, 0)
    condensed = squareform(far, checks=False)
    del far
    tree = linkage(condensed, "average")
    return np.asarray(fcluster(tree, 1 - cut, "distance") - 1, dtype=np.int64)


def _npmi(holds: Any, share: float) -> Floats:
    """`share` of the normalised pointwise mutual information of columns over rows, negative values 0 (Bouma 2009)."""
    total = np.asarray(holds.sum(axis=0)).ravel()
    pairs = (holds.T @ holds).tocoo()
    together = pairs.data / holds.shape[0]
    expected = total[pairs.row] * total[pairs.col] / holds.shape[0] ** 2
    values = np.maximum(np.log(together / expected) / -np.log(np.minimum(together, 0.999)), 0)
    result = np.zeros((holds.shape[1], holds.shape[1]), dtype=np.float32)
    result[pairs.row, pairs.col] = share * values
    return result


def _owners(holds: Any, anchors: NDArray[np.int64], groups: NDArray[np.int64], params: SagaParams) -> NDArray[np.int64]:
    """For each row the group with the strongest evidence, -1 when it is weaker than `member_score`.

    p(group | unit) = share of the rows with the unit that hold *another* unit of the group; evidence = sum of -ln(1 - p), p >= .25.
    """
    from scipy.sparse import csr_matrix

    size = int(groups.max()) + 1
    ones = np.ones(len(anchors), dtype=np.float32)
    of_group = csr_matrix((ones, (range(len(anchors)), groups)), shape=(len(anchors), size))
    held = holds[:, anchors] @ of_group
    any_of, two_of = held.copy(), held.copy()
    any_of.data = np.ones_like(any_of.data)
    two_of.data = (two_of.data >= 2).astype(np.float32)
    share = (holds.T @ any_of).tocsr()
    both = (holds[:, anchors].T @ two_of).tocsr()
    own = np.asarray(both[np.arange(len(anchors)), groups] - share[anchors, groups]).ravel()
    share = (share + csr_matrix((own, (anchors, groups)), shape=share.shape)).tocsr()
    total = np.maximum(np.asarray(holds.sum(axis=0)).ravel(), 1)
    share.data /= np.repeat(total, np.diff(share.indptr))
    share.data = np.where(share.data >= 0.25, -np.log(1 - np.minimum(share.data, 0.95)), 0).astype(np.float32)
    share.data[np.repeat(total, np.diff(share.indptr)) < 5] = 0
    share.eliminate_zeros()
    evidence = (holds @ share).tocsr()
    return _best_columns(evidence, params.member_score)


def _best_columns(matrix: Any, least: float) -> NDArray[np.int64]:
    best = np.full(matrix.shape[0], -1, dtype=np.int64)
    for row in range(matrix.shape[0]):
        start, end = matrix.indptr[row], matrix.indptr[row + 1]
        if end > start:
            place = start + int(np.argmax(matrix.data[start:end]))
            if matrix.data[place] >= least:
                best[row] = matrix.indices[place]
    return best


def _saga(
    members: NDArray[np.int64],
    matrix: Any,
    soft: Floats,
    days: NDArray[np.int64],
    feeds: NDArray[np.str_],
    names: list[str],
    params: SagaParams,
) -> Saga | None:
    """The saga of these rows, or None when they are too few, too many, or do not hang together from day to day."""
    if not params.saga_items <= len(members) <= max(params.largest_share * matrix.shape[0], params.saga_items):
        return None
    rows = matrix[members]
    total = np.asarray(rows.sum(axis=0)).ravel()
    if _coherence(rows, total, days[members].tolist(), feeds[members].tolist()) * math.sqrt(len(members)) < params.trust:
        return None
    centre = total / np.linalg.norm(total)
    middle = soft[members].sum(axis=0)
    middle /= max(float(np.linalg.norm(middle)), 1e-9)
    close = np.asarray(rows @ centre).ravel() + soft[members] @ middle
    return Saga(profile_of(centre, names), float(np.quantile(close, 0.35)), tuple(int(i) for i in members))


def _coherence(rows: Any, total: NDArray[Any], days: list[int], feeds: list[str]) -> float:
    """Average cosine of pairs of different days and different feeds: a series of one feed is no saga. 0 without such pairs."""
    apart, pairs = float(total @ total), float(len(days) ** 2)
    # pairs of one day or one feed, each counted once
    for labels, sign in ((days, 1), (feeds, 1), (list(zip(days, feeds, strict=True)), -1)):
        sums = (_indicator(labels) @ rows).data
        apart -= sign * float(sums @ sums)
        pairs -= sign * sum(n * n for n in Counter(labels).values())
    return apart / pairs if pairs >= 1 else 0.0


def profile_of(centre: NDArray[Any], names: list[str]) -> dict[str, float]:
    """The strongest units of a centroid, the strongest with weight 1."""
    held = np.flatnonzero(centre > 0)
    top = held[np.argsort(-centre[held], kind="stable")[:PROFILE_UNITS]]
    largest = max(float(centre[top[0]]), 1e-9) if len(top) else 1.0
    return {names[i]: round(float(centre[i]) / largest, 4) for i in top if centre[i] > 0.02 * largest}


def centres(profiles: Sequence[Mapping[str, float]], space: UnitSpace) -> Any:
    """CSR rows of length 1: profiles in the space's units; units that it does not know are left out."""
    from scipy.sparse import csr_matrix

    index = space.index_
    cells = [(row, index[unit], weight) for row, profile in enumerate(profiles) for unit, weight in profile.items() if unit in index]
    rows, columns, weights = ([cell[k] for cell in cells] for k in range(3))
    matrix = csr_matrix((np.array(weights, dtype=np.float32), (rows, columns)), shape=(len(profiles), len(space.index_)))
    return scale_rows(matrix)
