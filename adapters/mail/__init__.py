"""E-mail: letters out, replies in.

Out: `letter` builds the bytes, `sending` carries them over TLS. In: `mailbox` (IMAP) or `receiver` (loopback SMTP) brings raw
bytes; `reading` looks at them and starts `child`, which limits itself and then uses `opened`, `kinds`, `bounces`, `lines`,
`answers`, `surroundings`, `authenticity` and `replies`. Invariant: only labelled, unambiguous, vouched-for answers are
recorded without a person. This file imports nothing: the child starts once for every mail.
"""
