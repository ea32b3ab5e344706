"""People decide: the reviewers' page, a web application on the same ledger that runs write to.

options, serving   what `cvpipe review` was told, and whether that is safe to listen with
passwords, door    argon2, sessions, lockout and rate limits: who comes in
middleware         what holds for every answer: headers, hosts, the size of what is sent
district           sites, verdicts and decisions in memory, kept up to date by the audit trail
queue              which item is next
frames, pictures   the ground that a site's pictures show, and the pictures themselves
views, overview    what a page says, as plain data
uploads            photos by their content
visits, visit_results   what is taken into the field, and what comes back from there
words, refusals    both languages of the page, and of what it refuses
api, pages, app    the addresses

Pictures are named by scene and assessment as the ledger knows them; no path or address comes from the browser.
"""

from cvpipe.review.options import ReviewOptions

__all__ = ["ReviewOptions"]
