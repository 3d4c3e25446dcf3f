"""The HTTP surface for agencies: parse, call an action, answer.

From the outside in:

    application   every route in one table, each authenticated or listed as public
    proxy         the hop from the proxy that ends TLS
    limits        how fast anybody may ask, before and after it is known who asks (`shared_limits`: for several processes)
    door          what every request passes: who is calling, how large is the body
    messages      `POST /v1/messages`, the one door (`content_digest`, `signed_requests`: what the sender says of its bytes)
    attachments   files that a message will name
    inbox         what waits for an agency, and its answers (`signed_answers`: with its own signature)
    duties, receipts, registers, webhooks, pages    what else an agency may ask
    problems      RFC 9457: the only place where an error becomes a document
    openapi       the description, made from the route table and the schemas
    operator, readiness    the operator's own listener: alive, ready, figures
"""
