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
)
