"""The append-only log, and what proves something from it. It builds and checks, and never talks to anybody.

In the order in which a statement goes through it:

    statement     the closed canonical JSON that is signed as a receipt, with salted commitments in place of content
    appending     one signed entry for each thing that happened, inside the action's transaction: a promise
    tree, tiles   the Merkle tree, and how its hashes are kept
    sealing       the single sequencer: waiting entries become leaves under a signed checkpoint: the promise is kept
    checkpoint    checkpoints and proofs as text
    anchoring     what witnesses and time-stamping authorities are asked, and what of their answers is believed
    bundle        everything about one incident that a stranger needs; summary, summary_pdf: the same for people
    log_export    the whole log as a folder
    policy        what a verifier is told to trust
    verify        the program that checks a bundle; absence: the one that checks a whole log. Both stand alone
"""
