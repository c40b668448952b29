"""Letters of mail systems of which no example was at hand, written after what their manuals and their users quote.

Each tells of ana@example.org, and whether she is gone. What a rule must do for all of them can't be a rule for one.
"""

from __future__ import annotations

ANA = "ana@example.org"

#: Who it is, in what words, and whether the address is dead.
NOTICES: tuple[tuple[str, str, bool], ...] = (
    # --- transcripts of a session, with arrows this way and that
    (
        "InterScan: what was sent has the arrows of what is received elsewhere",
        "Delivery failed.\n\nSent <<< RCPT TO:<ana@example.org>\nReceived >>> 550 <ana@example.org>: user unknown\n\n"
        "Unable to deliver message to <ana@example.org>.",
        True,
    ),
    (
        "MDaemon, long arrows",
        "The attached message had PERMANENT fatal delivery errors!\n\nFailed address: ana@example.org\n\n--- Session Transcript ---\n"
        " Mon 2026-03-02 09:00:01: --> MAIL From:<maya@letters.example.org>\n Mon 2026-03-02 09:00:01: <-- 250 OK\n"
        " Mon 2026-03-02 09:00:02: --> RCPT To:<ana@example.org>\n Mon 2026-03-02 09:00:02: <-- 550 No such user here\n--- End Transcript ---",
        True,
    ),
    (
        "MDaemon, at the dot",
        "The attached message had PERMANENT fatal delivery errors!\n\nFailed address: ana@example.org\n\n--- Session Transcript ---\n"
        " --> RCPT To:<ana@example.org>\n <-- 250 OK\n --> DATA\n <-- 354 go\n <-- 554 Message looks like spam\n--- End Transcript ---",
        False,
    ),
    (
        "hMailServer",
        "Your message did not reach some or all of the intended recipients.\n\n   Sent: Tue, 3 Mar 2026 09:00:00 +0000\n   Subject: No. 1\n\n"
        "The following recipient(s) could not be reached:\n\nana@example.org\n   Error Type: SMTP\n   Remote server (192.0.2.1) issued an"
        " error.\n   hMailServer sent: RCPT TO:<ana@example.org>\n   Remote server replied: 550 Unknown user\n\n\nhMailServer",
        True,
    ),
    (
        "Courier",
        "UNDELIVERABLE MAIL\n\nYour message to the following recipients cannot be delivered:\n\n<ana@example.org>:\n"
        "    mx.example.org [192.0.2.1]:\n>>> RCPT TO:<ana@example.org>\n<<< 550 User unknown.",
        True,
    ),
    (
        "DragonFly",
        "This is the DragonFly Mail Agent at mx.example.net.\n\nThere was an error delivering your mail to <ana@example.org>.\n\n"
        "mx.example.org [192.0.2.1] did not like our RCPT TO:\n550 User unknown\n\nMessage headers follow.",
        True,
    ),
    (
        "DragonFly, after the letter",
        "There was an error delivering your mail to <ana@example.org>.\n\nmx.example.org [192.0.2.1] did not like our final DATA:\n"
        "550 User unknown\n\nMessage headers follow.",
        False,
    ),
    (
        "XMail, in brackets",
        "[<00>] XMail bounce: Rcpt=[ana@example.org];Error=[550 <ana@example.org> No such user here]\n\n\n[<01>] Error sending"
        " message [1.mx.example.net] from [mx.example.net].\n\nID:        <S1>\nMail From: <maya@letters.example.org>\n"
        "Rcpt To:   <ana@example.org>\nServer:    <mx.example.org> [192.0.2.1]\n\n[<02>] The reason of the delivery failure was:\n\n"
        "550 <ana@example.org> No such user here",
        True,
    ),
    # --- qmail, and who writes like it (QSBMF)
    (
        "qmail, no such host",
        "Hi. This is the qmail-send program at mx.example.net.\nI'm afraid I wasn't able to deliver your message to the following"
        " addresses.\n\n<ana@example.org>:\nSorry, I couldn't find any host named example.org. (#5.1.2)\n\n"
        "--- Below this line is a copy of the message.",
        True,
    ),
    (
        "qmail, the DNS is away",
        "I'm afraid I wasn't able to deliver your message to the following addresses.\n\n<ana@example.org>:\nCNAME lookup failed"
        " temporarily. (#4.4.3)\nI'm not going to try again; this message has been in the queue too long.",
        False,
    ),
    (
        "qmail, over quota",
        "I'm afraid I wasn't able to deliver your message to the following addresses.\n\n<ana@example.org>:\nuser is over quota",
        False,
    ),
    (
        "qmail, we were refused",
        "I'm afraid I wasn't able to deliver your message to the following addresses.\n\n<ana@example.org>:\nConnected to 192.0.2.1 but"
        " sender was rejected.\nRemote host said: 550 5.7.1 go away",
        False,
    ),
    (
        "qmail, the greeting failed",
        "I'm afraid I wasn't able to deliver your message to the following addresses.\n\n<ana@example.org>:\nConnected to 192.0.2.1 but"
        " greeting failed.\nRemote host said: 554 unknown user or host\nI'm not going to try again; this message has been in the queue too long.",
        False,
    ),
    (
        "qmail in one line",
        "I wasn't able to deliver your message to the following addresses.\n\n<ana@example.org>:\n"
        "192.0.2.1_does_not_like_recipient./Remote_host_said:_550_5.1.1_unknown/Giving_up_on_192.0.2.1./",
        True,
    ),
    (
        "like qmail, in other words",
        "Unable to deliver message to the following address(es).\n\n<ana@example.org>:\nThis user doesn't have an example.org account"
        " (ana@example.org) [0]\n\n--- Original message follows.",
        True,
    ),
    # --- Exim's
    (
        "Exim, unknown local part",
        "A message that you sent could not be delivered to one or more of its recipients. The following address(es) failed:\n\n"
        '  ana@example.org\n    unknown local-part "ana" in domain "example.org"',
        True,
    ),
    (
        "Exim, no MX that is",
        "The following address(es) failed:\n\n  ana@example.org\n    all relevant MX records point to non-existent hosts",
        True,
    ),
    (
        "Exim, full",
        "The following address(es) failed:\n\n  ana@example.org\n    mailbox is full: retry timeout exceeded",
        False,
    ),
    (
        "Exim, refused before anybody was named",
        "The following address(es) failed:\n\n  ana@example.org\n    SMTP error from remote mail server after initial connection:\n"
        "    host mx.example.org [192.0.2.1]: 554 no such host mx.example.net",
        False,
    ),
    (
        "Exim, an attachment",
        "The following address(es) failed:\n\n  ana@example.org\n    This message has been rejected because it has\n    a potentially"
        ' executable attachment "invalid-address.exe"',
        False,
    ),
    (
        "Zoho, the code behind a colon",
        "This message was created automatically by mail delivery software.\n A message that you sent could not be delivered to one or"
        " more of its recipients. This is a permanent error.\n\nana@example.org  Invalid Address, ERROR_CODE :550, ERROR_CODE"
        " :Requested action not taken: mailbox unavailable",
        True,
    ),
    # --- servers for offices
    (
        "Exchange 2003",
        "Your message did not reach some or all of the intended recipients.\n\n      Subject:\tNo. 1\n      Sent:\t3/3/2026 9:00 AM\n\n"
        "The following recipient(s) could not be reached:\n\n      ana@example.org on 3/3/2026 9:00 AM\n            The e-mail account"
        " does not exist at the organization this message was sent to.\n            <mx.example.org #5.1.1>",
        True,
    ),
    (
        "Exchange 2003 in German",
        "Ihre Nachricht hat einige oder alle Empfänger nicht erreicht.\n\n      Betreff:\tNo. 1\n      Gesendet am:\t03.03.2026 09:00\n\n"
        "Folgende(r) Empfänger konnte(n) nicht erreicht werden:\n\n      ana@example.org am 03.03.2026 09:00\n            Dieses"
        " E-Mail-Konto gibt es in der Organisation nicht.\n            <mx.example.org #5.1.1>",
        True,
    ),
    (
        "Exchange 2003 in French, relay",
        "Votre message n'a pas atteint certains ou tous ses destinataires.\n\n      Les destinataires suivants ne peuvent être contactés :"
        "\n\n      ana@example.org le 03/03/2026 09:00\n            <mx.example.org #5.7.1 smtp;550 5.7.1 Unable to relay>",
        False,
    ),
    (
        "Domino",
        "Your message\n\n  Subject: No. 1\n\nwas not delivered to:\n\n  ana@example.org\n\nbecause:\n\n  User ana (ana@example.org) not"
        " listed in Domino Directory",
        True,
    ),
    (
        "Domino in German",
        "Ihr Dokument:\n\n  No. 1\n\nkonnte nicht zugestellt werden an:\n\n  ana@example.org\n\nweil:\n\n  Benutzer ana (ana@example.org)"
        " ist im Domino-Verzeichnis nicht aufgeführt",
        True,
    ),
    (
        "Domino, the disk",
        "Your document:\n\nwas not delivered to:\n\n  ana@example.org\n\nbecause:\n\n  Unable to deliver: the user's mail file is over its"
        " quota",
        False,
    ),
    (
        "GroupWise",
        "The message that you sent was undeliverable to the following:\n\tana@example.org (user not found)\n\nPossibly truncated original"
        " message follows:",
        True,
    ),
    (
        "GroupWise, full",
        "The message that you sent was undeliverable to the following:\n\tana@example.org (mailbox full)",
        False,
    ),
    (
        "CommuniGate",
        "Failed to deliver to 'ana@example.org'\nSMTP module(domain example.org) reports:\n host mx.example.org says:\n 550 5.1.1 unknown"
        " account",
        True,
    ),
    (
        "CommuniGate, full",
        "Failed to deliver to 'ana@example.org'\nLOCAL module(account ana) reports:\n account is full (quota exceeded)",
        False,
    ),
    (
        "Mercury",
        "The local mail transport system has reported the following problems it encountered while trying to deliver your message:\n\n"
        "*** ana@example.org\nUser not known at this site.\n\n---------------- Returned message follows ----------------",
        True,
    ),
    (
        "MailEnable",
        "MailEnable: Message could not be delivered to some recipients.\nThe following recipient(s) could not be reached:\n\n"
        "\t[SMTP:ana@example.org]: Remote SMTP Server Returned: 550 5.1.1 no such mailbox",
        True,
    ),
    (
        "IceWarp",
        "The following message could not be delivered to the recipient ana@example.org:\n\n<ana@example.org>; Unknown local user\n",
        True,
    ),
    ("IMail, a host", "Unknown host: ana@example.org\n\nOriginal message follows.", True),
    ("IMail, an account", "Invalid final delivery userid: ana@example.org\n\nOriginal message follows.", True),
    ("IMail, a limit", "Delivery failed 20 attempts: ana@example.org\n\nOriginal message follows.", False),
    (
        "MailMarshal",
        "Your message:\n  From:    maya@letters.example.org\n  To:      ana@example.org\n  Subject: No. 1\n\nCould not be delivered because"
        " of\n\n550 5.1.1 No such recipient\n\nThe following recipients were affected:\n    ana@example.org",
        True,
    ),
    (
        "MailFoundry",
        "Unable to deliver message to: <ana@example.org>\nDelivery failed for the following reason:\nServer mx.example.org[192.0.2.1]"
        " failed with: 550 <ana@example.org> No such user here\n\nThis has been a permanent failure.",
        True,
    ),
    (
        "McAfee",
        " --- The following addresses had delivery problems ---\n\n<ana@example.org>   (User unknown ana@example.org)\n\n"
        "-------------- Message Header Below --------------",
        True,
    ),
    (
        "smail",
        "|------------------------- Message log follows: -------------------------|\n no valid recipients were found for this message\n"
        "|------------------------- Failed addresses follow: ---------------------|\n <ana@example.org> ... unknown user\n"
        "|------------------------- Message text follows: ------------------------|",
        True,
    ),
    (
        "Barracuda, blocked",
        "Your message could not be delivered.\n\nana@example.org: host mx.example.org said: 550 permanent failure for one or more"
        " recipients (ana@example.org:blocked)",
        False,
    ),
    (
        "X.400",
        "This report relates to a message you sent with the following header fields:\n\n  Subject: No. 1\n\nYour message cannot be delivered"
        " to the following recipients:\n\n  Recipient address: ana@example.org\n  Original address: ana@example.org\n  Reason:"
        " Unrecognised recipient\n",
        True,
    ),
    (
        "X.400 by itself",
        "Your message was not delivered to:\n\n   ana@example.org\n\nfor the following reason:\n\n   Unrecognised O/R name\n"
        "   Message could not be transferred",
        True,
    ),
    (
        "SurgeMail",
        "Your message cannot be delivered to the following recipients:\n\nMail address: ana@example.org\nFailed reason: No such account",
        True,
    ),
    # --- mail hosts for everybody
    (
        "Gmail, the address",
        "** Address not found **\n\nYour message wasn't delivered to ana@example.org because the address couldn't be found, or is unable to"
        " receive mail.\n\nLearn more here: https://support.example.com/?p=NoSuchUser",
        True,
    ),
    (
        "Gmail, the domain",
        "** Address not found **\n\nYour message wasn't delivered to ana@example.org because the domain example.org couldn't be found."
        " Check for typos or unnecessary spaces and try again.",
        True,
    ),
    (
        "Gmail, full",
        "** Recipient inbox full **\n\nYour message couldn't be delivered to ana@example.org. Their inbox is full, or it's getting too much"
        " mail right now.",
        False,
    ),
    (
        "Gmail, blocked",
        "** Message blocked **\n\nYour message to ana@example.org has been blocked. See technical details below for more information.",
        False,
    ),
    (
        "AOL of old",
        "Your mail to the following recipients could not be delivered because they are not accepting mail from letters.example.org:\n\n"
        "\tana@example.org",
        False,
    ),
    (
        "a carrier, in Japanese",
        "次のあて先へのメッセージはエラーのため送信できませんでした。\n\n<ana@example.org>\n\n宛先のアドレスが見つかりません。",
        True,
    ),
    (
        "a carrier, full",
        "次の宛先にメールを配信できませんでした。\n\n<ana@example.org>\n\n受信者のメールボックスの容量が超過しています。",
        False,
    ),
    (
        "BIGLOBE, full",
        "   ----- The following addresses had delivery problems -----\n<ana@example.org>\n\n   ----- Non-delivered information -----\nThe"
        " number of messages in recipient's mailbox exceeded the local limit.",
        False,
    ),
    # --- other languages
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
