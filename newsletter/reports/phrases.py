"""What mail systems and people say, as patterns. Tables, and nothing else.

All are searched without regard to capitals, in text of bounded length; none has two unbounded repetitions in a row.
"""

from __future__ import annotations

import re


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(phrases), re.IGNORECASE)


#: Who writes when a mail system does: names and local parts.
DAEMON = _any(
    r"mailer[-_. ]?daemon", r"post[-_. ]?master", r"mail[-_. ]?(?:daemon|delivery|system)", r"mdaemon", r"daemon@",
    r"bounces?@", r"delivery[ -]?(?:sub)?system", r"delivery[ -]status", r"\bmta\b",
    r"smtp[-_. ]?(?:daemon|gateway|server)", r"(?:system|network|e?mail)[-_. ]?admin",
    r"mail[-_. ]?(?:server|gateway|router|robot|manager)",
)  # fmt: skip

#: It did not arrive.
FAILURE = _any(
    r"un-?deliver", r"not delivered", r"non-?\s?delivery", r"permanent (?:fatal )?error",
    r"(?:delivery|mail|message|transmission)\W+(?:status|fail(?:ure|ed)|error|problem|report|notif|(?:could|was) not)",
    r"fail(?:ure|ed)[ :]", r"return(?:ed|ing) (?:mail|message|e-?mail|to sender)", r"unable to deliver",
    r"delivery .{0,40}(?:fail|problem|error|delay|unable)", r"can(?: ?not|not| not) be (?:delivered|sent|reached)",
    r"could ?n[o']t be (?:delivered|sent|reached)", r"could not be (?:delivered|sent|reached)",
    r"was ?n.t delivered", r"did ?n[o']t reach", r"did not reach", r"user unknown", r"unknown user",
    r"invalid (?:user|recipient|address)",
    r"user (?:is )?unknown", r"unknown host", r"(?:not|n't) able to deliver", r"(?:message|mail) blocked",
    r"address not found", r"inbox full",
    r"unzustellbar", r"nicht .{0,20}(?:zu(?:ge)?stell|erreicht)", r"zur[üu]ck(?:gesandt|gewiesen)",
    r"pas (?:pu )?(?:être|été) (?:remis|distribu|livr)", r"n'a pas atteint", r"non[- ](?:remis|distribu|livr)",
    r"échec",
    r"no se (?:ha )?(?:podido|pudo) entreg", r"no entregad", r"devuelt[oa]", r"no (?:ha )?llega",
    r"mancat[ao] (?:consegna|recapito)", r"impossibile (?:consegnare|recapitare)",
    r"non (?:è stato )?(?:recapitat|consegnat)",
    r"niet .{0,20}(?:bezorgd|afgeleverd)", r"onbestelbaar", r"n[ãa]o (?:foi )?(?:poss[íi]vel )?entreg",
    r"(?:kunde|kunne|kan) (?:ikke|inte) lever", r"ei voitu toimittaa",
    r"nie (?:została|można|udało się) dost(?:arcz|ęp)", r"niedostarczon", r"nelze doručit", r"nedoruč",
    r"teslim edilemedi", r"недостав", r"не (?:был[оа] )?достав", r"не (?:может|удалось) .{0,20}достав",
    r"配信", r"送信でき", r"配送でき", r"エラー", r"未达", r"退[信回]", r"[无無]法(?:投[递遞]|送[达達])",
    r"投[递遞]失[败敗]",
    r"전송할 수 없", r"전달(?:되지|할 수 없)", r"반송",
)  # fmt: skip

#: It has not arrived yet, and somebody still tries ...
DELAY = _any(
    r"\bdelay(?:ed)?\b", r"still (?:trying|being tried)", r"will (?:keep|continue) (?:trying|to (?:try|be))",
    r"not yet been delivered", r"will be retried", r"(?:not|n't) need to re-?send", r"warning message only",
    r"for the (?:past|last) \d+ (?:hours|minutes)", r"will (?:re)?try", r"(?:attempts will|will) continue",
    r"verzögert", r"retard[ée]", r"retras", r"ritard", r"vertraag", r"atrasad", r"задерж", r"opóźni", r"zpožděn",
    r"försena", r"forsink", r"viivästy", r"gecik", r"遅延", r"延[迟遲]", r"지연",
)  # fmt: skip

#: ... unless it says that nobody does.
GAVE_UP = _any(
    r"(?<!fails )permanent", r"giv(?:en|ing) up", r"gave up", r"no longer", r"too long", r"(?:final|fatal) error",
    r"has been returned",
)  # fmt: skip

