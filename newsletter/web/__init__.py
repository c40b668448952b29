"""Pages that are served: the preview's live window, on this computer alone, and the newsletter's public pages.

    serving   one server, until Ctrl-C
    forms     bodies that were sent, where from, and the nonce of a form

    preview   the routes of the live preview
    guard     who may ask there: this computer's own browser, and no page of somebody else's
    watching  tells when files were saved

    app       the public pages as one application: asking, leaving, own, and hooks for providers
    archive/  the letters to be read, as pages, feeds and files
    door      what holds for every request to them
    house     what they have in common: pages (templates and words), turns (the store, many to a commit)

Starlette and uvicorn are asynchronous; what is ours is mostly plain functions behind `guard` or `door`.
"""
