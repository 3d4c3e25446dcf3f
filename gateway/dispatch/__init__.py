"""What happens without anyone asking: carrying deliveries, taking in mail, watching clocks, sealing the log.

Where to find what:

    loop             everything beside the API in one process; celery_worker: the same on more machines
    carrying         claim what is due, carry it with no transaction open; recording: write down what came of it
    intake           mail: stored before anything reads it, then read, then `actions.reply`
    belonging, mail_submission    whose matter a mail is; a whole message that came by mail
    mesh_intake      what comes by NHS MESH
    timetable        what is done because time passes; keeping: once a day; sandbox: the fake peers
    anchoring        witnesses and time-stamps, on a fixed rhythm
    erasing, rewrapping, published_keys    erasures, a new master key and clients' keys, carried through
"""
