"""What the public may see of a registration: people's choices, the registries' rules, the answer.

The choices are in the log (`choices`), the rules are data (`profile`), what is true of a contact
and a domain is told by the caller (`facts`). `resolve` brings them together; `epp`, `extension` and
`rdap` say it in the words of those who are told.
"""
