"""E-mail: letters out, replies in.

Out: `letter` builds the bytes, `sending` carries them over TLS. In: `mailbox` (IMAP) or `receiver` (loopback SMTP) brings raw
bytes, the mailbox by password or by a token (`access`); `dkim_records` looks up the keys that signatures name; `reading` looks at
the bytes and starts `child`, which limits itself and then uses `secured` (with `signed` and `enveloped`), `opened`, `kinds`, `bounces`, `lines`,
`answers`, `surroundings`, `authenticity` and `replies`. Invariant: only labelled, unambiguous, vouched-for answers are
recorded without a person. This file imports nothing: the child starts once for every mail.
"""
