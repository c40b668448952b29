"""What servers and their owners say, in their own words and languages, as `foreign` has the letters of mail systems."""

from __future__ import annotations

#: Who it is, in what words, and whether the address is dead.
NOTICES: tuple[tuple[str, str, bool], ...] = (
    (
        "in German, no such address",
        "Ihre E-Mail konnte nicht zugestellt werden.\n\nana@example.org\n\nDie Adresse wurde nicht gefunden.",
        True,
    ),
    (
        "in German, full",
        "Ihre E-Mail konnte nicht zugestellt werden.\n\nana@example.org\n\nDas Postfach des Empfängers ist voll. Die Adresse existiert"
        " nicht, wenn das anhält.",
        False,
    ),
    (
        "in French",
        "Votre message n'a pas pu être remis.\n\nana@example.org\n\nL'adresse est introuvable.",
        True,
    ),
    (
        "in French, full",
        "Votre message n'a pas pu être remis.\n\nana@example.org\n\nLa boîte aux lettres du destinataire est pleine.",
        False,
    ),
    (
        "in Spanish",
        "No se ha podido entregar el mensaje.\n\nana@example.org\n\nNo se ha encontrado la dirección de correo.",
        True,
    ),
    (
        "in Spanish, full",
        "El mensaje no se pudo entregar.\n\nana@example.org\n\nEl buzón del destinatario está lleno.",
        False,
    ),
    (
        "in Italian",
        "Impossibile consegnare il messaggio.\n\nana@example.org\n\nL'indirizzo non è stato trovato.",
        True,
    ),
    (
        "in Italian, full",
        "Mancato recapito.\n\nana@example.org\n\nLa casella di posta è piena.",
        False,
    ),
    (
        "in Portuguese",
        "A sua mensagem não foi entregue.\n\nana@example.org\n\nO endereço não foi encontrado.",
        True,
    ),
    (
        "in Portuguese, full",
        "Não foi possível entregar a mensagem.\n\nana@example.org\n\nA caixa de correio está cheia.",
        False,
    ),
    (
        "in Dutch",
        "Uw bericht kon niet worden bezorgd.\n\nana@example.org\n\nHet adres is niet gevonden.",
        True,
    ),
    ("in Dutch, full", "Uw bericht kon niet worden afgeleverd.\n\nana@example.org\n\nHet postvak is vol.", False),
    (
        "in Russian",
        "Ваше сообщение не доставлено.\n\nana@example.org\n\nНет такого пользователя.",
        True,
    ),
    (
        "in Russian, full",
        "Не удалось доставить сообщение.\n\nana@example.org\n\nПочтовый ящик переполнен.",
        False,
    ),
    (
        "in Polish",
        "Nie można dostarczyć wiadomości.\n\nana@example.org\n\nNieznany użytkownik.",
        True,
    ),
    (
        "in Polish, full",
        "Wiadomość nie została dostarczona.\n\nana@example.org\n\nSkrzynka odbiorcy jest pełna.",
        False,
    ),
    (
        "in Chinese",
        "您的邮件被退回。\n\nana@example.org\n\n收件人邮箱不存在。",
        True,
    ),
    (
        "in Chinese, full",
        "您的邮件无法投递。\n\nana@example.org\n\n收件人邮箱空间不足。",
        False,
    ),
    ("in Korean", "메일을 전송할 수 없습니다.\n\nana@example.org\n\n존재하지 않는 사용자입니다.", True),
    ("in Swedish", "Ditt meddelande kunde inte levereras.\n\nana@example.org\n\nAdressen hittades inte.", True),
    ("in Danish", "Din besked kunne ikke leveres.\n\nana@example.org\n\nBrugeren findes ikke.", True),
    ("in Czech", "Zprávu nelze doručit.\n\nana@example.org\n\nUživatel neexistuje.", True),
    ("in Turkish", "İletiniz teslim edilemedi.\n\nana@example.org\n\nKullanıcı bulunamadı.", True),
)

