"""The safeguarding gateway: open, decide, record, answer, deliver, prove.

The life of a message, the same for a police notification, a school's e-mail, an officer's word and a clock that ran out:

1 receive   `api.messages.post_message`, `dispatch.intake.keep`   who is calling, is it small enough; nothing else
2 open      `oauth.resource.authenticate`, `adapters.mail.authenticity`   token and proof of possession, DKIM: or refuse
3 read      `schemas.read_message` -> `core.messages.Message`      one typed value; unknown fields refused
4 decide    `core.rules.decide`                                    Forward | Hold | Refuse: pure
5 record    `actions.submit.submit`                                message (sealed), entries, deliveries and duties in one
            transaction. >>> Point of no return: after this commit the gateway owes the delivery, whatever crashes <<<
6 answer    `actions.submit.Accepted`                              signed receipt to the sender: a promise until sealed
7 deliver   `dispatch.carrying.carry_due` -> `Adapter.deliver`     no transaction open
8 record    `actions.deliver.deliver`                              outcome, next attempt or final state, entry
9 prove     `actions.seal.seal`, `actions.chase.chase`             checkpoint and proofs; duties chased, silence stated
"""
