"""Mails to people and operators: rows that say what is to be sent, and the leader's loop that hands it over.

queueing   rows for what is to be sent, and calling them off
writing    a row becomes a letter at the moment it leaves: words, person, link
pacing     how many with a link leave within an hour
sending    claim, hand over, settle
showing    what became of them, for pages and commands

A row never holds a body or a link. Whoever leads calls ``recover`` once when it begins, then ``deliver`` again and again.
"""

from provision.services.mail.pacing import Paced, look_anew, paced
from provision.services.mail.queueing import Asked, call_off, cancel, confirm, enqueue, enqueue_many
from provision.services.mail.sending import Post, ahead, deliver, queued, recover, trouble
from provision.services.mail.showing import Row, Slice, counted, listed, one
from provision.services.mail.writing import Stationery, preview

__all__ = [
    "Asked",
    "Paced",
    "Post",
    "Row",
    "Slice",
    "Stationery",
    "ahead",
    "call_off",
    "cancel",
    "confirm",
    "counted",
    "deliver",
    "enqueue",
    "enqueue_many",
    "listed",
    "look_anew",
    "one",
    "paced",
    "preview",
    "queued",
    "recover",
    "trouble",
]