#: What servers say at RCPT, with no status worth the name; and whether the address is dead.
REPLIES: tuple[tuple[str, bool], ...] = (
    ("550 User unknown", True),
    ("550 unknown user account", True),
    ("550 No such recipient", True),
    ("550 no such account here", True),
    ("550 Mailbox not found", True),
    ("550 sorry, no mailbox here by that name", True),
    ("550 Addressee unknown", True),
    ("550 Account not found", True),
    ("550 user does not exist", True),
    ("550 The user you are trying to contact does not exist", True),
    ("550 user doesn't exist", True),
    ("550 Recipient not found", True),
    ("550 Unrouteable address", True),
    ("550 not a valid mailbox", True),
    ("550 invalid mailbox", True),
    ("550 Bad destination mailbox address", True),
    ("550 We do not have a mailbox by that name", True),
    ("550 there is no one at this address", True),
    ("550 there is no such user here", True),
    ("550 No user by that name here", True),
    ("550 unknown or illegal alias", True),
    ("550 This address no longer accepts mail", True),
    ("550 ana is no longer with this company", True),
    ("550 That email address is no longer valid", True),
    ("550 Address unknown", True),
    ("550 Unknown address error 550-'5.1.1 unknown'", True),
    ("550 Requested action not taken: mailbox unavailable", True),
    ("550 mailbox unavailable", True),
    ("551 not our customer", True),
    ("551 User not local", True),
    ("553 5.3.0 <ana@example.org>... No such user here", True),
    ("550 Invalid Recipient - https://community.example.com/docs/DOC-1369#550", True),
    ("550 5.4.1 Recipient address rejected: Access denied. [mx.example.net]", True),
    ("550 5.4.310 DNS domain example.org does not exist [Message=InfoDomainNonexistent]", True),
    ("550 5.0.350 Remote server returned an error -> 550 5.1.1 unknown", True),
    ("550 5.0.350 Remote server returned an error -> 550 no such user", True),
    ("550 5.0.350 Remote server returned an error -> 552 5.2.2 over quota", False),
    ("550 5.4.4 no mail hosts for domain", True),
    ("556 5.1.10 Domain does not accept mail", True),
    ("550 the user has moved to another address", True),
    ("550 Utilisateur inconnu", True),
    ("550 Mailbox unknown or not accepting mail", True),
    ("550 Can't find that user", True),
    ("450 User unknown", False),
    ("450 mailbox unavailable", False),
    ("552 mailbox is over its limit", False),
    ("552 Requested mail action aborted: exceeded storage allocation", False),
    ("550 Message rejected: inbox is full", False),
    ("552 user has exceeded the mailbox size", False),
    ("550 user is overquota, unknown when that ends", False),
    ("550 This account has been disabled or discontinued", False),
    ("550 The mailbox is not active", False),
    ("550 account expired", False),
    ("550 relaying denied", False),
    ("550 5.7.1 Unable to relay for ana@example.org", False),
    ("550 Invalid sender: no such user", False),
    ("550 sender address does not exist", False),
    ("550 5.1.8 Domain of sender address does not exist", False),
    ("550 Sender verify failed", False),
    ("550 unknown sender", False),
    ("553 sorry, your envelope sender domain must exist", False),
    ("554 Service unavailable; Client host [192.0.2.1] blocked using bl.example.net", False),
    ("550 Administrative prohibition", False),
    ("550 message content rejected, invalid address in body", False),
    ("554 5.7.1 Message contains invalid header: no such domain", False),
    ("550 Rejected for policy reasons: recipient unknown to sender", False),
    ("550 User not allowed to receive mail from unknown users", False),
    ("550 Too many unknown users, try later", False),
    ("550 Too many invalid recipients", False),
    ("554 virus found in message, user unknown", False),
    ("550 Greylisted, user unknown yet", False),
    ("550 can't verify sender: user unknown", False),
    ("421 Service not available, unknown host", False),
    ("550 your IP has no PTR record: host not found", False),
    ("550 cannot find your hostname", False),
    ("552 message size exceeds fixed maximum", False),
    ("554 Transaction failed: domain not found in SPF record", False),
    ("550 DMARC: policy of domain not found", False),
    ("550 access restricted, user not in whitelist", False),
    ("550 Rejected", False),
    ("550 Refused", False),
    ("", False),
)

