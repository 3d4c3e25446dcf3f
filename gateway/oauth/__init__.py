"""The authorization server and the checks at the door of every protected resource.

Profile: the FAPI 2.0 Security Profile's rules applied to the client credentials grant (RFC 6749 section 4.4).
Clients prove themselves with `private_key_jwt` (RFC 7523) addressed to our issuer alone, tokens are RFC 9068
`at+jwt` of 300 seconds bound to a key by DPoP (RFC 9449), and there is neither a bearer token nor a secret
anywhere.

The room as a story:

    routes         the six endpoints over HTTP: read a form, answer, burn what must be used once
    forms          one strict reader of form bodies
    authorization  the protocol's states by authlib: grant, client authentication, revocation, introspection
    assertions     is this really the client?                              RFC 7523, RFC 10070
    dpop           does the caller hold the key?                           RFC 9449
    certificates   or: does the connection show its certificate?           RFC 8705
    access_tokens  minting and opening our own tokens                      RFC 9068
    token_keys     the keys that sign them, as they are in force now
    resource       all of it together, for one request to /v1              authenticate(...) -> Principal
    key_policy     which public keys may speak for a client; possession: that a client holds its new ones
    http_signatures  a sender's own signature over its request             RFC 9421
    nonces, revocation_lists    what the operator may ask for besides
    jose           strict compact JWS: the one place where a signature is checked here
    reasons        why something was refused: for the log, never for the caller
    parts          what this room is given: signer, clock, clients, the book of used proofs
    registry       those parts made from the store; recent: what they remember for a minute
    metadata       what is published about all this                        RFC 8414, RFC 9728
"""
