"""Whether a person or a machine wrote, and what either wants. Pure.

In doubt it was a person, and nothing is done: a bounce that is missed costs a message, a reply that is taken for a bounce
or for a wish to leave costs a reader.

Sources: RFC 3834 (automatic responses), RFC 5436 section 2.7.1 and RFC 5703 for what vacation programs write, RFC 2369.
"""

from __future__ import annotations

import re

from newsletter.reports.opened import Opened
from newsletter.reports.status import addresses

_DAEMONS = re.compile(
    r"mailer[-_. ]?daemon|post[-_. ]?master|mail[-_. ]?(?:daemon|delivery|system)|mdaemon|daemon@|bounces?@|delivery[ -]?(?:sub)?system"
    r"|delivery[ -]status|\bmta\b|smtp[-_. ]?(?:daemon|gateway|server)",
    re.IGNORECASE,
)
_FAILURE = re.compile(
    r"undeliver|un-?deliver|(?:delivery|mail|message|e-?mail|transmission)\W+(?:status|failure|failed|error|problem|report|notif|could not|was not)"
    r"|fail(?:ure|ed)[ :]|returned (?:mail|message|e-?mail|to sender)|return(?:ing|ed) message|not delivered|non[- ]?delivery|nondeliver"
    r"|delivery .{0,40}(?:fail|problem|error|delay|unable)|(?:could|can) ?not be (?:delivered|sent|reached)|unable to deliver|wasn.t delivered|did ?n[o']t reach|did not reach|invalid (?:user|recipient|address)"
    r"|permanent (?:fatal )?error|user unknown|unknown user|unzustellbar|nicht zustell|zur[üu]ckgesandt|non remis|non distribu|échec|no se pudo entregar"
    r"|devuelto|mancata consegna|niet (?:worden )?(?:bezorgd|afgeleverd)|n[ãa]o (?:foi )?entreg|配信|送信でき|エラー|未达|退信|投递失败|недостав|не (?:может|удалось) .{0,20}достав",
    re.IGNORECASE,
)
_AWAY = re.compile(
    r"out of (?:the )?office|\booo\b|auto(?:matic|mated|-| )?\W?(?:reply|response|responder|answer)|autoreply|autorespon|on (?:vacation|holiday|leave)"
    r"|away from|vacation|i am away|abwesen|automatische (?:antwort|r[üu]ckmeldung)|nicht im b[üu]ro|r[ée]ponse automatique|absence du bureau|absent"
    r"|respuesta autom|fuera de (?:la )?oficina|risposta automatica|fuori sede|fuori ufficio|afwezig|automatisch antwoord|resposta autom|ausência"
    r"|自動返信|自动回复|自動応答|автоответ",
    re.IGNORECASE,
)
_CHALLENGE = re.compile(
    r"challenge[- /]?response|confirm (?:that )?(?:you(?:r| are)|the) (?:message|e-?mail|mail|delivery|human|a (?:human|person)|real|sen(?:t|d))"
    r"|verif(?:y|ication).{0,40}(?:sender|your (?:e-?mail|address|identity|message)|you are)|sender (?:verification|confirmation|authentication)"
    r"|(?:awaiting|requires?|needs?|pending) (?:your |sender )?(?:verification|confirmation|approval|authentication)"
    r"|spam ?arrest|boxbe|\btmda\b|spamblocker|please (?:confirm|verify|release) your (?:message|e-?mail|mail)|bestätigen sie .{0,30}(?:nachricht|mail)",
    re.IGNORECASE,
)
_DELAY = re.compile(
    r"\bdelay(?:ed)?\b|still (?:trying|being tried)|will (?:keep|continue) (?:trying|to (?:try|be))|not yet been delivered|will be retried"
    r"|(?:not|n't) need to re-?send|for the (?:past|last) \d+ (?:hours|minutes)|warning message only|verzögert|retard[ée]",
    re.IGNORECASE,
)
_GAVE_UP = re.compile(r"permanent|giv(?:en|ing) up|gave up|no longer|too long|(?:final|fatal) error|has been returned", re.IGNORECASE)
_ANSWER = re.compile(r"^\s*(?:re|aw|sv|antw|tr|fwd?|wg|rv|vs)\s*(?:\[\d+\])?\s*:", re.IGNORECASE)
_TOKEN_SUBJECT = re.compile(r"unsubscribe\s+([A-Za-z0-9_-]{44})", re.IGNORECASE)

