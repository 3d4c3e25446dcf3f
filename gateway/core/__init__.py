"""The rules of the house as pure values: values in, values out; no clock, no input or output, no framework.

Where to find what:

    messages         one message as rules see it: envelope and facts, without its body
    rules            a partnership's arrangements, and `decide`: forward, hold or refuse
    routing          which seats a rule means; presence: who is at work in them; ladder: what is tried next
    clocks           when a duty is due; working_days: which days count
    duties           what is owed, what meets it, when it is chased; stages, work_lists, registers, reports: seen together
    statutory        what the law asks after a death or serious harm; retention: how long what is kept
    deliveries       what is carried, what can come of one attempt, when to try again
    receipts         the events that the ledger knows, and what each shows and does not show
    identifiers      what ids look like; identity: when two messages may be about the same child
    officers, permissions, client_keys, client_certificates, demands, rates    who may do what, and how fast
    errors           what can be refused, with its stable code
    spoken_words, spoken_times, written_times    words and times for people, and for documents
"""
