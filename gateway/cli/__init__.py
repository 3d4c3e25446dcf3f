"""The command `gateway`: one thin module for each group of commands, without powers of its own: it calls the same actions.

`groups` says which module holds which command, so that only the one that is named is imported; `session` opens the parts of a
living deployment and closes them. What stands behind several commands has a module of its own: `client_*`, `*_at_hand`,
`held_drafts`, `letters_out`, `mail_preview`, `replaying`, `sheets`.
"""
