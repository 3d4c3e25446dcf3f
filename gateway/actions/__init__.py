"""What the gateway does: one verb a file, one public function a file.

An action is a plain function of `(tx, parts, work, asked)`: it may read and write through `tx` and affects nothing else. It
never touches the network. Expected answers are values; `Refused` means that nothing was kept. Each ends with a comment on
what a crash at that point leaves behind and who repairs it.
"""
