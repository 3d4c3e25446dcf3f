"""The seventy-five groups of hostile inputs and the tests that show what becomes of each.

`module::test` below `tests/`; a name may be that of a parametrised test whose ids say the rest. `NOT_OFFERED` are groups about
something that the gateway does not have; the tests beside them show that it is indeed not there.
"""

from __future__ import annotations

_A, _D, _T, _R = (
    "edges/test_oauth_assertions.py",
    "edges/test_oauth_dpop.py",
    "edges/test_oauth_access.py",
    "edges/test_oauth_token.py",
)
_M, _B, _W, _O = (
    "edges/test_messages_door.py",
    "edges/hostile/test_bodies.py",
    "edges/hostile/test_wire.py",
    "edges/hostile/test_tokens.py",
)
_HEADER = f"{_A}::test_a_header_that_is_not_strictly_right_is_refused"
_CLAIMS = f"{_A}::test_claims_that_are_not_strictly_right_are_refused"
_PAYLOAD = f"{_A}::test_a_payload_that_is_not_one_strict_object_is_refused"
_COMPACT = f"{_A}::test_only_the_canonical_compact_serialization_is_read"
_FETCH = f"{_A}::test_a_key_or_address_in_the_header_is_neither_used_nor_fetched"
_VECTORS = "edges/test_oauth_vectors.py::test_web_signatures_are_judged_as_the_vectors_say_and_foreign_algorithms_never_pass"
_FORM = f"{_R}::test_anything_but_a_small_plain_form_is_refused"
_P_HEADER = f"{_D}::test_a_header_that_is_not_strictly_right_is_refused"
_P_CLAIMS = f"{_D}::test_claims_that_are_not_strictly_right_are_refused"
_P_URL = f"{_D}::test_a_proof_for_another_address_is_refused"
_T_HEADER = f"{_T}::test_a_token_with_another_header_is_refused"
_T_CLAIMS = f"{_T}::test_a_token_with_other_claims_is_refused"
_BODIES = f"{_M}::test_what_is_no_message_is_refused_without_echo_and_leaves_nothing"
_FAULTS = f"{_M}::test_faults_of_a_message_come_with_pointers_and_without_values"
_NAMES = f"{_B}::test_a_name_that_two_people_would_read_differently_is_refused_without_echo"
_DATES = f"{_B}::test_what_only_looks_like_a_date_or_number_is_refused_at_its_place"

