"""What the words of a refusal speak of, in the languages that servers and their owners write. Tables; pure.

Stems, no sentences: a server that nobody has seen says "user" and "unknown" too, in an order of its own.

Guarantees
    The time grows with the length alone: no pattern repeats without bound, and a text is looked at as far as
    `_JUDGED_MAX`. The first kind that matches wins, in order: "full" or "blocked" saves an address, "unknown" is last.
"""

from __future__ import annotations

import re
from enum import Enum

_JUDGED_MAX = 4_000  # characters of a text whose words are looked at


class Said(Enum):
    """What the words of a refusal speak of."""

    FULL = "the mailbox is full"
    RATE = "too much at once, try later"
    OURS = "the sender, its login, its network or its reputation"
    BLOCKED = "a block or a policy, it's not clear whose, or the letter itself"
    CLOSED = "the account is disabled, for now or for good"
    NOWHERE = "no such domain, or none that takes mail"
    DEAD = "no such mailbox"


def words(text: str) -> Said | None:
    """What a refusal's *text* speaks of. Addresses are left out of it: blocked@ and fuller@ are people."""
    plain = _ADDRESS.sub(" ", text[:_JUDGED_MAX].replace("’", "'"))
    return next((said for said, pattern in _WORDS if pattern.search(plain)), None)


def no_account(text: str) -> bool:
    """Whether *text* says that somebody has no account; no filter goes so far."""
    return _NO_ACCOUNT.search(text[:_JUDGED_MAX]) is not None


_ADDRESS = re.compile(r"[^\s@]{0,64}@[^\s@]{0,255}")
_NO_ACCOUNT = re.compile(r"(?:does ?n[o']t|does not) have .{0,30}account", re.IGNORECASE)

# --- English: who, in front of or behind what is the matter with them

_WHO = (
    r"(?:user|recipient|(?:mail ?|in)box|address|account|addressee|alias|userid|o/r name|receiver)"
    r"(?:es|s|'s)?(?: name)?"
)
_NO = (
    r"\b(?:no such|unknown|invalid|illegal|non-?existent|un-?recogni[sz]ed|bad|wrong|undefined"
    r"|(?:can ?not|can't|could not|couldn't|unable to) (?:find|locate))"
)
_BETWEEN = r"\W{1,3}(?:[\w']{1,20}\W{1,3}){0,2}?"  # two words at most
_NOT = (
    r"(?:unknown|invalid|non-?existent|incorrect|undefined"
    r"|not (?:be )?(?:found|known|exist|listed|registered|recogni[sz]ed|located|valid|defined|local|a valid|present)"
    r"|n't (?:be )?(?:found|known|exist|listed|registered|recogni[sz]ed|located|valid))"
)
_HOST = r"\b(?:host|domain)(?:name)?(?: or domain)?(?: name)?(?: \S{1,80})?"

# --- German, French, Spanish, Italian, Dutch, Portuguese, Russian, Polish, Czech, Scandinavian, Finnish, Turkish

_WHO_ELSEWHERE = (
    "(?:empf[äa]nger|adress|benutzer|konto|postfach|utilisateur|destinataire|compte|bo[îi]te|usuario|destinatario"
    "|direcci[óo]n|cuenta|buz[óo]n|utente|indirizzo|casella|gebruiker|geadresseerde|ontvanger|adres|usu[áa]rio"
    "|destinat[áa]rio|endere[çc]o|conta\\b|caixa|адрес|пользовател|ящик|получател|użytkownik|adresat|odbiorc|skrzynk"
    "|uživatel|příjemc|schránk|användar|mottagar|bruger|modtager|bruker|mottaker|käyttäj|vastaanottaj|osoit"
    "|kullanıcı|alıcı|e-?mail|account|mailbox)"
)
_NOT_ELSEWHERE = (
    "(?:unbekannt|existiert (?:\\w+ )?nicht|nicht (?:gefunden|vorhanden|bekannt|aufgef[üu]hrt)|gibt es .{0,40}nicht"
    "|ung[üu]ltig|inconnu|introuvable|n'existe (?:pas|plus)|invalide|(?:non|pas|été) trouvé|no (?:existe|v[áa]lid)"
    "|no (?:se )?(?:ha )?(?:sido )?(?:pudo )?encontr|desconocid|inexistente|inv[áa]lid|sconosciut|non (?:esiste|valid)"
    "|non (?:è )?(?:stat[oa] )?trovat|onbekend|bestaat niet|niet (?:gevonden|bekend)|ongeldig"
    "|n[ãa]o (?:foi )?(?:existe|encontrad|localizad)|desconhecid|не (?:существует|найден|зарегистр)|неизвест|нет такого"
    "|nieznan|nie (?:istnieje|znaleziono|został znalezion)|neexistuje|neznám|nenalezen|hittades inte|finns inte|okänd"
    "|(?:findes|finnes|fundet|funnet) ikke|ikke (?:fundet|funnet)|ukendt|ukjent|ei (?:löydy|löytynyt)|tuntematon"
    "|bulunamadı|geçersiz|bilinmeyen)"
)
# --- Japanese, Chinese, Korean, which write no spaces
_WHO_EAST = (
    "(?:ユーザ|アドレス|宛先|あて先|受信者|メールボックス|用[户戶]|收件人|地址|[邮郵]箱|[帐账帳][号號户戶]"
    "|사용자|수신자|주소|계정)"
)
_NOT_EAST = (
    "(?:存在しま?せん|存在しない|見つかりません|登録されていません|不明|不存在|找不到|[无無]效|未找到"
    "|존재하지|찾을 수 없)"
)