#: Subject and words of notices that somebody still tries; whatever else they say, nobody is gone.
DELAYS: tuple[tuple[str, str], ...] = (
    (
        "Warning: message 1abc delayed 24 hours",
        "This message was created automatically by mail delivery software.\nA message that you sent has not "
        "yet been delivered to one or more of its recipients after more than 24 hours on the queue on "
        "mx.example.net.\n\nThe address to which the message has not yet been delivered is:\n\n  "
        "ana@example.org\n\nNo action is required on your part. Delivery attempts will continue for\nsome "
        "time, and this warning may be repeated at intervals if the message\nremains undelivered.",
    ),
    (
        "Warning: could not send message for past 4 hours",
        "    **********************************************\n    **      THIS IS A WARNING MESSAGE ONLY      "
        "**\n    **  YOU DO NOT NEED TO RESEND YOUR MESSAGE  **\n    "
        "**********************************************\n\n   ----- Transcript of session follows "
        "-----\n<ana@example.org>... Deferred: Connection timed out with mx.example.org.\nWarning: message "
        "still undelivered after 4 hours\nWill keep trying until message is 5 days old",
    ),
    (
        "Delivery Status Notification (Delay)",
        "This is an automatically generated Delivery Status Notification\n\nTHIS IS A WARNING MESSAGE "
        "ONLY.\n\nYOU DO NOT NEED TO RESEND YOUR MESSAGE.\n\nDelivery to the following recipient has been "
        "delayed:\n\n     ana@example.org\n\nMessage will be retried for 2 more day(s)\n\n450 no such user "
        "yet",
    ),
    (
        "Zustellung verzögert",
        "Die Zustellung an ana@example.org hat sich verzögert. Wir versuchen es weiter.\n\nana@example.org: "
        "451 benutzer unbekannt",
    ),
    (
        "Retard de remise",
        "La remise du message à ana@example.org est retardée. Nous allons continuer "
        "d'essayer.\n\n<ana@example.org>: utilisateur inconnu",
    ),
    (
        "Entrega retrasada",
        "La entrega a ana@example.org se ha retrasado. Se seguirá intentando.\n\n<ana@example.org>: usuario "
        "desconocido",
    ),
    (
        "Delivery incomplete",
        "** Delivery incomplete **\n\nThere was a temporary problem delivering your message to "
        "ana@example.org. We will retry for 46 more hours. You'll be notified if the delivery fails "
        "permanently.",
    ),
    (
        "Delivery delayed",
        "Delivery is delayed to these recipients or groups:\n\nana@example.org\n\nSubject: No. 1\n\nThis "
        "message hasn't been delivered yet. Delivery will continue to be attempted.",
    ),
    ("配信遅延のお知らせ", "メールの配信が遅延しています。\n\n<ana@example.org>\n\n引き続き再送を試みます。"),
    ("Задержка доставки", "Доставка сообщения задерживается.\n\n<ana@example.org>\n\nПопытки будут продолжены."),
    ("Consegna ritardata", "La consegna a ana@example.org è in ritardo. Nuovi tentativi verranno effettuati."),
    ("Vertraagde bezorging", "De bezorging aan ana@example.org is vertraagd. We blijven het proberen."),
)

#: Subjects under which machines answer in a person's place.
AWAY: tuple[str, ...] = (
    "Out of Office: No. 1",
    "Automatic reply: No. 1",
    "Auto: No. 1",
    "Autoreply: x",
    "Abwesenheitsnotiz",
    "Automatische Antwort: No. 1",
    "Réponse automatique : No. 1",
    "Absence du bureau",
    "Respuesta automática: No. 1",
    "Fuera de la oficina",
    "Risposta automatica: No. 1",
    "Fuori sede",
    "Automatisch antwoord: No. 1",
    "Afwezig",
    "Resposta automática: No. 1",
    "Ausência",
    "自動返信: No. 1",
    "不在通知",
    "自动回复: No. 1",
    "自動回覆",
    "Автоответ: No. 1",
    "Automatyczna odpowiedź: No. 1",
    "Odpowiedź automatyczna",
    "Automatická odpověď: No. 1",
    "Autosvar: No. 1",
    "Automatiskt svar: No. 1",
    "Automaattinen vastaus",
    "Otomatik yanıt",
    "자동 회신",
    "I am on vacation",
    "Away from my email",
    "On annual leave",
    "Urlaub",
    "Vacances",
    "No. 1 (Auto Response)",
    "Vakantie",
    "Ferie",
    "Frånvaro",
)
