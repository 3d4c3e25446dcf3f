"""Pages for the Safeguarding Business Unit: server-rendered, whole without JavaScript, and the same actions as everywhere.

From the outside in, then page by page:

    routes        every page in one table: its path, its methods, what the visitor needs, the function that answers
    application   that table as an application; door: what every page passes (session, own form, headers)
    sign_in       and beside it sign_in_passkey, sign_in_oidc, sign_in_provider, passkeys: ways in
    pages         values into HTML, everything escaped; words, officer_words: plain words for codes, states and times
    reading       what pages read, each on one snapshot; listing: lists that go on by place
    today, lists, cases, held, calls          what needs somebody now
    incidents, case_page, duty_page, letters, deliveries, sharing, evidence, work, meeting     one incident
    forms, sheet, paper, paper_pdf            a form for any message, on the page and on paper
    mailed_draft, mailed_return, taken_down   what came by e-mail or telephone, made into a message
    rules, arrangements, approvals            what is in force, and changing it by two officers
    partners, endpoints, officer_pages, account, access, audit, breaches, keeping, reports, charts, search, first_steps
"""
