"""The posts on the web: as pages and feeds that `newsletter serve` answers, or as files for any host.

    shelf    which posts are there, and since when
    paper    a page of one, and the index
    feeds    Atom and RSS, with the whole text
    routes   what `serve` answers
    export   the same as files

Guarantees
    A post is there when a reader could have got it, and not a moment sooner; one that was retracted is gone for good.
    The same posts, settings and templates give the same octets. No octet is anybody's own.
"""
