"""What the gateway does: one verb a file, one public function a file; what several verbs ask has a file of its own.

An action is a plain function of `(tx, parts, work, asked)`: it may read and write through `tx` and affects nothing else. It
never touches the network. Expected answers are values; `Refused` means that nothing was kept. Each ends with a comment on
what a crash at that point leaves behind and who repairs it.

Where to find what:

    a message comes      take -> submit -> go_on -> forward, with circumstances, owe_deliveries, lay_duties, meet,
                         what_follows; doubts and hold for what a person must see; decide_jointly for what seats decide
    a mail comes         keep_mail -> reply, message_in_mail, mail_draft, take_held_return, letter_to_previous_school
    a delivery           deliver, climb, next_rung, redrive, cancel, collect, acknowledge, recall
    a duty               chase, warn_unit, extend, explain, waive, bring_forward, change_calendar
    a letter             draft_letters, write_letter, resend_letter, misdirection, release
    an incident          close_incident, reopen, transfer, invite_guest, link_incidents, restrict_incident
    a child              index_children, find_incidents_of_child, answer_subject, reindex
    keeping and erasing  end_retention, hold_legally, hold_disclosure, erase
    agencies' software   register_client, approve_client, rotate_client_keys, suspend_client, enrol_webhook
    officers             change_officer, second_officer, agree_arrangements, tell_managers, watch_use
    the ledger           prove (every statement goes through it), seal, anchor, beat, export, export_log
    a dry run            rehearse one message, replay the past under another pack
"""