#: In a subject: the reader is not there, and a machine answers.
AWAY = _any(
    r"out of (?:the )?office", r"\booo\b", r"^auto:", r"away from", r"i am away",
    r"on (?:vacation|holiday|(?:annual )?leave)", r"otomatik yanıt",
    r"auto\w{0,11}\W{0,2}(?:repl|respon|answer|antwo|r[üu]ckmeld|svar|odpow|odpov|vastaus|yanıt|risposta)",
    r"(?:r[ée]ponse|respuesta|risposta|resposta|antwoord|odpowiedź|odpověď) auto", r"автоответ",
    r"abwesen", r"nicht im b[üu]ro", r"absence du bureau", r"fuera de (?:la )?oficina", r"fuori (?:sede|ufficio)",
    r"afwezig", r"ausência", r"frånvar", r"fravær",
    r"^(?:vacation|urlaub|vacances|cong[ée]|vacaciones|ferie|férias|vakantie|отпуск)",
    r"自[動动]回[信复覆復]", r"自[動动](?:返信|応答|答复)", r"不在(?:通知|中|の)", r"자동 ?(?:회신|응답)", r"부재",
)  # fmt: skip

#: A machine wants the sender to prove that they are a person.
CHALLENGE = _any(
    r"challenge[- /]?response", r"spam ?arrest", r"boxbe", r"\btmda\b", r"spamblocker",
    r"confirm (?:that )?(?:you(?:r| are)|the) (?:message|e-?mail|mail|delivery|human|a (?:human|person)|real|sen[td])",
    r"verif(?:y|ication).{0,40}(?:sender|your (?:e-?mail|address|identity|message)|you are)",
    r"sender (?:verification|confirmation|authentication)",
    r"(?:awaiting|requires?|needs?|pending) (?:your |sender )?(?:verification|confirmation|approval|authentication)",
    r"please (?:confirm|verify) your (?:message|e-?mail|mail)", r"bestätigen sie .{0,30}(?:nachricht|mail)",
    r"confirm\w{0,4} .{0,20}(?:votre|su|il suo|sua) (?:message|mensaje|messaggio|mensagem)",
    r"release your (?:message|e-?mail)",
)  # fmt: skip

#: How a person's mail program begins the subject of an answer.
ANSWER = re.compile(r"\s*(?:re|aw|sv|antw|tr|fwd?|wg|rv|vs)\s*(?:\[\d+\])?\s*:", re.IGNORECASE)

#: What asks to be left out, and means nothing else.
LEAVE = _any(
    r"unsubscrib(?:e|ing)", r"opt[- ]?out",
    r"(?:remove|delete) (?:me|my (?:e-?mail|address|name)|us|this (?:e-?mail|address))",
    r"take me off", r"(?:stop|no more) (?:sending|mailing|e-?mailing|e-?mails|mails?|letters)",
    r"cancel (?:my )?subscription", r"sign me off", r"abmelden", r"abbestellen", r"austragen", r"k[üu]ndigen",
    r"d[ée]sabonn\w{0,8}", r"d[ée]sinscri\w{0,8}", r"darme? de baja", r"baja", r"cancelar (?:mi |la )?suscripci[óo]n",
    r"disiscriv\w{0,8}", r"cancellami", r"uitschrijven", r"afmelden", r"descadastrar", r"cancelar inscri[çc][ãa]o",
    r"配信停止", r"退订", r"отпис\w{0,8}",
)  # fmt: skip

#: One of these alone is a request too.
LEAVE_ALONE = frozenset({"stop", "remove", "end", "leave", "signoff", "off"})

#: Words that may stand beside a request and take nothing of it back. "Not" is none of them, nor is a question.
POLITE = frozenset(
    """please pls kindly hi hello hey dear thanks thank you thx many best regards kind cheers sincerely greetings
    me my us from this your the these those list lists newsletter newsletters mailing mail mails email e-mail emails
    e-mails address letter letters of and to i would like want wish it a subscription subscriptions now immediately asap
    at all any more anymore future further could can will again sir madam sent iphone ipad android
    bitte mich vom von dem den der verteiler danke vielen dank mit freundlichen grüßen gruß hallo ich
    möchte meine adresse
    s'il vous plaît merci bonjour moi de la le lettre por favor gracias hola quiero per favore grazie ciao
    graag dank u alstublieft ik wil mij""".split()  # noqa: SIM905
)
