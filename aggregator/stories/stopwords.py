"""Function words by language. Data only; other languages rely on document frequencies alone."""

from __future__ import annotations

_ENGLISH = """
a about above after again against ago all almost along already also although always am among an and another any anyone anything
are arent around as ask asked at away back be became because become been before began behind being below between both but by came
can cannot cant come comes could couldnt did didnt do does doesnt doing done dont down during each either else ever every everyone
everything few for from further gave get gets getting give given gives go goes going gone got had hadnt has hasnt have havent
having he hed hell her here heres hers herself hes him himself his how however i id if ill im in including instead into is isnt it
itd itll its itself ive just keep kept know known less let lets like likely long look looks made make makes making many may maybe
me might mine more most much must my myself near nearly need needs neither never next no nobody none nor not nothing now of off
often on once one ones only onto or other others our ours ourselves out over own per perhaps put puts quite rather really said
same saw say saying says see seen set shall she shed shes should shouldnt since so some someone something sometimes soon still
such take taken takes taking tell tells than that thats the their theirs them themselves then there theres these they theyd theyll
theyre theyve thing things this those though through throughout thus to together told too took toward towards under until up upon
us use used using very via want wants was wasnt way we wed well went were werent weve what whatever whats when where whether which
while who whom whos whose why will with within without wont would wouldnt yes yet you youd youll your youre yours yourself youve
according amid among
"""

_POLISH = """
a aby ach acz aczkolwiek aj albo ale ależ ani aż bardziej bardzo bez bo bowiem by była byli bym był było były być będzie będą będę
będziemy cali cała cały chce choć ci cię ciebie co cokolwiek coraz coś czasami czasem czemu czy czyli często daleko dla dlaczego
dlatego do dobrze dokąd dość dużo dwa dwaj dwie dwoje dziś dzisiaj gdy gdyby gdyż gdzie gdziekolwiek gdzieś go i ich ile im inna
inne innego inny innych iż ja ją jak jakaś jakby jaki jakichś jakie jakiś jakiż jakkolwiek jako jakoś je jeden jedna jednak
jednakże jedno jego jej jemu jest jestem jesteśmy jeszcze jeśli jeżeli już każdy każda każde kiedy kilka kimś kto ktokolwiek która
które którego której który których którym którzy którą ktoś ku lat lecz lub ma mają mam mamy mi mimo między mną mnie mogą mogła
mogło moi moim moja moje mojej może możliwe można mój mógł mu musi musiał my na nad nam nami nas nasi nasz nasza nasze naszego
naszych natomiast natychmiast nawet nią nic nich nie niech niego niej nigdy nim nimi niż no o obok od około on ona one oni ono
oraz oto owszem pan pana pani po pod podczas podobnie ponad ponieważ potem powinien powinna powinno poza prawie przecież przed
przede przedtem przez przy roku również sam sama są się skąd sobą sobie sposób swoje swoją swoim swoich swojego swojej swój ta tak
taka taki takie także tam te tego tej ten teraz też to tobą tobie toteż trzeba tu tutaj twoi twoim twoja twoje twój twym ty tych
tylko tym tą tę u w wam wami was wasz we według wiele wielu więc więcej wszyscy wszystkich wszystkie wszystkim wszystko wtedy wy
właśnie z za zapewne zawsze ze zł znowu znów został została zostali zostały zostało żaden żadna żadne żadnych że żeby jednym dwóch
trzy swego swych ją temu wśród wobec wraz zaś będąc dlaczego mówi powiedział powiedziała
"""

STOP_WORDS: dict[str, frozenset[str]] = {"en": frozenset(_ENGLISH.split()), "pl": frozenset(_POLISH.split())}
