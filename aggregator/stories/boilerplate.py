"""Patterns of what is no news in a feed item (calls, credits, feed plumbing) and of titles that announce many subjects. Data only.

Each rule is a pattern with the small-letter words of which one must be there: looking for a few plain words first is thirty
times faster than one large pattern, and text is what most of the engine's time goes to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """`pattern` matters only in texts that hold one of `signs` (in small letters)."""

    signs: tuple[str, ...]
    pattern: re.Pattern[str]


def _rules(*rows: tuple[str, ...]) -> tuple[Rule, ...]:
    """Each row: signs, parted by spaces ("_" stands for a space), then the alternatives of the pattern."""
    return tuple(
        Rule(tuple(sign.replace("_", " ") for sign in signs.split()), re.compile("|".join(alternatives), re.IGNORECASE))
        for signs, *alternatives in rows
    )


_OFFER = r"(?:newsletter|e-?mails?|app|podcast|channel|updates|inbox|here|free)"
_AGENCY = r"(?:getty|the verge|polygon|reuters|ap|afp|shutterstock|bloomberg|unsplash|pexels|pap)\w*"

BOILERPLATE = _rules(
    # aggregators' plumbing
    (
        "article_url comments_url points: #_comments",
        r"article url:?",
        r"comments url:?",
        r"points: \d+",
        r"# comments: \d+",
    ),
    (
        "submitted_by [link] [comments]",
        r"submitted by\s+/?u/\S+(?:\s+to\s+r/\w+)?",
        r"\[link\]",
        r"\[comments\]",
    ),
    # the syndication plug-ins' footers
    (
        "first_on",
        r"\bthe post\b.{1,300}?\bappeared first on\b[^.]{0,80}\.?",
        r"\b(?:appeared|published) first on\b[^.]{0,80}\.?",
    ),
    (
        "a_post_from",
        r"\bthis is a post from\b.{0,60}?(?=read\b|$)",
    ),
    (
        "z_serwisu się_poprzednio się_najpierw się_po_raz",
        r"\b(?:artykuł|wpis|post)\b.{1,300}?\b(?:pochodzi z serwisu|pojawił się (?:poprzednio|najpierw|po raz pierwszy) na)\b[^.]{0,80}\.?",
    ),
    (
        "originally first_published first_appeared",
        r"\bthis (?:article|story|post) (?:was )?(?:originally |first )(?:appeared|published)\b[^.]{0,80}\.?",
        r"\b(?:originally|first) (?:published|appeared) (?:by|on|in|at)\b[^.]{0,60}\.?",
    ),
    (
        "rss_feed_is",
        r"\bthis rss feed is intended\b.{0,200}",
    ),
    # credits
    (
        "(photo (image (credit (picture (illustration (video (fot",
        r"\((?:photo|image|credit|picture|illustration|video|fot)\b[^)]{0,120}\)",
    ),
    (
        "photo image picture illustration",
        rf"\b(?:photo|image|picture|illustration|photograph)s?(?: credit)? ?(?:by|:|/)\s?[^.|]{{2,60}}?(?:/ ?|via ){_AGENCY}(?: images)?",
    ),
    (
        "getty shutterstock ap_photo afp_photo istock",
        r"\b(?:getty images(?: europe)?|shutterstock|ap photo|afp photo|istock(?:photo)?)\b",
    ),
    (
        "fot.",
        r"\bfot\. ?[^\W\d_][^.,]{2,40}",
    ),
    (
        "/_the_verge /_ap /_afp /_reuters /_getty",
        r"\b(?:[^\W\d_][\w'’.-]+ ){1,4}/ (?:the verge|ap|afp|reuters|getty)\b",
    ),
    # calls to the reader
    (
        "read",
        r"\bread (?:the )?(?:full|entire|whole) (?:article|story|post|report)(?: (?:at|on|here)\b[^.…]{0,40})?[.…]*",
        r"\b(?-i:Read|READ) more\b(?: (?:at|on)\b[^.…]{0,40})?[.…:»]*",
    ),
    (
        "reading",
        r"\b(?:continue|keep) reading\b[^.…]{0,80}[.…]*",
    ),
    (
        "sign_up subscribe register",
        rf"\b(?:sign up|subscribe|register) (?:here |now |today )?(?:for|to)\b[^.!?]{{0,140}}{_OFFER}[^.!?]{{0,40}}[.!?]?",
    ),
    (
        "subscribe",
        r"\blike (?:&|and) subscribe\b[^.!?]{0,60}",
        r"\bsubscribe (?:➤|here|for more|now)[^.!?]{0,40}",
    ),
    (
        "get_our in_your_inbox",
        r"\bget our (?:morning and afternoon|free|daily)\b[^.!?|]{0,120}\b",
        r"\bget (?:them|it) in your inbox\b[^.]{0,40}\.?",
    ),
    (
        "follow",
        r"\bfollow (?:us|me|our)\b[^.!?]{0,60}[.!?:]?",
    ),
    (
        "click_here watch_the_video",
        r"\bclick here\b[^.!?]{0,60}[.!?]?",
        r"\bwatch the video\b(?: (?:above|below))?\.?",
    ),
    (
        "czytaj zobacz sprawdź dowiedz_się oglądaj",
        r"\b(?:czytaj|zobacz|przeczytaj|sprawdź|dowiedz się|oglądaj) (?:więcej|dalej|także|też|również|całość|cały artykuł|wideo)\b[.…:»]*",
    ),
    (
        "newsletter obserwuj_nas",
        r"\bzapisz się (?:do|na)\b[^.!?]{0,60}newsletter\w*[.!?]?",
        r"\bobserwuj nas\b[^.!?]{0,40}[.!?]?",
    ),
    (
        "więcej",
        r"\bwięcej informacji (?:znajdziesz|na stronie)\b[^.!?]{0,60}[.!?]?",
        r"\bwięcej (?:informacji,? )?[^.!?]{0,40}na temat zmian\b[^.!?]{0,80}[.!?]?",
    ),
    # marks
    (
        "[… [... ____ ==== ──── ━━━━ **** ----",
        r"\[(?:…|\.\.\.)\]",
        r"[_=─━*-]{4,}",
    ),
)

_MORE = "read more|continue reading|more|więcej|czytaj więcej|czytaj dalej"
TAIL = re.compile(rf"(?:\s*(?:{_MORE})?\s*(?:\[\s*…?\s*\]|…|\.{{3,}}|»|→)\s*)+$", re.IGNORECASE)
TAIL_MARKS = ("…", "]", "...", "»", "→")

_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_TIMES = f"morning|evening|afternoon|daily|weekly|weekend|{_DAYS}|sports|business|market|news|world|tech"
_KINDS = (
    "briefing|digest|brief|newsletter|round-?up|wrap(?:-up)?|update|headlines|report|recap|bulletin|edition|news ?cast|"
    "open thread|mailbag|memo"
)

ROUND_UP = _rules(
    (
        "briefing digest brief newsletter round wrap update headlines report recap bulletin edition cast thread mailbag memo",
        rf"^(?:the )?(?:{_TIMES})(?:['’]s)? (?:{_KINDS})\b",
    ),
    (
        "newsletter news_letter in_brief news_wrap round-up roundup open_thread discussion_thread in_review",
        r"\b(?:news ?letter|news in brief|news wrap|round-?up|open thread|discussion thread|week in review)\b",
    ),
    (
        "in_pictures in_photos of_the_day of_the_week photos",
        r"\b(?:week|day|month|year) in (?:pictures|photos)\b",
        r"\b(?:photos?|pictures?|quote|word|podcast|links?|deals?) of the (?:day|week)\b",
        r"\byour photos\b",
    ),
    (
        "on_day_ at_a_glance key_events list_of_key know what_you_need what_happened top_ today",
        r"\bwhat we know on day \d",
        r"\bat a glance\b",
        r"\b(?:list of )?key events\b",
        r"\bwhat to know today\b",
        r"\bthings to know\b",
        r"\b(?:here['’]s|here is) what (?:you need to know|happened)\b",
        r"\btop (?:stories|headlines|news)\b",
        r"\btoday['’]s (?:headlines|news|top)\b",
    ),
    (
        "firstft first_thing the_morning_after the_papers report_",
        r"^first ?ft\b",
        r"^(?:first thing|the morning after|the papers):",
        r"^\d{1,2}:\d\d report\b",
    ),
    (
        "rzeczy",
        r"\brzeczy,? które (?:warto|trzeba|musisz|należy) (?:dziś )?wiedzieć\b",
    ),
    (
        "market rate pkr price",
        r"\bmarket talk\b",
        r"\bstock market today\b",
        r"\bmarkets? (?:wrap|today|close)\b",
        r"\bto pkr\b",
        r"\brates? today\b",
        r"\bprices? today\b",
        r"\b(?:exchange|gold|currency|petrol|interbank) rates?\b.*\b(?:today|in pakistan)\b",
    ),
    (
        "stocks",
        r"\bstocks? to watch\b",
    ),
    (
        "horoscope zodiac",
        r"\bhoroscopes?\b",
        r"\bzodiac\b.*\b(?:today|daily)\b",
    ),
    (
        "wordle connections strands quordle crossword sudoku spelling_bee",
        r"\b(?:crossword|sudoku|wordle|connections|strands|quordle|spelling bee)\b.*\b(?:today|hints?|answers?|clues?|daily|puzzle)\b",
        r"\b(?:today['’]s|daily) (?:wordle|connections|crossword|cartoon)\b",
    ),
    (
        "weather",
        r"\bweather (?:update|forecast|today|tracker)\b",
    ),
    (
        "letters reader_mail corrections",
        r"\bletters to the editor\b",
        r"\byour letters\b",
        r"^letters?\s*[:|]",
        r"\breaders?['’] letters\b",
        r"\breader mail\b",
        r"\bcorrections and clarifications\b",
    ),
    (
        "tv_tonight tv_guide tv_listings what_to",
        r"\btv (?:tonight|guide|listings)\b",
        r"\bwhat to (?:watch|stream)\b",
    ),
    (
        "deals",
        r"\b(?:best|top|early|today['’]s) (?:\w+ ){0,4}deals\b",
    ),
    (
        "this_week_in quiz",
        r"\bthis week in\b",
        r"\b(?:news|daily) quiz\b",
        r"\bquiz:",
    ),
    (
        "horoskop przegląd skrót_ najważniejsze podsumowanie_ wydarzenia_dnia",
        r"\bhoroskop\b",
        r"\bprzegląd (?:prasy|dnia|tygodnia|wydarzeń|promocji)\b",
        r"\bskrót (?:dnia|wydarzeń|informacji)\b",
        r"\bnajważniejsze (?:informacje|wydarzenia|wiadomości)\b",
        r"\bpodsumowanie (?:dnia|tygodnia)\b",
        r"\bwydarzenia dnia\b",
    ),
    (
        "kurs notowania ceny_paliw prasówka",
        r"\bkursy? (?:walut|euro|dolara|franka|funta)\b",
        r"\bnotowania\b",
        r"\bceny paliw\b",
        r"\bprasówka\b",
    ),
    (
        "pogod imieniny kalendarz kalendarium lotto losowani",
        r"\bprognoza pogody\b",
        r"\bpogoda (?:na|dziś|jutro|w)\b",
        r"\bimieniny\b",
        r"\bkartka z kalendarza\b",
        r"\bkalendarium\b",
        r"\blotto\b",
        r"\bwyniki losowania\b",
    ),
    (
        "program_tv co_obejrzeć promocje krzyżówka quiz",
        r"\bprogram tv\b",
        r"\bco obejrzeć\b",
        r"\bnajlepsze promocje\b",
        r"\bkrzyżówka\b",
        r"^quiz\b",
        r"\bquiz(?:[.:!]|$)",
    ),
    (
        "dzień",
        r"\bto był dzień\b",
        r"\bdzień \d+\.? wojny\b",
        r"^\d+\.? dzień (?:wojny|inwazji)",
    ),
)


def strip_rules(text: str, rules: tuple[Rule, ...]) -> str:
    """Text with every match of the rules replaced by a space."""
    lower = text.lower()
    for rule in rules:
        for sign in rule.signs:
            if sign in lower:
                text = rule.pattern.sub(" ", text)
                break
    return text


def any_rule(text: str, rules: tuple[Rule, ...]) -> bool:
    """Whether some rule matches."""
    lower = text.lower()
    for rule in rules:
        for sign in rule.signs:
            if sign in lower:
                if rule.pattern.search(text) is not None:
                    return True
                break
    return False
