"""Pages that are served: for now the preview's live window, on this computer alone.

    guard     who may ask: this computer's own browser, and no page of somebody else's
    watching  tells when files were saved
    preview   the routes of the live preview
    serving   one server on loopback, until Ctrl-C

Starlette and uvicorn are asynchronous; what is ours are plain functions behind one door (`guard`).
"""