#: What asks to be left out, in words that mean nothing else.
_CORE = re.compile(
    r"unsubscribe|unsubscribing|opt[- ]?out|(?:remove|delete) (?:me|my (?:e-?mail|address|name)|us|this (?:e-?mail|address))|take me off"
    r"|(?:stop|no more) (?:sending|mailing|e-?mailing|e-?mails|mails?|letters)|cancel (?:my )?subscription|sign me off"
    r"|abmelden|abbestellen|austragen|k[üu]ndigen|d[ée]sabonn\w*|d[ée]sinscri\w*|darme? de baja|baja|cancelar (?:mi |la )?suscripci[óo]n"
    r"|disiscriv\w*|cancellami|uitschrijven|afmelden|descadastrar|cancelar inscri[çc][ãa]o|配信停止|退订|отписат\w*|отпис\w*",
    re.IGNORECASE,
)
_ALONE = frozenset({"stop", "remove", "end", "leave", "signoff", "off"})
_POLITE = frozenset(
    "please pls kindly hi hello hey dear maya thanks thank you thx many best regards kind cheers sincerely greetings me my us from"
    " this your the these those list lists newsletter newsletters mailing mail mails email e-mail emails e-mails address"
    " letter letters of and to i would like want wish it a subscription subscriptions now immediately asap at all any more"
    " anymore future further could can will bitte mich vom von dem den der newsletter verteiler danke vielen dank mit"
    " freundlichen grüßen gruß hallo ich möchte meine adresse s'il vous plaît merci bonjour moi me de la le lettre por favor"
    " gracias hola quiero per favore grazie ciao graag dank u alstublieft ik wil mij do not again sir madam sent iphone ipad"
    " android".split()
)
_REQUEST_WORDS = 20


def from_a_daemon(opened: Opened) -> bool:
    """Whether a mail system wrote: by its name, or because nobody is to answer (RFC 5321 section 4.5.5)."""
    back = opened.mail.get("return-path").strip()
    who = opened.mail.words("from")
    return back == "<>" or not who.strip(" <>") or bool(_DAEMONS.search(who))


def tells_failure(opened: Opened) -> bool:
    """Whether it is a failure notice in words."""
    if opened.mail.get("x-failed-recipients"):
        return True
    subject, daemon = opened.subject, from_a_daemon(opened)
    if _AWAY.search(subject) or (_ANSWER.match(subject) and not daemon):
        return False
    named = bool(_FAILURE.search(subject))
    told = bool(_FAILURE.search(opened.words[:4_000]))
    if opened.mail.report == "delivery-status":
        return True
    if daemon:
        return named or told or bool(opened.returned)
    return named and (told or bool(opened.returned))


def tells_delay(opened: Opened) -> bool:
    """Whether a notice in words says that somebody still tries."""
    text = f"{opened.subject}\n{opened.words[:4_000]}"
    return bool(_DELAY.search(text)) and not _GAVE_UP.search(text)


def answers_by_itself(opened: Opened) -> bool:
    """Whether a machine answered in its owner's place."""
    mail = opened.mail
    submitted = mail.get("auto-submitted").strip().lower()
    if submitted and not submitted.startswith("no"):  # RFC 3834 section 5: "no" is a person
        return True
    if mail.all("x-autoreply", "x-autorespond", "x-auto-response-suppress", "x-autoreply-from", "x-mail-autoreply"):
        return True
    if mail.get("precedence").strip().lower() in ("auto_reply", "auto-reply"):
        return True
    return bool(_AWAY.search(opened.subject)) or mail.report == "disposition-notification"


def challenges(opened: Opened) -> bool:
    """Whether a machine wants a person to prove that they are one."""
    if _CHALLENGE.search(opened.subject):
        return True
    return answers_by_itself(opened) and bool(_CHALLENGE.search(opened.words[:4_000]))


def token_of(opened: Opened) -> str:
    """The token of a request to leave, as the mailto link writes it; "" for anything else."""
    found = _TOKEN_SUBJECT.fullmatch(opened.subject.strip())
    return found[1] if found else ""


def wants_to_leave(opened: Opened, unsubscribe: str) -> bool:
    """Whether its sender clearly asks to be left out, and wrote to where such requests go."""
    if not unsubscribe or not opened.sender or from_a_daemon(opened) or answers_by_itself(opened):
        return False
    if unsubscribe not in {address.lower() for address in opened.arrived_at}:
        return False
    if asks_to_leave(opened.subject):
        return True
    return asks_to_leave(_own_words(opened.words))


def asks_to_leave(text: str) -> bool:
    """Whether *text* asks to be left out and says nothing else."""
    for _, address in addresses(text):
        text = text.replace(address, " ")
    text = re.sub(r"\s+", " ", re.sub(r"[^\w' -]", " ", text)).strip().lower()
    if len(text.split()) > _REQUEST_WORDS:
        return False
    if text in _ALONE:
        return True
    rest, count = _CORE.subn(" ", text)
    return count > 0 and all(word.strip("-'") in _POLITE or not word.strip("-'") for word in rest.split())


def _own_words(words: str) -> str:
    """What somebody wrote, without what they quote and without their signature."""
    own: list[str] = []
    for line in words.split("\n")[:60]:
        bare = line.strip()
        if bare == "--" or bare.startswith(("-----Original", "________")) or re.search(r"(?:wrote|schrieb|a écrit)\s*:$", bare):
            break
        if not bare.startswith(">"):
            own.append(bare)
    return " ".join(own)