GROUPS: dict[int, tuple[str, tuple[str, ...]]] = {
    # --- the client's assertion
    1: ("alg none", (_HEADER,)),
    2: ("alg in other letters, as a list, as a number", (_HEADER,)),
    3: ("a MAC keyed with the public key", (f"{_A}::test_a_mac_keyed_with_the_public_key_is_refused",)),
    4: ("another client's key", (f"{_A}::test_a_signature_by_another_clients_key_is_refused",)),
    5: ("kid as a path, SQL, very long, controls", (_HEADER,)),
    6: ("jku and x5u to an inner address", (_FETCH,)),
    7: ("the attacker's own jwk", (_FETCH,)),
    8: ("aud of others, of two, missing, the token's address", (_CLAIMS,)),
    9: (
        "exp past, far, no whole number",
        (_CLAIMS, f"{_A}::test_numbers_that_are_not_json_or_not_finite_are_refused"),
    ),
    10: ("nbf and iat ahead", (_CLAIMS, f"{_A}::test_a_clock_some_seconds_off_is_tolerated")),
    11: ("iss not sub; sub a list or object", (_CLAIMS,)),
    12: ("jti a number, missing, long", (_CLAIMS,)),
    13: (
        "replay, fifty at once",
        ("edges/test_oauth_replay.py::test_one_assertion_under_fifty_proofs_gives_one_token",),
    ),
    14: ("a claim twice", (_PAYLOAD,)),
    15: ("header a list; payload no UTF-8, deep", (_HEADER, _PAYLOAD)),
    16: ("crit unknown, b64 false", (_HEADER,)),
    17: ("surrogate and NUL in sub", (_CLAIMS,)),
    18: ("JWE, JSON serialization", (_COMPACT,)),
    19: ("zero, malleated, DER signatures", (f"{_A}::test_a_made_up_signature_is_refused", _VECTORS)),
    20: ("line end, padding, loose tail", (_COMPACT, _VECTORS)),
    21: (
        "key revoked, not yet, retired; client suspended",
        (
            f"{_A}::test_a_key_outside_its_time_is_no_key",
            f"{_T}::test_a_suspension_bites_within_thirty_seconds_though_the_token_lives",
        ),
    ),
    # --- the token endpoint
    22: (
        "more scope, odd characters",
        (f"{_R}::test_a_scope_beyond_or_beside_the_registered_is_refused", _FORM),
    ),
    23: ("other grants", (f"{_R}::test_only_client_credentials_is_a_grant",)),
    24: ("client secrets", (f"{_R}::test_there_are_no_secrets",)),
    25: ("two methods at once", (f"{_R}::test_there_are_no_secrets",)),
    26: ("a parameter twice", (_FORM,)),
    27: ("JSON, multipart", (_FORM,)),
    28: ("1 MB; no length", (_FORM, f"{_R}::test_a_body_without_length_is_measured_as_it_comes")),
    29: ("no ASCII, %00", (_FORM,)),
    30: (
        "credentials in the address",
        (f"{_O}::test_30_credentials_in_an_address_are_refused_and_not_logged",),
    ),
    # --- proofs of possession
    31: (
        "none, two, 5 kB",
        (
            f"{_D}::test_there_is_exactly_one_proof",
            f"{_D}::test_two_proofs_in_one_header_or_a_long_one_are_refused",
        ),
    ),
    32: ("typ JWT", (_P_HEADER,)),
    33: (
        "private, symmetric, off the curve, RSA of e = 1",
        (
            _P_HEADER,
            f"{_D}::test_a_private_member_in_the_proof_is_refused",
            f"{_D}::test_weak_rsa_keys_bind_nothing",
        ),
    ),
    34: ("htm other or in small letters", (_P_CLAIMS,)),
    35: ("htu of others, with a user, bad IPv6, query", (_P_URL,)),
    36: (
        "default port, slashes, dots, percent signs",
        (_P_URL, f"{_D}::test_addresses_are_compared_after_rfc_3986_normalisation"),
    ),
    37: ("Host and Forwarded forged", (f"{_D}::test_the_address_never_comes_from_a_header",)),
    38: ("iat old, ahead, no number", (_P_CLAIMS, f"{_D}::test_an_iat_that_is_no_time_is_refused")),
    39: ("ath missing, other, a list", (f"{_D}::test_a_proof_without_this_very_token_is_refused",)),
    40: (
        "replay; the same jti anew",
        (
            f"{_D}::test_a_proof_is_used_once_at_each_door",
            f"{_D}::test_the_same_id_in_a_new_proof_is_a_replay",
            "edges/test_oauth_replay.py::test_fifty_equal_calls_pass_once",
        ),
    ),
    41: (
        "another key's proof; another's jti",
        (
            f"{_D}::test_a_stolen_token_is_worth_nothing_without_its_key",
            f"{_D}::test_one_keys_ids_do_not_burn_anothers",
        ),
    ),
    42: ("Bearer", (f"{_T}::test_a_bound_token_under_another_scheme_is_refused",)),
    43: ("two Authorization headers", (f"{_T}::test_two_authorization_headers_are_refused",)),
    44: ("nonces", (f"{_O}::test_44_a_nonce_that_nobody_gave_out_neither_helps_nor_harms",)),
    45: (
        "a certificate-bound token without its certificate, forged headers",
        (
            _T_CLAIMS,
            "edges/test_mutual_tls.py::test_a_token_is_worth_nothing_without_its_certificate",
            "edges/test_mutual_tls.py::test_headers_that_a_client_writes_itself_are_dropped",
            "edges/test_mutual_tls.py::test_whoever_goes_round_the_proxy_is_refused_whatever_he_says",
        ),
    ),
    # --- access tokens
    46: (
        "a receipt, an assertion, an identity token as token",
        (_T_HEADER, f"{_T}::test_an_assertion_is_no_token"),
    ),
    47: (
        "iss, aud, exp, cnf, kid; signed by the client",
        (_T_CLAIMS, f"{_T}::test_a_token_signed_by_the_client_itself_is_refused"),
    ),
    48: (
        "revoked; after a rotation of keys",
        (
            f"{_T}::test_a_token_revoked_by_another_process_is_refused_within_a_minute",
            f"{_R}::test_a_token_of_a_retired_key_opens_and_one_of_a_forgotten_key_does_not",
        ),
    ),
    # --- bodies
    49: ("a member twice", (_BODIES,)),
    50: ("100,000 levels", (_BODIES,)),
    51: ("NaN, Infinity", (_BODIES,)),
    52: (
        "NUL, surrogates, direction, no width, homoglyphs, combining",
        (_BODIES, _NAMES, f"{_B}::test_a_name_is_words_and_comes_back_exactly_as_it_was_sent"),
    ),
    53: ("UTF-16, byte order mark, no UTF-8", (_BODIES,)),
    54: ("gzip", (f"{_M}::test_only_plain_json_is_taken",)),
    55: ("other content types", (f"{_M}::test_only_plain_json_is_taken",)),
    56: ("unknown fields, another agency", (_FAULTS,)),
    57: (
        "a field of megabytes, an integer of 5000 digits",
        (_BODIES, _NAMES, f"{_M}::test_a_message_larger_than_is_taken_is_refused_whatever_it_claims"),
    ),
    58: ("a line end after an id, other digits", (_DATES, _FAULTS)),
    59: ("dates that are none", (_DATES, _FAULTS)),
    60: (
        "formulas, HTML, header injection",
        (
            _NAMES,
            f"{_B}::test_a_name_is_words_and_comes_back_exactly_as_it_was_sent",
            "adapters/mail/test_letter.py::test_a_name_cannot_add_a_line_to_the_letter",
            "adapters/mail/test_letter.py::test_html_is_made_of_text_only",
            "adapters/mail/test_letter.py::test_an_address_that_smtp_could_misread_is_refused",
            "edges/test_console.py::test_hostile_names_stay_words",
            "edges/test_register_commands.py::test_no_cell_of_a_csv_file_is_run_as_a_formula",
        ),
    ),
    61: (
        "Content-Digest wrong, beside another, absent",
        (
            f"{_M}::test_a_wrong_content_digest_is_refused",
            f"{_M}::test_each_algorithm_of_rfc_9530_is_checked_alone_or_beside_others",
        ),
    ),
    # --- repeats and tenancy
    62: ("one key, other body", (f"{_M}::test_a_key_used_for_another_message_is_refused",)),
    63: ("one key, another client", (f"{_M}::test_another_client_s_key_is_its_own",)),
    64: (
        "fifty at once",
        (
            f"{_B}::test_64_fifty_equal_messages_at_once_are_one_with_one_receipt",
            f"{_M}::test_fifty_at_once_with_one_key_and_other_contents_are_one_message",
        ),
    ),
    65: ("odd keys", (f"{_M}::test_a_key_that_is_no_key_is_refused", f"{_M}::test_two_keys_are_none")),
    66: (
        "after a crash between commit and answer",
        (
            "journeys/test_kill.py::test_whatever_was_answered_is_kept_once_and_delivered_however_often_it_is_killed",
        ),
    ),
    67: (
        "another's ids",
        (
            "edges/hostile/test_same_cost.py::test_foreign_and_unknown_ids_cost_the_same_statements_and_have_the_same_answer",
            "edges/hostile/test_same_cost.py::test_another_spelling_of_an_id_is_another_id",
            "edges/test_receipts_api.py::test_another_agency_s_messages_and_receipts_look_like_none_at_all",
        ),
    ),
    68: ("members that are ours to set", (_FAULTS,)),
    69: (
        "a type that the client may not send",
        (
            "edges/test_client_rules_at_the_door.py::"
            "test_a_client_sends_only_the_types_it_is_registered_for_and_a_refusal_leaves_an_entry",
        ),
    ),
    # --- the wire, operations, officers
    70: (
        "what is hardly HTTP",
        (
            f"{_W}::test_what_can_be_read_in_two_ways_gets_one_refusal_and_no_second_answer",
            f"{_W}::test_what_is_large_is_nobody_either",
            f"{_W}::test_a_request_names_its_host_once",
            "edges/test_nginx.py::test_no_second_request_rides_in_a_first",
            "edges/test_nginx.py::test_malformed_headers_are_dropped_before_the_gateway_reads_them",
        ),
    ),
    71: (
        "slow and deaf callers",
        (
            f"{_W}::test_71_a_body_that_does_not_end_is_given_up_and_nobody_waits_for_it",
            f"{_W}::test_71_whoever_does_not_read_its_answer_holds_nobody_up",
            "edges/test_nginx.py::test_slow_callers_hold_nobody_up_and_are_cut_off",
            f"{_R}::test_a_body_that_does_not_come_to_an_end_is_given_up",
        ),
    ),
    72: (
        "a broker frozen or gone, the database gone, clocks that step",
        (
            "edges/test_limits.py::test_without_the_broker_each_process_counts_for_itself_and_says_so_once",
            f"{_R}::test_when_the_store_is_down_no_token_leaves",
            f"{_T}::test_when_the_store_is_down_nobody_is_let_in",
            f"{_O}::test_72_while_the_clock_is_wrong_nobody_gets_in_and_nothing_that_was_used_works_again",
            "store/test_replay.py::test_a_clock_that_ran_ahead_swept_nothing_that_could_be_used_again",
        ),
    ),
    73: (
        "methods",
        (
            f"{_W}::test_73_a_header_or_parameter_never_changes_the_method",
            f"{_W}::test_73_every_address_has_its_methods_and_says_which",
        ),
    ),
    74: (
        "refusals that repeat their input",
        (
            f"{_B}::test_74_no_refusal_repeats_what_it_refuses",
            "edges/test_limits.py::test_an_address_beyond_its_pace_is_refused_everywhere_before_it_is_known_who_asks",
            "journeys/test_no_personal_data.py::test_no_problem_document_repeats_what_was_sent",
        ),
    ),
    75: (
        "an officer's sign-in",
        (
            "edges/test_console.py::test_a_link_signs_in_once",
            "edges/test_console.py::test_a_form_of_another_site_is_refused_though_the_cookie_came",
            "edges/test_console.py::test_the_cookie_is_kept_to_this_host_from_scripts_and_other_sites",
        ),
    ),
}

NOT_OFFERED = {
    44: "DPoP nonces",
    61: "HTTP message signatures (RFC 9421): no covered components to forget",
    75: "sign-in by an identity provider: no state, code, nonce, issuer or `next` to forge",
}