_WORDS: tuple[tuple[Said, re.Pattern[str]], ...] = tuple(
    (said, re.compile("|".join(phrases), re.IGNORECASE))
    for said, phrases in (
        (
            Said.FULL,
            (
                r"box(?: is)? (?:over)?full", "full (?:in|mail)box", r"\bquota\b", "overquota", r"\bis full\b",
                r"box(?:es)?\b.{0,40}(?:exceed|over (?:its|the|their) )", r"exceed\w* .{0,30}(?:box|storage|folder)",
                "(?:insufficient|out of|not enough|no)(?: system| disk)? (?:storage|space)", "too much mail",
                r"(?:postfach|speicher\w{0,12}|kontingent)\b.{0,40}(?:\bvoll\b|überschritten|erschöpft)",
                r"bo[îi]te\b.{0,60}(?:pleine|satur)", r"buz[óo]n\b.{0,40}\bllen[oa]", r"casella\b.{0,40}\bpiena",
                r"caixa\b.{0,40}(?:cheia|lotada)", r"(?:postvak|postbus|mailbox)\b.{0,30}\bvol\b",
                r"ящик\w{0,2}\b.{0,40}(?:переполнен|полон)",
                r"(?:превышен|исчерпан)\w{0,2} .{0,30}(?:квот|лимит|размер)",
                r"skrzynk\w\b.{0,30}(?:pełna|przepełn)", r"schránk\w\b.{0,30}plná",
                r"(?:inkorg|brevlåd|postlåd|indbakke|postkass|innboks)\w{0,3}\b.{0,30}\bful[ld]\b", "kutusu.{0,20}dolu",
                "容量|いっぱい|満杯|空き(?:領域|スペース)", "[已](?:满|滿)|空[间間]不足|超[过過]配[额額]|가득",
            ),
        ),
        (
            Said.RATE,
            (
                r"\brates?\b", "rate-?limit", "too (?:many|much|fast|frequent)", "throttl", "gr[ae]y-?list",
                r"(?:try|retry)(?: again)? (?:later|in\b)", "temporar", "slow down",
                r"\blimit (?:is )?(?:exceeded|reached)", r"exceed\w* .{0,30}\blimit",
            ),
        ),
        (
            Said.OURS,
            (
                # "unknown in relay recipient table" is Postfix on a dead address
                r"relay(?!\w* (?:recipient|domain))", "authenticat", "auth required",
                r"\bsender\b.{0,40}(?:reject|denied|block|verif|not allowed|invalid|unknown|no such)",
                r"\bsender\b.{0,60}(?:exist|resolve)",
                r"(?:invalid|unknown|bad|unverified|verify\w*|verification of)(?: the| envelope)? sender",
                "block ?-?list", "black ?-?list", "deny ?-?list", "spamhaus", "spamcop", r"\brbl\b", "dnsbl",
                "reputation",
                r"\b(?:spf|dkim|dmarc)\b", "reverse dns", r"\bptr\b",
                r"\byour (?:ip|host(?:name)?|server|network|domain|account)\b",
                "not (?:authori[sz]ed|permitted|allowed) to (?:send|relay)",
                r"\bsending (?:ip|host|server|domain|address)", r"client (?:host|ip)\b", r"\b(?:helo|ehlo)\b",
                "reverse (?:host|lookup)", "from this ip", "banned sender",
            ),
        ),
        (
            Said.BLOCKED,
            (
                r"\bblock(?:ed|ing|s)?\b", r"\bban(?:ned)?\b", r"\bspam\b", "recipient (?:preference|polic|filter)",
                "refused by (?:the )?recipient", "access denied", "restricted",
                r"not accept\w* (?:mail|messages?) from", "not allowed to receive", "not in (?:the )?white-?list",
                r"(?:for|due to|by|violat\w{1,4}) .{0,30}polic(?:y|ies)\b", r"\bpolicy (?:violat|reject|restrict)",
                r"(?:administrative|policy) prohibit", r"(?:virus|malware)\w{0,3} (?:found|detected|infect)",
                r"contain\w{0,3} .{0,30}(?:virus|malware)", r"\bexecutable\b",
                r"\bcontent (?:reject|refus|filter|not )", r"(?:reject|refus)\w{0,3} .{0,30}\bcontent",
                "blockiert|gesperrt|bloqué|bloquead|bloccat|geblokkeerd|заблокирован",
            ),
        ),
        (
            Said.CLOSED,
            (
                rf"{_WHO}\b.{{0,40}}(?:disabled|deactivated|suspended|inactive|closed|frozen|locked|discontinued|expired"
                "|terminated|not active)",
                f"(?:disabled|deactivated|suspended|inactive|expired) {_WHO}",
                "deaktiviert|stillgelegt|désactivé|suspendu|desactivad|suspendid|disattivat|desativad|отключен|停用|冻结",
            ),
        ),
        (
            Said.NOWHERE,
            (
                "(?:no such|unknown|invalid|illegal|non-?existent|unrecogni[sz]ed|bad)"
                " (?:destination |recipient )?(?:host|domain)",
                f"{_HOST} (?:is |was |could |does |name )?(?:unknown|not (?:be )?(?:found|known|exist|reachable)"
                "|invalid|non-?existent|n[o']t (?:be found|exist)|(?:couldn|can|doesn|don|didn)'?t (?:be found|exist))",
                r"any (?:host|domain) (?:named|called)", "nxdomain", r"non-?existent ?domain", "null ?mx",
                r"no (?:valid )?mx\b", "no mail (?:host|server|exchange)", "unroutea?ble (?:address|mail domain)",
                r"(?:host|domain)\b[^.;]{0,40}(?:does not|doesn't) (?:accept|receive) (?:any )?(?:e-?)?mail",
                "no smtp service", "all relevant mx records point to non-existent",
                r"\b(?:domain|domaine|dominio|domein|домен)\b.{0,40}(?:existiert nicht|n'existe pas|no existe"
                "|non esiste|bestaat niet|не существует|não existe)",
            ),
        ),
        (
            Said.DEAD,
            (
                rf"{_NO}{_BETWEEN}{_WHO}\b", rf"{_WHO}\b.{{0,40}}{_NOT}\b",
                r"(?:no such|unknown|invalid) (?:local[ -]?part|person|subscriber|customer)",
                "(?:does ?n[o']t|does not|do not|did not) exist", _NO_ACCOUNT.pattern,
                rf"no(?:t have a|t have an)? (?:{_WHO}|one|body)(?: here)? by that name",
                "no (?:one|body) at this address",
                r"not our (?:user|customer)", "user .{0,30}has moved",
                "no longer (?:active|available|in use|valid|works here|exists|employed|accept(?:s|ing) (?:e-?)?mail"
                "|on (?:the |this )?server|with (?:us|the company|this company))",
                r"(?<!sender )address rejected\.?(?:\s|$)",
                f"is not a (?:known|valid|registered) {_WHO}", f"not a (?:known|valid) {_WHO}",
                rf"{_WHO_ELSEWHERE}\w{{0,6}}\b.{{0,40}}{_NOT_ELSEWHERE}",
                rf"{_NOT_ELSEWHERE}\w{{0,6}}\b.{{0,25}}{_WHO_ELSEWHERE}",
                rf"(?:{_WHO_EAST}|user).{{0,20}}{_NOT_EAST}", rf"{_NOT_EAST}.{{0,12}}{_WHO_EAST}",
            ),
        ),
        (
            Said.BLOCKED,  # where nothing is said of the address, a word of refusal is enough for a doubt
            (
                r"\b(?:refus|denied|deny|polic(?:y|ies)\b|preferenc|permi|prohibit|forbid|abus|complain|unsolicited|junk)",
                r"\b(?:suspicio|phish|content|listed|security|filter|unacceptable|not accept|too (?:big|large|long))",
                "verweigert|abgelehnt|richtlinie|rechaz|rifiut|geweiger|recusad|отклон|拒[绝絕否]|거부",
            ),
        ),
    )
)  # fmt: skip
